//! VPC endpoints are changed: what closes something comes first, and nothing leaves an endpoint without access meanwhile.

use std::collections::BTreeSet;

use aws_sdk_ec2::operation::modify_vpc_endpoint::builders::ModifyVpcEndpointFluentBuilder;
use aws_sdk_ec2::types::VpcEndpoint as Found;

use super::endpoint::ids;
use super::group::{check_owner, gone};
use super::listing::{State, endpoint_tags};
use super::refusal::{DUPLICATE_ZONE, not_written};
use super::{Ec2, Written, id_of};
use crate::diff::Change;
use crate::failure::{Class, Error};
use crate::failures::{Failures, Parts};
use crate::features::network::VpcEndpoint;
use crate::features::network::vpc_endpoint::{action, field};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::scope::Scope;
use crate::tags;

const FIELDS: [&str; 6] =
    [field::TAGS, field::SUBNETS, field::ROUTE_TABLES, field::GROUPS, field::PRIVATE_DNS, field::POLICY];

/// An endpoint that is being changed.
struct Changed<'a> {
    ec2: &'a Ec2,
    id: &'a str,
    subject: &'a str,
    desired: &'a VpcEndpoint,
    found: &'a Found,
}

/// The result of a modification.
enum Modified {
    /// It is as desired.
    Done,
    /// EC2 makes the change, and takes no other one before it has.
    Begun,
}

impl Ec2 {
    /// Only one modification of subnets or of private DNS can be under way, and nothing else while it is. They come last,
    /// one of them in a pass.
    pub(super) async fn update_endpoint(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &VpcEndpoint,
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        let id = id_of(step)?;
        let subject = format!("VPC endpoint {id}");
        let found = match self.endpoint_now(scope, id).await? {
            Some((found, owner)) if State::of(&found) != State::Deleted => {
                check_owner(action::MODIFY, &subject, &owner)?;
                found
            }
            Some(_) | None => return Err(gone(action::MODIFY, &subject).into()),
        };
        let endpoint = Changed { ec2: self, id, subject: &subject, desired, found: &found };
        let differs = |name: &str| changes.iter().any(|change| change.field() == name);
        let mut parts = Parts::default();
        parts.own();
        for change in changes.iter().filter(|change| !FIELDS.contains(&change.field())) {
            parts.note::<()>(change.field(), Err(Error::unknown_field(step, change.field())));
        }
        if differs(field::POLICY) {
            parts.note(field::POLICY, endpoint.put_policy(step).await);
        }
        if differs(field::GROUPS) && !parts.is_unanswered() {
            parts.note(field::GROUPS, endpoint.put_groups().await);
        }
        if differs(field::ROUTE_TABLES) && !parts.is_unanswered() {
            parts.note(field::ROUTE_TABLES, endpoint.put_route_tables().await);
        }
        if differs(field::TAGS) && !parts.is_unanswered() {
            parts.note(field::TAGS, endpoint.put_tags().await);
        }
        let mut lasting = [field::SUBNETS, field::PRIVATE_DNS];
        if !desired.private_dns {
            lasting.reverse();
        }
        for name in lasting.into_iter().filter(|name| differs(name)) {
            if parts.is_unanswered() {
                break;
            }
            let result =
                if name == field::SUBNETS { endpoint.put_subnets().await } else { endpoint.put_private_dns().await };
            if let Some(Modified::Begun) = parts.note(name, result) {
                return parts.end(Applied::Progressing(format!("changes its {name}")));
            }
        }
        parts.end(Applied::Ready)
    }
}

