//! The endpoints of a region as their list shows them: whether one has changed since it was described.

use std::collections::BTreeMap;

use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::primitives::DateTime;
use aws_sdk_sagemaker::types::{EndpointSortKey, EndpointSummary};

use super::action;
use super::endpoint::Description;
use super::refusal::refused;
use crate::failure::Error;
use crate::provider::aws::snapshots::MOST_PAGES;

/// Endpoints of a page, the most that SageMaker gives: `ListEndpoints`, SageMaker API reference.
const PAGE: i32 = 100;

/// An endpoint as it was listed.
#[derive(Debug)]
pub(super) struct ListedEndpoint {
    pub(super) arn: String,
    created: Option<DateTime>,
    modified: Option<DateTime>,
    status: String,
}

/// All endpoints, by name.
pub(super) async fn list(client: Client, subject: String) -> Result<BTreeMap<String, ListedEndpoint>, Error> {
    let mut endpoints = BTreeMap::new();
    let mut pages = client.list_endpoints().sort_by(EndpointSortKey::Name).into_paginator().page_size(PAGE).send();
    for _ in 0..MOST_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| refused(action::LIST_ENDPOINTS, &subject, &error))?;
        let listed = page.endpoints.unwrap_or_default().into_iter();
        endpoints.extend(listed.filter_map(|it| Some((it.endpoint_name.clone()?, ListedEndpoint::of(it)?))));
    }
    Ok(endpoints)
}

impl ListedEndpoint {
    fn of(summary: EndpointSummary) -> Option<Self> {
        Some(Self {
            arn: summary.endpoint_arn?,
            created: summary.creation_time,
            modified: summary.last_modified_time,
            status: summary.endpoint_status?.as_str().to_string(),
        })
    }

    /// True when the endpoint is still as it was described, and comes to rest so.
    pub(super) fn is_still(&self, description: &Description) -> bool {
        let listed = (&self.created, &self.modified, &self.status);
        description.is_at_rest() && listed == (&description.created, &description.modified, &description.status)
    }
}
