//! How what belongs to a consumer is found: as an older pass left it, as somebody changed it, or not at all.

use std::collections::BTreeMap;

use aiplatform::api::Ownership;
use aiplatform::exposure;
use aiplatform::policy::Policy;
use aiplatform::resource::pod_identity_association::PodIdentityAssociation;
use aiplatform::resource::role::Role;
use aiplatform::resource::service_account::{ROLE_ANNOTATION, ServiceAccount};
use aiplatform::tags::{self, Tags};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::super::scenario::{OURS, Start, THEIRS};
use super::{Wanted, leftover, role_arn, unbound};
use crate::support::memory::FakeCloud;

/// What somebody did to a role of ours, or an older spec left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleDrift {
    Trust,
    Boundary,
    PolicyGone,
    PolicyWidened,
    PolicyAdded,
    Team,
    OlderTags,
}

impl RoleDrift {
    const ALL: [Self; 7] = [
        Self::Trust,
        Self::Boundary,
        Self::PolicyGone,
        Self::PolicyWidened,
        Self::PolicyAdded,
        Self::Team,
        Self::OlderTags,
    ];

    fn befall(self, role: &mut Role) {
        let anything = || Policy::new(&json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}));
        match self {
            Self::Trust => role.trust = Policy::new(&json!({"Statement": {"Effect": "Allow", "Principal": "*"}})),
            Self::Boundary => {
                role.permissions_boundary = match &role.permissions_boundary {
                    Some(_) => None,
                    None => Some("arn:aws:iam::aws:policy/PowerUserAccess".into()),
                };
            }
            Self::PolicyGone => {
                role.policies.pop_first();
            }
            Self::PolicyWidened => {
                role.policies.insert("access".into(), anything());
            }
            Self::PolicyAdded => {
                role.policies.insert("by-hand".into(), anything());
            }
            Self::Team => another_team(&mut role.tags),
            Self::OlderTags => older_tags(&mut role.tags),
        }
    }
}

fn another_team(tags: &mut Tags) {
    tags.insert(format!("{}team", tags::PREFIX), "another".into());
}

fn older_tags(tags: &mut Tags) {
    let old = BTreeMap::from([(OLD_TAG.to_string(), "1".to_string())]);
    tags.extend(tags::desired(OURS, &Ownership::default(), &old));
}

const OLD_TAG: &str = "from-an-older-spec";

/// What somebody did to an association of ours, or an older spec left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssociationDrift {
    /// It binds to the role of a consumer that is no more.
    OlderRole,
    /// It leads on to another role.
    TargetRole,
    /// It says nothing of the pod, and narrows what it may do.
    Untagged,
    Team,
    OlderTags,
}

/// How a service account is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStart {
    Absent,
    /// Made by us.
    Made(AccountDrift),
    /// Bound by us, and there before.
    Bound(AccountDrift),
    Nobodys,
    /// Bound to a role by somebody who left no name.
    BoundByOthers,
    Theirs,
}

/// What became of the annotation that binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountDrift {
    None,
    Gone,
    /// It names the role of a consumer that is no more.
    OlderRole,
    ByHand,
}

/// What belongs to one consumer, and how it is found.
#[derive(Clone, Debug)]
pub struct Found {
    pub role: Start<RoleDrift>,
    pub association: Start<AssociationDrift>,
    pub account: AccountStart,
    /// Whether others left something on each of them: an attached policy, an annotation.
    pub foreign: bool,
}

impl Found {
    fn role(&self, desired: &Role) -> Option<Role> {
        let mut role = desired.clone();
        match &self.role {
            Start::Absent => return None,
            Start::Ours(drifts) => drifts.iter().for_each(|drift| drift.befall(&mut role)),
            Start::Theirs => role.tags = owned_by(THEIRS),
            Start::Nobodys => role.tags = Tags::new(),
        }
        Some(role)
    }