impl Changed<'_> {
    fn call(&self) -> ModifyVpcEndpointFluentBuilder {
        self.ec2.client.modify_vpc_endpoint().vpc_endpoint_id(self.id)
    }

    fn written(&self) -> Written<'_> {
        Written::Endpoint(self.found.vpc_id().unwrap_or_default())
    }

    async fn send(&self, call: ModifyVpcEndpointFluentBuilder) -> Result<(), Error> {
        let sent = self.ec2.write(self.written(), call.send()).await;
        sent.map(|_| ()).map_err(|error| not_written(action::MODIFY, self.subject, &error))
    }

    async fn put_policy(&self, step: &Step) -> Result<(), Error> {
        let document = self.desired.document().ok_or_else(|| Error::unknown_field(step, field::POLICY))?;
        self.send(self.call().policy_document(document.to_string())).await
    }

    /// One group stays at any time: EC2 demands it.
    async fn put_groups(&self) -> Result<(), Error> {
        let held = self.found.groups().iter().filter_map(|group| group.group_id.clone()).collect();
        let wanted = ids(action::MODIFY, self.subject, &self.desired.security_group_ids)?.into_iter().collect();
        let (added, removed) = difference(&wanted, &held);
        if !added.is_empty() {
            self.send(self.call().set_add_security_group_ids(Some(added))).await?;
        }
        if !removed.is_empty() {
            self.send(self.call().set_remove_security_group_ids(Some(removed))).await?;
        }
        Ok(())
    }

    async fn put_route_tables(&self) -> Result<(), Error> {
        let held = self.found.route_table_ids().iter().cloned().collect();
        let (added, removed) = difference(&self.desired.route_table_ids, &held);
        if !removed.is_empty() {
            self.send(self.call().set_remove_route_table_ids(Some(removed))).await?;
        }
        if !added.is_empty() {
            self.send(self.call().set_add_route_table_ids(Some(added))).await?;
        }
        Ok(())
    }

    async fn put_tags(&self) -> Result<(), Error> {
        let observed = tags::managed(&endpoint_tags(self.found));
        let (of, actions) = ((self.written(), self.id, self.subject), (action::TAG, action::UNTAG));
        self.ec2.put_tags(actions, of, &self.desired.tags, &observed).await
    }

    /// There is one subnet of each zone: the old one of a zone goes before the new one comes, and where none stays, one of
    /// another zone comes first.
    async fn put_subnets(&self) -> Result<Modified, Error> {
        let held: BTreeSet<String> = self.found.subnet_ids().iter().cloned().collect();
        let (added, removed) = difference(&self.desired.subnet_ids, &held);
        let stays = held.len() > removed.len();
        let call = match (stays, removed.is_empty(), added.is_empty()) {
            (_, true, true) => return Ok(Modified::Done),
            (_, true, false) => self.call().set_add_subnet_ids(Some(added)),
            (true, false, _) | (false, false, true) => self.call().set_remove_subnet_ids(Some(removed)),
            (false, false, false) => return self.replace_all_subnets(added, removed).await,
        };
        self.send(call).await.map(|()| Modified::Begun)
    }

    async fn replace_all_subnets(&self, added: Vec<String>, mut removed: Vec<String>) -> Result<Modified, Error> {
        for subnet in added {
            match self.send(self.call().add_subnet_ids(subnet)).await {
                Err(error) if error.code == DUPLICATE_ZONE => {}
                result => return result.map(|()| Modified::Begun),
            }
        }
        // All zones are taken: where there are several, one stays.
        if removed.len() > 1 {
            removed.pop();
        }
        self.send(self.call().set_remove_subnet_ids(Some(removed))).await.map(|()| Modified::Begun)
    }

    async fn put_private_dns(&self) -> Result<Modified, Error> {
        if self.found.private_dns_enabled == Some(self.desired.private_dns) {
            return Ok(Modified::Done);
        }
        let sent = self.send(self.call().private_dns_enabled(self.desired.private_dns)).await;
        sent.map(|()| Modified::Begun).map_err(|error| {
            // The plan knows of no other endpoint that has the name: one that is gone by now had it.
            if super::refusal::is_name_taken(&error) { Error { class: Class::Transient, ..error } } else { error }
        })
    }
}

/// The ids that are wanted and not held, and those that are held and not wanted.
fn difference(wanted: &BTreeSet<String>, held: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    (wanted.difference(held).cloned().collect(), held.difference(wanted).cloned().collect())
}
