//! Making a role, changing it and taking it away.

use std::collections::BTreeSet;

use aws_sdk_iam::types::Tag;

use super::{Iam, Target, action};
use crate::failure::{Class, Error};
use crate::failures::{Failures, Parts};
use crate::grants::ROLE_PATH;
use crate::outcome::Applied;
use crate::plan::Step;
use crate::policy::{self, Policy};
use crate::resource::role::{ATTACHED, Role, field};
use crate::tags::{self, Tags};

/// The code by which IAM refuses to delete a role that still has a policy or an instance profile. Source: `DeleteRole`,
/// IAM API reference.
const DELETE_CONFLICT: &str = "DeleteConflict";

impl Iam {
    pub(super) async fn create(&self, target: &Target<'_>, desired: &Role) -> Result<Applied, Failures> {
        self.client
            .create_role()
            .role_name(target.role)
            .path(ROLE_PATH)
            .assume_role_policy_document(policy::text(&desired.trust.as_written()))
            .set_permissions_boundary(desired.permissions_boundary.clone())
            .set_tags(Some(tag_list(target, action::CREATE, &desired.tags)?))
            .send()
            .await
            .map_err(|error| target.failure(action::CREATE, &error))?;
        let mut parts = Parts::of_a_creation();
        for (name, policy) in &desired.policies {
            if parts.is_unanswered() {
                break;
            }
            parts.note(&policy_part(name), self.put_policy(target, name, policy).await);
        }
        parts.end(Applied::Ready)
    }

    /// Writes these fields, each by calls of its own and whatever became of the others. What narrows the role comes
    /// first; a boundary that goes, last.
    pub(super) async fn update(
        &self,
        target: &Target<'_>,
        step: &Step,
        (desired, observed): (&Role, &Role),
        fields: &BTreeSet<&str>,
    ) -> Result<Applied, Failures> {
        let mut parts = Parts::default();
        for name in fields.iter().filter(|name| !field::ALL.contains(name)) {
            parts.note::<()>(name, Err(Error::unknown_field(step, name)));
        }
        let is_opened = desired.permissions_boundary.is_none();
        let order = field::ALL.into_iter().filter(|name| *name != field::BOUNDARY || !is_opened);
        let order = order.chain(is_opened.then_some(field::BOUNDARY)).filter(|name| fields.contains(name));
        for name in order {
            if parts.is_unanswered() {
                break;
            }
            match name {
                field::BOUNDARY => {
                    let written = self.put_boundary(target, desired.permissions_boundary.as_deref()).await;
                    parts.note(name, written);
                }
                field::TRUST => _ = parts.note(name, self.put_trust(target, &desired.trust).await),
                field::POLICIES => self.put_policies(target, step, (desired, observed), &mut parts).await,
                field::TAGS => self.put_tags(target, &desired.tags, &observed.tags, &mut parts).await,
                unknown => _ = parts.note::<()>(unknown, Err(Error::unknown_field(step, unknown))),
            }
        }
        parts.end(Applied::Ready)
    }

    /// Puts what is new before it deletes what is old, so that there is no moment without permission. A policy that
    /// does not fit beside the old ones is tried again when they are gone.
    async fn put_policies(
        &self,
        target: &Target<'_>,
        step: &Step,
        (desired, observed): (&Role, &Role),
        parts: &mut Parts,
    ) {
        let is_unknown = |name: &&String| step.is_unknown(&policy_part(name));
        let mut without_room = Vec::new();
        for (name, policy) in desired.policies.iter().filter(|(name, _)| !is_unknown(name)) {
            if observed.policies.get(name) == Some(policy) {
                continue;
            }
            match self.put_policy(target, name, policy).await {
                Err(error) if error.class == Class::Quota => without_room.push((name, policy, error)),
                written => _ = parts.note(&policy_part(name), written),
            }
        }
        let mut has_room = false;
        let old = observed.policies.keys().filter(|name| !desired.policies.contains_key(*name));
        for name in old.filter(|name| !is_unknown(name)) {
            has_room |= parts.note(&policy_part(name), self.delete_policy(target, name).await).is_some();
        }
        for (name, policy, error) in without_room {
            let written = if has_room { self.put_policy(target, name, policy).await } else { Err(error) };
            parts.note(&policy_part(name), written);
        }
    }

