//! Writes to security groups.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{IpPermission, ResourceType, SecurityGroup as Found};

use super::listing::{group_tags, groups};
use super::refusal::{DEPENDENCY, DUPLICATE_GROUP, DUPLICATE_RULE, NO_RULE, not_written, refused};
use super::rules::{flattened, permission};
use super::{Ec2, Written, filter, id_of, tagged};
use crate::diff::Change;
use crate::failure::{Class, Error};
use crate::failures::{Failures, Parts};
use crate::features::network::SecurityGroup;
use crate::features::network::security_group::{action, field};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::Owner;
use crate::scope::Scope;
use crate::tags;

/// Ids in a message, of what may be many.
const NAMED: usize = 5;

/// A group that is written: as it is forgotten, its id, and its name in messages.
type Of<'a> = (Written<'a>, &'a str, &'a str);

impl Ec2 {
    pub(super) async fn create_group(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &SecurityGroup,
    ) -> Result<Applied, Failures> {
        let subject = format!("security group {}", desired.name);
        let rules = desired.ingress.iter().map(|rule| permission(action::AUTHORIZE, &subject, rule));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        let call = self
            .client
            .create_security_group()
            .group_name(&desired.name)
            .description(&desired.description)
            .vpc_id(&desired.vpc_id)
            .tag_specifications(tagged(ResourceType::SecurityGroup, &desired.tags));
        let written = Written::Group(&desired.vpc_id);
        let made =
            self.write(written, call.send()).await.map_err(|error| not_written(action::CREATE, &subject, &error));
        let made = match made {
            Ok(made) => made.group_id.unwrap_or_default(),
            Err(error) if error.code == DUPLICATE_GROUP => return Ok(self.named_alike(scope, desired, error).await?),
            Err(error) => return Err(error.into()),
        };
        self.made.put((scope.owner.clone(), step.key.clone()), (made.clone(), desired.clone().into()));
        let mut parts = Parts::of_a_creation().with_id(&made);
        if !rules.is_empty() {
            parts.note(field::INGRESS, self.authorize((written, &made, &subject), rules).await);
        }
        parts.end(Applied::Created { id: made, waits_for: None })
    }

    /// The group that has the name already: ours, where an answer was lost.
    async fn named_alike(&self, scope: &Scope, desired: &SecurityGroup, refusal: Error) -> Result<Applied, Error> {
        let filters = vec![filter("group-name", [&desired.name]), filter("vpc-id", [&desired.vpc_id])];
        let found: Vec<Found> = groups(&self.client, &refusal.subject, filters).await?;
        let Some((id, group)) = found.iter().find_map(|group| Some((group.group_id.clone()?, group))) else {
            return Err(refusal);
        };
        let holder = match Owner::of(&group_tags(group), &scope.owner) {
            Owner::Ours => {
                return Ok(Applied::Created { id, waits_for: Some("found, and not compared yet".into()) });
            }
            Owner::Theirs(holder) => format!("{id}, which {holder} owns"),
            Owner::Nobody => format!("{id}, which has no owner tag"),
        };
        Err(Error { message: format!("{}: it is {holder}", refusal.message), ..refusal })
    }

    /// Rules that let something in come first, and those that no longer do after them, so that there is no moment without access.
    pub(super) async fn update_group(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &SecurityGroup,
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        let id = id_of(step)?;
        let subject = format!("security group {id}");
        let differs = |name: &str| changes.iter().any(|change| change.field() == name);
        let found = self.own_group(scope, action::AUTHORIZE, id, &subject).await?;
        let written = Written::Group(found.vpc_id().unwrap_or_default());
        let mut parts = Parts::default();
        parts.own();
        for change in changes.iter().filter(|change| ![field::TAGS, field::INGRESS].contains(&change.field())) {
            parts.note::<()>(change.field(), Err(Error::unknown_field(step, change.field())));
        }
        if differs(field::INGRESS) {
            self.put_rules(&mut parts, (written, id, &subject), desired, &found).await;
        }
        if differs(field::TAGS) && !parts.is_unanswered() {
            let observed = tags::managed(&group_tags(&found));
            let of = (written, id, subject.as_str());
            let put = self.put_tags((action::TAG, action::UNTAG), of, &desired.tags, &observed).await;
            parts.note(field::TAGS, put);
        }
        parts.end(Applied::Ready)
    }

    async fn put_rules(&self, parts: &mut Parts, of: Of<'_>, desired: &SecurityGroup, found: &Found) {
        let wanted: BTreeMap<String, _> = desired.ingress.iter().map(|rule| (rule.text(), rule)).collect();
        let held: BTreeMap<String, IpPermission> =
            flattened(found.ip_permissions()).into_iter().map(|(rule, alone)| (rule.text(), alone)).collect();
        let missing = wanted.iter().filter(|(text, _)| !held.contains_key(*text));
        let missing: Result<Vec<_>, _> = missing.map(|(_, rule)| permission(action::AUTHORIZE, of.2, rule)).collect();
        let authorized = match missing {
            Ok(missing) if missing.is_empty() => Ok(()),
            Ok(missing) => self.authorize(of, missing).await,
            Err(error) => Err(error),
        };
        // What nobody wants goes even where what is wanted is refused, but not where that comes with the next try.
        let passes = authorized.as_ref().is_err_and(|error| !error.needs_somebody());
        if authorized.is_err() {
            parts.note(field::INGRESS, authorized);
        }
        let unwanted: Vec<IpPermission> =
            held.into_iter().filter(|(text, _)| !wanted.contains_key(text)).map(|(_, alone)| alone).collect();
        if !passes && !unwanted.is_empty() {
            parts.note(field::INGRESS, self.revoke(of, unwanted).await);
        }
    }

