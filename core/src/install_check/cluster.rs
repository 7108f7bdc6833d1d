//! The cluster: its API server, its definition, and what some platforms use in it.

use super::{Check, Finding};
use crate::crd::difference::{Difference, Error, WAY_OUT};
use crate::lookup::ApiLookup;
use crate::resource::Kind;

/// The oldest version of Kubernetes that the operator works with, as docs/install.md says.
const OLDEST: (u32, u32) = (1, 30);

/// The name of the program that gives pods their roles, and where it runs.
/// Source: "Set up the Amazon EKS Pod Identity Agent", Amazon EKS user guide.
pub const POD_IDENTITY_AGENT: (&str, &str) = ("kube-system", "eks-pod-identity-agent");

/// The answer of the API server to the question for its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// The major and the minor version.
    Known(String, String),
    /// It does not take the credentials.
    Unauthorized(String),
    /// It answers, and does not say.
    Refused(String),
    /// It does not answer.
    Silent(String),
}

/// The line about the API server.
#[must_use]
pub fn api_server(url: &str, version: &Version) -> Finding {
    let (major, minor) = match version {
        Version::Known(major, minor) => (major, minor),
        Version::Unauthorized(why) => {
            let way_out = "renew those in the kubeconfig, or give the pod its service account";
            return Finding::missing(Check::ApiServer, format!("{url} does not take the credentials ({why})"), way_out);
        }
        Version::Refused(why) => {
            let way_out = format!("make sure that it is {}.{} or later", OLDEST.0, OLDEST.1);
            return Finding::unknown(Check::ApiServer, format!("{url} does not say its version ({why})"), way_out);
        }
        Version::Silent(why) => {
            let way_out = "check KUBECONFIG, the network, and the NetworkPolicy where this runs in a pod";
            return Finding::missing(Check::ApiServer, format!("{url} does not answer ({why})"), way_out);
        }
    };
    // Managed clusters write such as 30+.
    let number = |text: &str| text.trim_end_matches(|sign: char| !sign.is_ascii_digit()).parse::<u32>().ok();
    match (number(major), number(minor)) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => {
            Finding::ok(Check::ApiServer, format!("Kubernetes {major}.{minor} answers at {url}"))
        }
        (Some(major), Some(minor)) => Finding::missing(
            Check::ApiServer,
            format!("{url} is Kubernetes {major}.{minor}, and the operator needs {}.{}", OLDEST.0, OLDEST.1),
            "upgrade the cluster",
        ),
        _ => Finding::unknown(
            Check::ApiServer,
            format!("{url} answers with the version {major:?}.{minor:?}"),
            format!("make sure that it is {}.{} or later", OLDEST.0, OLDEST.1),
        ),
    }
}

/// The schema that the API server serves.
#[derive(Debug)]
pub enum Served {
    /// It does not serve platforms.
    Nothing,
    /// It could not be read.
    Unreadable(String),
    /// It was compared with the one of this version.
    Compared(Result<Difference, Error>),
}

/// The line about the custom resource definition.
#[must_use]
pub fn definition(served: &Served) -> Finding {
    match served {
        Served::Nothing => Finding::missing(Check::Definition, "aiplatforms.aiplatform.dev is not installed", WAY_OUT),
        Served::Unreadable(why) => Finding::unknown(
            Check::Definition,
            format!("the schema that the API server serves cannot be read ({why})"),
            "allow reading /openapi, as the cluster role system:discovery does",
        ),
        Served::Compared(Err(error)) => {
            Finding::unknown(Check::Definition, error.to_string(), "report it, with the definition in the cluster")
        }
        Served::Compared(Ok(difference)) if difference.is_obstacle() => {
            Finding::missing(Check::Definition, difference.to_string(), WAY_OUT)
        }
        Served::Compared(Ok(difference)) => Finding::ok(Check::Definition, difference.to_string()),
    }
}

/// An API that some platforms use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalApi {
    /// The API.
    pub api: ApiLookup,
    /// The program that brings it.
    program: &'static str,
    /// The feature that needs it.
    purpose: &'static str,
}

