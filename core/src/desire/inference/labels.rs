//! Labels of the objects of a model in the cluster.
//!
//! Source: "Recommended Labels" and "Labels and Selectors", Kubernetes documentation.

use std::collections::BTreeMap;

use super::Served;
use crate::api::kubernetes::Engine;
use crate::tags;

/// The longest value of a label.
const LIMIT: usize = 63;

/// The labels by which the pods of a model are found. They cannot change while the deployment is there.
pub(super) fn selector(served: &Served) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/instance".into(), served.name.clone()),
        ("app.kubernetes.io/managed-by".into(), "aiplatform".into()),
    ])
}

/// The labels of every object of a model: the recommended ones, and whose it is. What cannot stand in a label as it is
/// written, such as an address with an at sign, is written with underscores; the platform's object has the exact words.
pub(super) fn of(served: &Served) -> BTreeMap<String, String> {
    let ownership = &served.platform.ownership;
    let mut labels = of_pods(served);
    let given = [
        ("aiplatform.dev/contact", Some(ownership.contact.as_str())),
        ("aiplatform.dev/data-classification", ownership.data_classification.as_deref()),
    ];
    labels.extend(given.into_iter().filter_map(|(key, text)| Some((key.to_string(), value(text?)))));
    labels
}

/// The labels of the pods: no more of whose they are than their costs are counted by, because an edit of any of it
/// replaces every pod.
pub(super) fn of_pods(served: &Served) -> BTreeMap<String, String> {
    let ownership = &served.platform.ownership;
    let engine = match served.spec.engine {
        Engine::Vllm => "vllm",
        Engine::Tgi => "text-generation-inference",
        Engine::TorchServe => "torchserve",
        Engine::Custom => "inference-server",
    };
    let given = [
        ("app.kubernetes.io/name", Some(engine)),
        ("app.kubernetes.io/component", Some("inference")),
        ("app.kubernetes.io/part-of", Some(served.platform.name.as_str())),
        (tags::MODEL_LABEL, Some(served.model)),
        ("aiplatform.dev/team", Some(ownership.team.as_str())),
        ("aiplatform.dev/environment", Some(ownership.environment.as_str())),
        ("aiplatform.dev/cost-center", ownership.cost_center.as_deref()),
    ];
    let mut labels = selector(served);
    labels.extend(given.into_iter().filter_map(|(key, text)| Some((key.to_string(), value(text?)))));
    labels
}

/// The text as the value of a label.
fn value(text: &str) -> String {
    let allowed = |it: char| if it.is_ascii_alphanumeric() || "-_.".contains(it) { it } else { '_' };
    let cut: String = text.chars().map(allowed).take(LIMIT).collect();
    cut.trim_matches(|it: char| !it.is_ascii_alphanumeric()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_given_can_stand_in_a_label() {
        for (text, expected) in [
            ("support", "support"),
            ("support-ml@example.com", "support-ml_example.com"),
            ("https://runbooks/x", "https___runbooks_x"),
            ("-a-", "a"),
            ("é", ""),
            (&"x".repeat(80), &"x".repeat(63)),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }
}