    fn association(&self, desired: &PodIdentityAssociation) -> Option<PodIdentityAssociation> {
        let mut association = desired.clone();
        match &self.association {
            Start::Absent => return None,
            Start::Ours(drifts) => {
                for drift in drifts {
                    match drift {
                        AssociationDrift::OlderRole => association.role_arn = leftover(0).role.arn,
                        AssociationDrift::TargetRole => association.target_role_arn = Some(role_arn("admin")),
                        AssociationDrift::Untagged => {
                            association.disable_session_tags = true;
                            association.policy = Some("{}".into());
                        }
                        AssociationDrift::Team => another_team(&mut association.tags),
                        AssociationDrift::OlderTags => older_tags(&mut association.tags),
                    }
                }
            }
            Start::Theirs => association.tags = owned_by(THEIRS),
            Start::Nobodys => association.tags.clear(),
        }
        Some(association)
    }

    fn put_account(&self, cloud: &mut FakeCloud, desired: &ServiceAccount) {
        let bare = unbound(&desired.namespace, &desired.name);
        let by_hand = || (ROLE_ANNOTATION.to_string(), role_arn("made-by-hand"));
        let stored = match self.account {
            AccountStart::Absent => return,
            AccountStart::Made(drift) | AccountStart::Bound(drift) => {
                let mut account = desired.clone();
                // Pod Identity needs no annotation, so that none drifts.
                let drift = if desired.role_arn.is_some() { drift } else { AccountDrift::None };
                match drift {
                    AccountDrift::None => {}
                    AccountDrift::Gone | AccountDrift::ByHand => account.role_arn = None,
                    AccountDrift::OlderRole => account.role_arn = Some(leftover(0).role.arn),
                }
                let stored = cloud.put_as(OURS, account);
                stored.set_created(matches!(self.account, AccountStart::Made(_)));
                stored.annotations.extend((drift == AccountDrift::ByHand).then(by_hand));
                stored
            }
            AccountStart::Nobodys => cloud.put(bare),
            AccountStart::BoundByOthers => {
                let stored = cloud.put(bare);
                stored.annotations.extend([by_hand()]);
                stored
            }
            AccountStart::Theirs => cloud.put_as(THEIRS, bare),
        };
        if self.foreign {
            stored.annotations.insert("example.com/added-by".into(), "finance".into());
        }
    }

    pub fn put(&self, cloud: &mut FakeCloud, wanted: &Wanted) {
        if let Some(role) = self.role(&wanted.role) {
            let attached = exposure::attached(&role.name, "arn:aws:iam::aws:policy/ReadOnlyAccess");
            cloud.put(role).exposures.extend(self.foreign.then_some(attached));
        }
        if let Some(association) = wanted.association.as_ref().and_then(|desired| self.association(desired)) {
            cloud.put(association);
        }
        if let Some(desired) = &wanted.account {
            self.put_account(cloud, desired);
        }
    }
}

fn owned_by(owner: &str) -> Tags {
    Tags::from([(tags::OWNER.to_string(), owner.to_string())])
}

pub fn found() -> impl Strategy<Value = Found> {
    let role = prop_oneof![
        2 => Just(Start::Absent),
        5 => btree_set(select(&RoleDrift::ALL[..]), 0..4).prop_map(Start::Ours),
        1 => Just(Start::Theirs),
        1 => Just(Start::Nobodys),
    ];
    let drifts = vec![
        AssociationDrift::OlderRole,
        AssociationDrift::TargetRole,
        AssociationDrift::Untagged,
        AssociationDrift::Team,
        AssociationDrift::OlderTags,
    ];
    let association = prop_oneof![
        2 => Just(Start::Absent),
        5 => btree_set(select(drifts), 0..3).prop_map(Start::Ours),
        1 => Just(Start::Theirs),
        1 => Just(Start::Nobodys),
    ];
    let drifts = select(vec![AccountDrift::None, AccountDrift::Gone, AccountDrift::OlderRole, AccountDrift::ByHand]);
    let account = prop_oneof![
        2 => Just(AccountStart::Absent),
        3 => drifts.clone().prop_map(AccountStart::Made),
        3 => drifts.prop_map(AccountStart::Bound),
        1 => Just(AccountStart::Nobodys),
        1 => Just(AccountStart::BoundByOthers),
        1 => Just(AccountStart::Theirs),
    ];
    (role, association, account, any::<bool>()).prop_map(|(role, association, account, foreign)| Found {
        role,
        association,
        account,
        foreign,
    })
}