/// The APIs that some platforms use.
#[must_use]
pub fn optional_apis() -> Vec<OptionalApi> {
    let described = |kind: Kind| match kind {
        Kind::ScaledObject => Some(("KEDA", "models in pods that scale on queue depth or concurrent requests")),
        Kind::PodMonitor => Some(("the Prometheus operator", "the metrics of models in pods, and of the operator")),
        _ => None,
    };
    let optional = Kind::ALL.iter().filter_map(|kind| Some((ApiLookup::of(*kind)?, described(*kind))));
    let optional = optional.map(|(api, described)| {
        let (program, purpose) = described.unwrap_or((api.group, "some platforms"));
        OptionalApi { api, program, purpose }
    });
    optional.collect()
}

/// The line about an optional API.
#[must_use]
pub fn optional_api(optional: &OptionalApi, served: &Result<bool, String>) -> Finding {
    let OptionalApi { api, program, purpose } = optional;
    let name = format!("{program} ({})", api.definition());
    match served {
        Ok(true) => Finding::ok(Check::Optional, format!("{name} is there")),
        Ok(false) => Finding::absent(format!("{name} is not there"), format!("install it for {purpose}")),
        Err(why) => Finding::unknown(
            Check::Optional,
            format!("nobody says whether {name} is there ({why})"),
            "see to that first",
        ),
    }
}

/// The line about the agent of EKS Pod Identity.
#[must_use]
pub fn pod_identity_agent(found: &Result<bool, String>) -> Finding {
    let name = "the EKS Pod Identity agent";
    match found {
        Ok(true) => Finding::ok(Check::Optional, format!("{name} is there")),
        Ok(false) => Finding::absent(
            format!("{name} is not there"),
            "install the add-on eks-pod-identity-agent where platforms or the operator use podIdentity; IRSA needs none",
        ),
        Err(why) => Finding::unknown(
            Check::Optional,
            format!("nobody says whether {name} is there ({why})"),
            "ask as somebody who may read DaemonSets in kube-system; the operator itself need not",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install_check::Outcome;

    #[test]
    fn versions_are_compared_as_numbers() {
        let known = |major: &str, minor: &str| Version::Known(major.into(), minor.into());
        for (version, outcome) in [
            (known("1", "36"), Outcome::Ok),
            (known("1", "30+"), Outcome::Ok),
            (known("2", "0"), Outcome::Ok),
            (known("1", "29"), Outcome::Missing),
            (known("1", "9"), Outcome::Missing),
            (known("", ""), Outcome::Unknown),
            (Version::Refused("forbidden".into()), Outcome::Unknown),
            (Version::Unauthorized("Unauthorized".into()), Outcome::Missing),
            (Version::Silent("connection refused".into()), Outcome::Missing),
        ] {
            let finding = api_server("https://a", &version);
            assert_eq!(finding.outcome, outcome, "{version:?}: {finding}");
        }
    }

    #[test]
    fn every_optional_api_is_described() {
        let optional = optional_apis();
        assert!(!optional.is_empty());
        assert!(optional.iter().all(|optional| optional.program != optional.api.group), "{optional:?}");
        for (served, outcome) in
            [(Ok(true), Outcome::Ok), (Ok(false), Outcome::Absent), (Err("a".to_string()), Outcome::Unknown)]
        {
            assert_eq!(optional_api(&optional[0], &served).outcome, outcome);
            assert_eq!(pod_identity_agent(&served).outcome, outcome);
        }
    }

    #[test]
    fn a_definition_that_is_not_there_or_not_known_says_so() {
        assert_eq!(definition(&Served::Nothing).outcome, Outcome::Missing);
        assert_eq!(definition(&Served::Unreadable("forbidden".into())).outcome, Outcome::Unknown);
        assert_eq!(definition(&Served::Compared(Err(Error::NotServed("a".into())))).outcome, Outcome::Unknown);
        assert_eq!(definition(&Served::Compared(Ok(Difference::default()))).outcome, Outcome::Ok);
        let older = Difference { lacking: ["spec.a".to_string()].into(), ..Difference::default() };
        assert_eq!(definition(&Served::Compared(Ok(older))).outcome, Outcome::Missing);
        let newer = Difference { unknown: ["spec.a".to_string()].into(), ..Difference::default() };
        assert_eq!(definition(&Served::Compared(Ok(newer))).outcome, Outcome::Ok);
    }
}
