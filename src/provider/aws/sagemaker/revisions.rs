//! Revisions of an endpoint's model and configuration, the superseded ones too, as lists show them.

use std::collections::BTreeSet;

use super::refusal::refused;
use super::{SageMaker, action};
use crate::failure::Error;
use crate::names::is_revision_of;
use crate::resource::{Key, Kind};
use crate::scope::Scope;

/// All revisions of an endpoint, as they were listed.
pub(super) struct Revisions {
    endpoint: String,
    pub(super) keys: BTreeSet<Key>,
    /// The reason for which some may be missing.
    pub(super) unknown: Option<Error>,
}

impl Revisions {
    /// True when this is a revision of the endpoint, and neither list has it.
    pub(super) fn lack(&self, key: &Key) -> bool {
        self.unknown.is_none() && is_revision_of(&key.name, &self.endpoint) && !self.keys.contains(key)
    }
}

impl SageMaker {
    /// All revisions that belong to an endpoint.
    pub(super) async fn revisions(&self, scope: &Scope, endpoint: &str) -> Revisions {
        let part = format!("-{}-", hash_of(endpoint));
        let subject = format!("account {} in region {}", scope.account_id, scope.region);
        let models = self.client.list_models().name_contains(&part).into_paginator().items().send();
        let configs = self.client.list_endpoint_configs().name_contains(&part).into_paginator().items().send();
        let (models, configs) =
            futures::join!(models.collect::<Result<Vec<_>, _>>(), configs.collect::<Result<Vec<_>, _>>());
        let models = models.map_err(|error| refused(action::LIST_MODELS, &subject, &error));
        let configs = configs.map_err(|error| refused(action::LIST_CONFIGS, &subject, &error));
        let unknown = models.as_ref().err().or(configs.as_ref().err()).cloned();
        let key = |kind: Kind| move |name: String| Key { kind, name };
        let models = models.into_iter().flatten().filter_map(|it| it.model_name).map(key(Kind::SageMakerModel));
        let configs = configs.into_iter().flatten().filter_map(|it| it.endpoint_config_name);
        let configs = configs.map(key(Kind::SageMakerEndpointConfig));
        let keys = models.chain(configs).filter(|key| is_revision_of(&key.name, endpoint)).collect();
        Revisions { endpoint: endpoint.into(), keys, unknown }
    }
}

/// The hash at the end of a generated name, which stands for the scope, the platform and the model. It is the same in
/// the names of the endpoint and of all revisions, while the readable part before it may be cut earlier there.
fn hash_of(endpoint: &str) -> &str {
    endpoint.rsplit('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{self, SAGEMAKER_LIMIT};

    const PLACE: [&str; 2] = ["123456789012", "eu-west-1"];

    fn names(platform: &str, model: &str) -> (String, String) {
        let [account, region] = PLACE;
        let endpoint = names::generated(account, region, "support", platform, model, SAGEMAKER_LIMIT);
        let revised = names::revised(account, region, "support", platform, model, SAGEMAKER_LIMIT);
        (endpoint, names::revision(&revised, "content"))
    }

    #[test]
    fn revisions_are_found_by_the_hash_that_they_share_with_the_endpoint() {
        for (platform, model) in [
            ("assistant", "rank"),
            ("a-platform-with-quite-a-long-name", "and-a-model-with-another"),
            ("a-platform-whose-name-is-cut-at-a", "--------------------------x"),
        ] {
            let (endpoint, revision) = names(platform, model);
            assert!(is_revision_of(&revision, &endpoint), "{revision} of {endpoint}");
            assert!(revision.contains(&format!("-{}-", hash_of(&endpoint))), "{revision} of {endpoint}");
        }
    }

    #[test]
    fn lists_lack_only_what_they_would_have() {
        let (endpoint, revision) = names("assistant", "rank");
        let key = |name: &str| Key { kind: Kind::SageMakerModel, name: name.into() };
        let mut revisions = Revisions { endpoint, keys: BTreeSet::from([key(&revision)]), unknown: None };
        assert!(!revisions.lack(&key(&revision)));
        assert!(!revisions.lack(&key(&names("assistant", "embed").1)), "it belongs to another one");
        revisions.keys.clear();
        assert!(revisions.lack(&key(&revision)));
        revisions.unknown = Some(Error::bug("list", "models", "it was refused"));
        assert!(!revisions.lack(&key(&revision)), "nobody knows");
    }

    #[test]
    fn what_belongs_to_others_is_not_found() {
        let (endpoint, revision) = names("assistant", "rank");
        assert!(!is_revision_of(&names("assistant", "rank-2").1, &endpoint));
        assert!(!is_revision_of(&format!("{revision}-copy"), &endpoint));
        assert!(!is_revision_of(&endpoint, &endpoint));
    }
}
