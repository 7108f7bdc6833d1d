//! VPC endpoints are made and deleted.

use std::sync::Arc;
use std::time::Instant;

use aws_sdk_ec2::types::{ResourceType, VpcEndpoint as Found, VpcEndpointType};

use super::entries::EndpointEntry;
use super::group::check_owner;
use super::listing::{State, state_text};
use super::refusal::{OTHER_PARAMETERS, is_name_taken, not_written, of_item, refused};
use super::token::{ClientToken, is_gone};
use super::{Ec2, Written, id_of, tagged};
use crate::failure::{Class, Error};
use crate::features::network::VpcEndpoint;
use crate::features::network::vpc_endpoint::{EndpointType, action};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::Owner;
use crate::resource::reference::Reference;
use crate::scope::Scope;

/// Endpoints in a row that are gone and whose tokens EC2 remembers, before the rest is left to the next pass.
const TOKENS: usize = 8;

impl Ec2 {
    /// Makes an endpoint, unless the platform has one that the observation could not show yet. It is told to AWS with a
    /// token by which the same call makes one endpoint only, whoever sends it.
    pub(super) async fn create_endpoint(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &VpcEndpoint,
    ) -> Result<Applied, Error> {
        let subject = format!("VPC endpoint {}", desired.name);
        let groups = ids(action::CREATE, &subject, &desired.security_group_ids)?;
        if desired.endpoint_type == EndpointType::Interface && groups.is_empty() {
            // EC2 would take the default group of the VPC.
            return Err(Error::bug(action::CREATE, &subject, "it has no security group"));
        }
        if let Some(found) = self.own_already(scope, desired).await? {
            let waits_for = format!("{}: found, and not compared yet", found.state_text);
            return Ok(Applied::Created { id: found.id.clone(), waits_for: Some(waits_for) });
        }
        let found = self.create_with_tokens(scope, desired, groups, &subject).await?;
        let id = found.vpc_endpoint_id.clone().unwrap_or_default();
        self.made.put((scope.owner.clone(), step.key.clone()), (id.clone(), desired.clone().into()));
        let waits_for = (State::of(&found) != State::Available).then(|| state_text(&found));
        Ok(Applied::Created { id, waits_for })
    }

    /// A token answers for the endpoint that it made as long as EC2 remembers it, even when that is gone. The token after
    /// it follows from the endpoint that is gone: whoever comes along here finds the same one.
    async fn create_with_tokens(
        &self,
        scope: &Scope,
        desired: &VpcEndpoint,
        groups: Vec<String>,
        subject: &str,
    ) -> Result<Found, Error> {
        let mut token = ClientToken::first(scope, desired);
        for _ in 0..TOKENS {
            match self.create_with_token(desired, groups.clone(), &token, subject).await {
                Ok(found) if matches!(State::of(&found), State::Deleting | State::Deleted) => {
                    token = token.after(found.vpc_endpoint_id.as_deref().unwrap_or_default());
                }
                // One was made with other parameters. Either it is found soon, or it is gone.
                Err(error) if error.code == OTHER_PARAMETERS => {
                    let now = Instant::now();
                    let first = self.refused_tokens.get(&token).unwrap_or_else(|| {
                        self.refused_tokens.put(token.clone(), now);
                        now
                    });
                    if !is_gone(first, now) {
                        return Err(error);
                    }
                    token = token.after(OTHER_PARAMETERS);
                }
                Err(error) if is_name_taken(&error) && self.was_ours(desired) => {
                    let message = format!("{}: by an endpoint of this platform that is on its way out", error.message);
                    return Err(Error { class: Class::Transient, message, ..error });
                }
                result => return result,
            }
        }
        let message = "EC2 answers with endpoints that are gone";
        Err(super::super::failure::unexpected(action::CREATE, subject, message))
    }