    /// EC2 refuses all rules where it has one of them: then each goes alone.
    async fn authorize(&self, of: Of<'_>, rules: Vec<IpPermission>) -> Result<(), Error> {
        match self.authorize_at_once(of, rules.clone()).await {
            Err(error) if error.code == DUPLICATE_RULE => {}
            result => return result,
        }
        for rule in rules {
            match self.authorize_at_once(of, vec![rule]).await {
                Err(error) if error.code != DUPLICATE_RULE => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    async fn authorize_at_once(&self, (written, id, subject): Of<'_>, rules: Vec<IpPermission>) -> Result<(), Error> {
        let call = self.client.authorize_security_group_ingress().group_id(id).set_ip_permissions(Some(rules));
        let sent = self.write(written, call.send()).await;
        sent.map(|_| ()).map_err(|error| not_written(action::AUTHORIZE, subject, &error))
    }

    async fn revoke(&self, (written, id, subject): Of<'_>, rules: Vec<IpPermission>) -> Result<(), Error> {
        let call = self.client.revoke_security_group_ingress().group_id(id).set_ip_permissions(Some(rules.clone()));
        let sent = self.write(written, call.send()).await.map_err(|error| not_written(action::REVOKE, subject, &error));
        match sent {
            // One of them is gone by now, and the next pass reads which.
            Err(error) if error.code == NO_RULE && rules.len() > 1 => Err(Error { class: Class::Transient, ..error }),
            Err(error) if error.code == NO_RULE => Ok(()),
            sent => sent.map(|_| ()),
        }
    }

    /// Something may hold the group for a long time, such as a network interface of an endpoint that is on its way out:
    /// the group waits, and says for what.
    pub(super) async fn delete_group(&self, scope: &Scope, step: &Step) -> Result<Applied, Error> {
        let id = id_of(step)?;
        let subject = format!("security group {id}");
        let made = (scope.owner.clone(), step.key.clone());
        let vpc_id = match self.group_now(scope, id).await? {
            None if self.made.get(&made).is_some() => {
                return Ok(Applied::Progressing("it was made a moment ago, and EC2 does not list it yet".into()));
            }
            None => return Ok(Applied::Gone),
            Some((found, owner)) => {
                check_owner(action::DELETE, &subject, &owner)?;
                found.vpc_id.unwrap_or_default()
            }
        };
        let call = self.client.delete_security_group().group_id(id);
        let written = Written::Group(&vpc_id);
        let sent = self.write(written, call.send()).await.map_err(|error| refused(action::DELETE, &subject, &error));
        match sent {
            Err(error) if error.code == DEPENDENCY => Ok(Applied::Progressing(self.holders(id).await)),
            Err(error) if error.class != Class::NotFound => Err(error),
            Ok(_) | Err(_) => {
                self.made.drop_key(&made);
                Ok(Applied::Gone)
            }
        }
    }

    /// Words about what holds a group.
    async fn holders(&self, id: &str) -> String {
        let call = self.client.describe_network_interfaces().filters(filter("group-id", [id]));
        let held = match call.send().await {
            Ok(found) => {
                let found = found.network_interfaces.unwrap_or_default();
                found.into_iter().filter_map(|interface| interface.network_interface_id).collect::<Vec<_>>()
            }
            Err(error) => {
                let error = refused(action::DESCRIBE_INTERFACES, id, &error);
                return format!("waits until its network interfaces are gone, and they cannot be read: {error}");
            }
        };
        if !held.is_empty() {
            return format!("waits until its network interfaces are gone: {}", listed(&held));
        }
        let referring = groups::<Found>(&self.client, id, vec![filter("ip-permission.group-id", [id])]).await;
        let referring: Vec<String> = referring
            .unwrap_or_default()
            .into_iter()
            .filter_map(|group| group.group_id)
            .filter(|it| it != id)
            .collect();
        if referring.is_empty() {
            return "waits until nothing uses it any more".into();
        }
        format!("waits until no rule of another security group refers to it: {}", listed(&referring))
    }

    /// The group as it is now, if it is the platform's own.
    async fn own_group(&self, scope: &Scope, action: &str, id: &str, subject: &str) -> Result<Found, Error> {
        match self.group_now(scope, id).await? {
            Some((found, owner)) => check_owner(action, subject, &owner).map(|()| found),
            None => Err(gone(action, subject)),
        }
    }
}

/// Checks that something is the platform's own right before it is written.
pub(super) fn check_owner(action: &str, subject: &str, owner: &Owner) -> Result<(), Error> {
    match owner {
        Owner::Ours => Ok(()),
        Owner::Theirs(holder) => Err(Error::owner_changed(action, subject, Some(holder))),
        Owner::Nobody => Err(Error::owner_changed(action, subject, None)),
    }
}

/// The error about something that was there when its step was planned.
pub(super) fn gone(action: &str, subject: &str) -> Error {
    Error {
        class: Class::Transient,
        action: action.into(),
        subject: subject.into(),
        code: "Gone".into(),
        message: "it was there a moment ago, and is not any more".into(),
        request_id: None,
    }
}

fn listed(ids: &[String]) -> String {
    let named = ids.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if ids.len() > NAMED { format!("{named} and {} more", ids.len() - NAMED) } else { named }
}
