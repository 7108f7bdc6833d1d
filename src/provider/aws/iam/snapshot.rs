//! The roles of an account as one list describes them all: what otherwise takes four calls and more for each.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{EntityType, PolicyDetail, RoleDetail};

use super::read::{LiveRole, decoded};
use super::{action, classified};
use crate::failure::Error;
use crate::grants::ROLE_PATH;
use crate::policy::Policy;
use crate::provider::aws::failure;
use crate::provider::aws::snapshots::{Listing, MOST_PAGES};
use crate::tags::Tags;

/// Roles of a page. A page of the most that IAM gives, a thousand, may take several megabytes:
/// `GetAccountAuthorizationDetails`, IAM API reference.
const PAGE: i32 = 500;

/// A role of the operator's path, as it was listed: its documents are kept as text, which takes a fraction of the memory
/// of what is read from it.
#[derive(Debug)]
pub(super) struct ListedRole {
    arn: String,
    tags: Tags,
    trust: String,
    boundary: Option<String>,
    policies: Vec<(String, String)>,
    attached: Vec<String>,
}

/// All roles of the operator's path, by name.
pub(super) async fn list(client: Client, account: String) -> Result<Listing<ListedRole>, Error> {
    let mut roles = Listing { entries: BTreeMap::new(), is_complete: false };
    let call = client.get_account_authorization_details().filter(EntityType::Role);
    let mut pages = call.into_paginator().page_size(PAGE).send();
    for _ in 0..MOST_PAGES {
        let Some(page) = pages.next().await else {
            roles.is_complete = true;
            break;
        };
        let about = |code: &str, message: &str| classified(action::LIST_DETAILS, code, message);
        let page = page.map_err(|error| {
            failure::classify_by_message(action::LIST_DETAILS, &format!("account {account}"), &error, about)
        })?;
        let ours = page.role_detail_list.unwrap_or_default().into_iter().filter(|it| it.path() == Some(ROLE_PATH));
        roles.entries.extend(ours.filter_map(|detail| Some((detail.role_name.clone()?, ListedRole::of(detail)?))));
    }
    Ok(roles)
}

impl ListedRole {
    /// The role, unless something is missing that every role has.
    fn of(detail: RoleDetail) -> Option<Self> {
        let policy = |it: PolicyDetail| Some((it.policy_name?, decoded(&it.policy_document?).into_owned()));
        let policies = detail.role_policy_list.unwrap_or_default().into_iter().map(policy);
        Some(Self {
            arn: detail.arn?,
            tags: detail.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
            trust: decoded(&detail.assume_role_policy_document?).into_owned(),
            boundary: detail.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn),
            policies: policies.collect::<Option<_>>()?,
            attached: detail
                .attached_managed_policies
                .unwrap_or_default()
                .into_iter()
                .map(|policy| policy.policy_arn)
                .collect::<Option<_>>()?,
        })
    }

    /// The role of this ARN with all its parts, unless the list has another one or a document that cannot be read.
    pub(super) fn live(&self, name: &str, arn: &str) -> Option<LiveRole> {
        let document = |text: &str| serde_json::from_str(text).map(|document| Policy::new(&document)).ok();
        let policies = self.policies.iter().map(|(name, text)| Some((name.clone(), document(text)?)));
        Some(LiveRole {
            name: name.into(),
            arn: self.arn.clone(),
            path: ROLE_PATH.into(),
            tags: self.tags.clone(),
            trust: document(&self.trust)?,
            boundary: self.boundary.clone(),
            policies: policies.collect::<Option<_>>()?,
            attached: self.attached.clone(),
            unknown: BTreeMap::new(),
        })
        .filter(|live| live.arn == arn)
    }
}
