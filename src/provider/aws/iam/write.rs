//! Making a role, changing it and taking it away. What is new is put before what is old is deleted, so that there is no
//! moment without permission.

use aws_sdk_iam::types::Tag;

use super::{Iam, Target, action};
use crate::grants::ROLE_PATH;
use crate::policy::Policy;
use crate::provider::{Applied, Class, Error};
use crate::resource::role::{Role, field};
use crate::tags::{self, Tags};

impl Iam {
    pub(super) async fn create(&self, target: &Target<'_>, desired: &Role) -> Result<Applied, Error> {
        self.client
            .create_role()
            .role_name(target.role)
            .path(ROLE_PATH)
            .assume_role_policy_document(desired.trust.as_written().to_string())
            .set_permissions_boundary(desired.permissions_boundary.clone())
            .set_tags(Some(tag_list(target, action::CREATE, &desired.tags)?))
            .send()
            .await
            .map_err(|error| target.failure(action::CREATE, &error))?;
        for (name, policy) in &desired.policies {
            self.put_policy(target, name, policy).await?;
        }
        Ok(Applied::Ready)
    }

    pub(super) async fn update(
        &self,
        target: &Target<'_>,
        desired: &Role,
        observed: &Role,
        fields: &[&str],
    ) -> Result<Applied, Error> {
        for name in fields {
            match *name {
                field::BOUNDARY => self.put_boundary(target, desired.permissions_boundary.as_deref()).await?,
                field::TRUST => self.put_trust(target, &desired.trust).await?,
                field::TAGS => self.put_tags(target, &desired.tags, &observed.tags).await?,
                field::POLICIES => self.put_policies(target, desired, observed).await?,
                _ => {}
            }
        }
        Ok(Applied::Ready)
    }

    async fn put_policies(&self, target: &Target<'_>, desired: &Role, observed: &Role) -> Result<(), Error> {
        for (name, policy) in &desired.policies {
            if observed.policies.get(name) != Some(policy) {
                self.put_policy(target, name, policy).await?;
            }
        }
        for name in observed.policies.keys().filter(|name| !desired.policies.contains_key(*name)) {
            self.delete_policy(target, name).await?;
        }
        Ok(())
    }

    async fn put_policy(&self, target: &Target<'_>, name: &str, policy: &Policy) -> Result<(), Error> {
        self.client
            .put_role_policy()
            .role_name(target.role)
            .policy_name(name)
            .policy_document(policy.as_written().to_string())
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
            .policy_document(desired.as_written().to_string())
            .send()
            .await
            .map_err(|error| target.failure(action::UPDATE_TRUST, &error))?;
        Ok(())
    }

    async fn put_tags(&self, target: &Target<'_>, desired: &Tags, observed: &Tags) -> Result<(), Error> {
        let stale = tags::stale(desired, observed);
        if !stale.is_empty() {
            let call = self.client.untag_role().role_name(target.role).set_tag_keys(Some(stale));
            call.send().await.map_err(|error| target.failure(action::UNTAG, &error))?;
        }
        let changed = tags::changed(desired, observed);
        if !changed.is_empty() {
            let list = tag_list(target, action::TAG, &changed)?;
            let call = self.client.tag_role().role_name(target.role).set_tags(Some(list));
            call.send().await.map_err(|error| target.failure(action::TAG, &error))?;
        }
        Ok(())
    }

    /// IAM deletes a role only when it has no policies, not even those that others attached.
    pub(super) async fn delete(&self, target: &Target<'_>) -> Result<Applied, Error> {
        for policy in none_when_gone(self.attached(target).await)? {
            let call = self.client.detach_role_policy().role_name(target.role).policy_arn(policy);
            unless_gone(call.send().await.map_err(|error| target.failure(action::DETACH, &error)))?;
        }
        for name in none_when_gone(self.policy_names(target).await)? {
            self.delete_policy(target, &name).await?;
        }
        let call = self.client.delete_role().role_name(target.role);
        unless_gone(call.send().await.map_err(|error| target.failure(action::DELETE, &error)))?;
        Ok(Applied::Gone)
    }
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