    async fn create_with_token(
        &self,
        desired: &VpcEndpoint,
        groups: Vec<String>,
        token: &ClientToken,
        subject: &str,
    ) -> Result<Found, Error> {
        let call = self
            .client
            .create_vpc_endpoint()
            .client_token(token.text())
            .vpc_id(&desired.vpc_id)
            .service_name(&desired.service_name)
            .set_policy_document(desired.document().map(|document| document.to_string()))
            .tag_specifications(tagged(ResourceType::VpcEndpoint, &desired.tags));
        let call = match desired.endpoint_type {
            EndpointType::Interface => call
                .vpc_endpoint_type(VpcEndpointType::Interface)
                .set_subnet_ids(Some(desired.subnet_ids.iter().cloned().collect()))
                .set_security_group_ids(Some(groups))
                .private_dns_enabled(desired.private_dns),
            EndpointType::Gateway => call
                .vpc_endpoint_type(VpcEndpointType::Gateway)
                .set_route_table_ids(Some(desired.route_table_ids.iter().cloned().collect())),
        };
        let written = Written::Endpoint(&desired.vpc_id);
        let sent =
            self.write(written, call.send()).await.map_err(|error| not_written(action::CREATE, subject, &error))?;
        let nothing = || super::super::failure::unexpected(action::CREATE, subject, "no endpoint in the answer");
        sent.vpc_endpoint.ok_or_else(nothing)
    }

    /// The platform's endpoint for the service, where it is there in spite of the observation. All endpoints that are made
    /// in a VPC at a time share one list: that of one says nothing of another, and its token holds where the list is late.
    async fn own_already(&self, scope: &Scope, desired: &VpcEndpoint) -> Result<Option<Arc<EndpointEntry>>, Error> {
        let all = match self.listed.get(&desired.vpc_id) {
            Some(listed) => listed,
            None => self.endpoints.of_vpc(self, &desired.vpc_id, false).await?,
        };
        self.listed.put_new(desired.vpc_id.clone(), Arc::clone(&all));
        let is_it = |found: &&Arc<EndpointEntry>| {
            found.service_name == desired.service_name
                && found.endpoint_type == Some(desired.endpoint_type)
                && Owner::of(&found.tags, &scope.owner) == Owner::Ours
                && !matches!(found.state, State::Deleting | State::Deleted)
        };
        Ok(all.0.iter().find(is_it).cloned())
    }

    /// True when an endpoint of the platform for this service was on its way out a moment ago.
    fn was_ours(&self, desired: &VpcEndpoint) -> bool {
        self.ended.get(&(desired.vpc_id.clone(), desired.service_name.clone())).is_some()
    }

    pub(super) async fn delete_endpoint(&self, scope: &Scope, step: &Step) -> Result<Applied, Error> {
        let id = id_of(step)?;
        let subject = format!("VPC endpoint {id}");
        let made = (scope.owner.clone(), step.key.clone());
        let found = match self.endpoint_now(scope, id).await? {
            None if self.made.get(&made).is_some() => {
                return Ok(Applied::Progressing("it was made a moment ago, and EC2 does not list it yet".into()));
            }
            None => return Ok(Applied::Gone),
            Some((found, _)) if State::of(&found) == State::Deleted => return Ok(Applied::Gone),
            Some((found, owner)) => {
                check_owner(action::DELETE, &subject, &owner)?;
                found
            }
        };
        if State::of(&found) != State::Deleting {
            let call = self.client.delete_vpc_endpoints().vpc_endpoint_ids(id);
            let written = Written::Endpoint(found.vpc_id().unwrap_or_default());
            let sent =
                self.write(written, call.send()).await.map_err(|error| refused(action::DELETE, &subject, &error));
            let unsuccessful = sent?.unsuccessful.unwrap_or_default();
            if let Some(error) = unsuccessful.first().and_then(|item| item.error.as_ref()) {
                let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
                let error = of_item(action::DELETE, &subject, code, message);
                return if error.class == Class::NotFound { Ok(Applied::Gone) } else { Err(error) };
            }
            if !unsuccessful.is_empty() {
                let message = "it was not deleted, and EC2 does not say why";
                return Err(super::super::failure::unexpected(action::DELETE, &subject, message));
            }
        }
        self.made.drop_key(&made);
        let place = (found.vpc_id.unwrap_or_default(), found.service_name.unwrap_or_default());
        self.ended.put(place, ());
        Ok(Applied::Progressing("state deleting".into()))
    }
}

/// The ids of references, all of which are known by the time a step is taken.
pub(super) fn ids(action: &str, subject: &str, references: &[Reference]) -> Result<Vec<String>, Error> {
    let id = |reference: &Reference| {
        let bug = || Error::bug(action, subject, format_args!("the id of {:?} is not known", reference.key));
        reference.id.clone().ok_or_else(bug)
    };
    references.iter().map(id).collect()
}
