//! How what belongs to a consumer is found: as an older pass left it, as somebody changed it, or not at all.

use std::collections::BTreeMap;

use aiplatform::api::Ownership;
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
use super::{Wanted, account_key, leftover, role_arn};
use crate::support::memory::{FakeCloud, StoredAccount, StoredAssociation, StoredRole};

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
        let anything = || Policy::new(json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}));
        match self {
            Self::Trust => role.trust = Policy::new(json!({"Statement": {"Effect": "Allow", "Principal": "*"}})),
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

pub const OLD_TAG: &str = "from-an-older-spec";

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
    /// Whether others left something on each of them: a tag, an attached policy, an annotation.
    pub foreign: bool,
}

impl Found {
    fn role(&self, desired: &Role) -> Option<StoredRole> {
        let mut stored = match &self.role {
            Start::Absent => return None,
            Start::Ours(drifts) => {
                let mut role = desired.clone();
                for drift in drifts {
                    drift.befall(&mut role);
                }
                StoredRole::of(&role)
            }
            Start::Theirs => StoredRole { tags: owned_by(THEIRS), ..StoredRole::of(desired) },
            Start::Nobodys => StoredRole { tags: Tags::new(), ..StoredRole::of(desired) },
        };
        if self.foreign {
            stored.tags.insert("added-by".into(), "finance".into());
            stored.attached.insert("arn:aws:iam::aws:policy/ReadOnlyAccess".into());
        }
        Some(stored)
    }

    fn association(&self, desired: &PodIdentityAssociation, id: &str) -> Option<StoredAssociation> {
        let mut stored = StoredAssociation { id: id.into(), ..StoredAssociation::of(desired) };
        match &self.association {
            Start::Absent => return None,
            Start::Ours(drifts) => {
                for drift in drifts {
                    match drift {
                        AssociationDrift::OlderRole => stored.role_arn = leftover(0).role.arn,
                        AssociationDrift::TargetRole => stored.target_role_arn = Some(role_arn("admin")),
                        AssociationDrift::Untagged => {
                            stored.disable_session_tags = true;
                            stored.policy = Some("{}".into());
                        }
                        AssociationDrift::Team => another_team(&mut stored.tags),
                        AssociationDrift::OlderTags => older_tags(&mut stored.tags),
                    }
                }
            }
            Start::Theirs => stored.tags = owned_by(THEIRS),
            Start::Nobodys => stored.tags.clear(),
        }
        if self.foreign {
            stored.tags.insert("added-by".into(), "finance".into());
        }
        Some(stored)
    }

    fn account(&self, desired: &ServiceAccount) -> Option<StoredAccount> {
        let mut stored = StoredAccount::default();
        let by_hand = role_arn("made-by-hand");
        match self.account {
            AccountStart::Absent => return None,
            AccountStart::Made(drift) | AccountStart::Bound(drift) => {
                stored.bind(desired, matches!(self.account, AccountStart::Made(_)));
                // Pod Identity needs no annotation, so that none drifts.
                if desired.role_arn.is_some() {
                    let annotation = ROLE_ANNOTATION.to_string();
                    match drift {
                        AccountDrift::None => {}
                        AccountDrift::Gone => {
                            stored.annotations.remove(&annotation);
                            stored.ours.remove(&annotation);
                        }
                        AccountDrift::OlderRole => {
                            stored.annotations.insert(annotation, leftover(0).role.arn);
                        }
                        AccountDrift::ByHand => {
                            stored.ours.remove(&annotation);
                            stored.annotations.insert(annotation, by_hand);
                        }
                    }
                }
            }
            AccountStart::Nobodys => {}
            AccountStart::BoundByOthers => {
                stored.annotations.insert(ROLE_ANNOTATION.into(), by_hand);
            }
            AccountStart::Theirs => {
                stored.annotations.insert(tags::OWNER.into(), THEIRS.into());
            }
        }
        if self.foreign {
            stored.annotations.insert("example.com/added-by".into(), "finance".into());
        }
        Some(stored)
    }

    pub fn put(&self, cloud: &mut FakeCloud, wanted: &Wanted, id: &str) {
        cloud.roles.extend(self.role(&wanted.role).map(|role| (wanted.role.name.clone(), role)));
        if let Some(desired) = &wanted.association {
            cloud.associations.extend(self.association(desired, id).map(|found| (desired.name.clone(), found)));
        }
        if let Some(desired) = &wanted.account {
            cloud.service_accounts.extend(self.account(desired).map(|found| (account_key(desired), found)));
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