    async fn put_policy(&self, target: &Target<'_>, name: &str, policy: &Policy) -> Result<(), Error> {
        self.client
            .put_role_policy()
            .role_name(target.role)
            .policy_name(name)
            .policy_document(policy::text(&policy.as_written()))
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_POLICY, &error))?;
        Ok(())
    }

    async fn delete_policy(&self, target: &Target<'_>, name: &str) -> Result<(), Error> {
        let call = self.client.delete_role_policy().role_name(target.role).policy_name(name);
        unless_gone(call.send().await.map_err(|error| target.failure(action::DELETE_POLICY, &error)))
    }

    async fn put_boundary(&self, target: &Target<'_>, desired: Option<&str>) -> Result<(), Error> {
        if let Some(boundary) = desired {
            let call =
                self.client.put_role_permissions_boundary().role_name(target.role).permissions_boundary(boundary);
            call.send().await.map_err(|error| target.failure(action::PUT_BOUNDARY, &error))?;
        } else {
            let call = self.client.delete_role_permissions_boundary().role_name(target.role);
            call.send().await.map_err(|error| target.failure(action::DELETE_BOUNDARY, &error))?;
        }
        Ok(())
    }

    async fn put_trust(&self, target: &Target<'_>, desired: &Policy) -> Result<(), Error> {
        self.client
            .update_assume_role_policy()
            .role_name(target.role)
            .policy_document(policy::text(&desired.as_written()))
            .send()
            .await
            .map_err(|error| target.failure(action::UPDATE_TRUST, &error))?;
        Ok(())
    }

    /// Stale tags go first. Where they do not, the tag that says which keys are ours stays as it is, and with it the
    /// memory of what has to go.
    async fn put_tags(&self, target: &Target<'_>, desired: &Tags, observed: &Tags, parts: &mut Parts) {
        let stale = tags::stale(desired, observed);
        let mut changed = tags::changed(desired, observed);
        if !stale.is_empty() {
            let call = self.client.untag_role().role_name(target.role).set_tag_keys(Some(stale));
            let untagged = call.send().await.map_err(|error| target.failure(action::UNTAG, &error));
            if parts.note(field::TAGS, untagged).is_none() {
                changed.remove(tags::TAG_KEYS);
            }
        }
        if !changed.is_empty() {
            parts.note(field::TAGS, self.tag(target, &changed).await);
        }
    }

    async fn tag(&self, target: &Target<'_>, tags: &Tags) -> Result<(), Error> {
        let list = tag_list(target, action::TAG, tags)?;
        let call = self.client.tag_role().role_name(target.role).set_tags(Some(list));
        call.send().await.map_err(|error| target.failure(action::TAG, &error))?;
        Ok(())
    }

    /// IAM deletes a role only when it has no policies, not even those that others attached. Those that were seen go
    /// first, and only where IAM refuses all the same, it is asked which there are.
    pub(super) async fn delete(&self, target: &Target<'_>, observed: Option<&Role>) -> Result<Applied, Failures> {
        let seen = observed.map(|role| &role.policies).filter(|policies| !policies.is_empty());
        let Some(policies) = seen else { return self.delete_with_all_policies(target).await };
        let mut parts = Parts::default();
        for name in policies.keys() {
            parts.note(&policy_part(name), self.delete_policy(target, name).await);
        }
        if !parts.is_complete() {
            return self.delete_with_all_policies(target).await;
        }
        match self.delete_role(target).await {
            Err(error) if error.code == DELETE_CONFLICT => self.delete_with_all_policies(target).await,
            deleted => Ok(deleted.map(|()| Applied::Gone)?),
        }
    }

    /// Whatever of the policies can go goes, although the role then has to wait.
    async fn delete_with_all_policies(&self, target: &Target<'_>) -> Result<Applied, Failures> {
        let mut parts = Parts::default();
        let attached = parts.note(ATTACHED, none_when_gone(self.attached(target).await)).unwrap_or_default();
        for policy in attached {
            let call = self.client.detach_role_policy().role_name(target.role).policy_arn(policy);
            let detached = call.send().await.map_err(|error| target.failure(action::DETACH, &error));
            parts.note(ATTACHED, unless_gone(detached));
        }
        let names = none_when_gone(self.policy_names(target).await);
        for name in parts.note(field::POLICIES, names).unwrap_or_default() {
            parts.note(&policy_part(&name), self.delete_policy(target, &name).await);
        }
        if !parts.is_complete() {
            return parts.end(Applied::Gone);
        }
        self.delete_role(target).await?;
        Ok(Applied::Gone)
    }

    async fn delete_role(&self, target: &Target<'_>) -> Result<(), Error> {
        let call = self.client.delete_role().role_name(target.role);
        unless_gone(call.send().await.map_err(|error| target.failure(action::DELETE, &error)))
    }
}

/// An inline policy as it stands in diffs.
pub(super) fn policy_part(name: &str) -> String {
    format!("{}.{name}", field::POLICIES)
}

/// Already gone is as good as taken away.
fn unless_gone<T>(answer: Result<T, Error>) -> Result<(), Error> {
    match answer {
        Err(error) if error.class != Class::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn none_when_gone<T>(answer: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match answer {
        Err(error) if error.class == Class::NotFound => Ok(Vec::new()),
        other => other,
    }
}

fn tag_list(target: &Target, action: &str, tags: &Tags) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(|error| target.unexpected(action, error))
}
