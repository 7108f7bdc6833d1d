//! Client tokens: a call that is sent again makes nothing again, even by a process that knows nothing of the first.

use std::time::{Duration, Instant};

use crate::features::network::VpcEndpoint;
use crate::names::hex_digest;
use crate::scope::Scope;

/// The characters of a token, which has 64 at most: `CreateVpcEndpoint`, Amazon EC2 API reference.
const LENGTH: usize = 64;

/// The time after which an endpoint that was made with other parameters would have been found, were it still there.
const FOUND: Duration = Duration::from_mins(2);

/// A client token for the creation of an endpoint. It follows from what can never change in one and from nothing else:
/// whatever a pass wants of it besides, it does not want a second one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientToken(String);

impl ClientToken {
    /// The token of the first endpoint.
    pub(super) fn first(scope: &Scope, desired: &VpcEndpoint) -> Self {
        let VpcEndpoint { service_name, endpoint_type, vpc_id, .. } = desired;
        let Scope { uid, owner, .. } = scope;
        Self::of(&format!("{owner} {uid} {vpc_id} {} {service_name}", endpoint_type.name()))
    }

    /// The token of the endpoint after one that is on its way out or gone, for which this token still answers.
    pub(super) fn after(&self, gone: &str) -> Self {
        Self::of(&format!("{} {gone}", self.0))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    fn of(text: &str) -> Self {
        Self(hex_digest(text, LENGTH))
    }
}

/// True when an endpoint that a token answers for, with other parameters, is not there any more: it could have been found
/// since the token was `first` refused.
pub(super) fn is_gone(first: Instant, now: Instant) -> bool {
    now.saturating_duration_since(first) >= FOUND
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::api::network::OnConflict;
    use crate::features::network::vpc_endpoint::EndpointType;

    fn endpoint() -> VpcEndpoint {
        VpcEndpoint {
            name: "sts".into(),
            service_name: "com.amazonaws.eu-west-1.sts".into(),
            endpoint_type: EndpointType::Interface,
            vpc_id: "vpc-1".into(),
            subnet_ids: BTreeSet::new(),
            route_table_ids: BTreeSet::new(),
            security_group_ids: Vec::new(),
            private_dns: true,
            policies: None,
            tags: BTreeMap::new(),
            on_conflict: OnConflict::Fail,
        }
    }

    fn scope(uid: &str) -> Scope {
        Scope {
            region: "eu-west-1".into(),
            account_id: "123456789012".into(),
            owner: "tests/support/assistant".into(),
            uid: uid.into(),
            assume_role: None,
        }
    }

    #[test]
    fn a_token_follows_from_what_cannot_change() {
        let first = ClientToken::first(&scope("1"), &endpoint());
        assert_eq!(first.text().len(), LENGTH);
        let edited = VpcEndpoint { private_dns: false, subnet_ids: ["subnet-1".into()].into(), ..endpoint() };
        assert_eq!(ClientToken::first(&scope("1"), &edited), first);
        let others = [
            VpcEndpoint { vpc_id: "vpc-2".into(), ..endpoint() },
            VpcEndpoint { endpoint_type: EndpointType::Gateway, ..endpoint() },
            VpcEndpoint { service_name: "com.amazonaws.eu-west-1.kms".into(), ..endpoint() },
        ];
        for other in others {
            assert_ne!(ClientToken::first(&scope("1"), &other), first);
        }
        assert_ne!(ClientToken::first(&scope("2"), &endpoint()), first, "the object was made again");
    }

    #[test]
    fn each_endpoint_that_is_gone_leads_to_one_further_token() {
        let first = ClientToken::first(&scope("1"), &endpoint());
        assert_eq!(first.after("vpce-1"), first.after("vpce-1"));
        assert_ne!(first.after("vpce-1"), first.after("vpce-2"));
        assert_ne!(first.after("vpce-1").after("vpce-2"), first.after("vpce-1"));
    }

    #[test]
    fn what_was_made_with_other_parameters_is_given_time_to_be_found() {
        let first = Instant::now();
        assert!(!is_gone(first, first + FOUND / 2));
        assert!(is_gone(first, first + FOUND));
    }
}
