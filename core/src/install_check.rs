//! The judgement of an installation: whether the operator has what it needs, before the first platform.
//!
//! What could not be found out is unknown, which is neither there nor missing.

pub mod aws;
pub mod clock;
pub mod cluster;
pub mod permissions;
pub mod rights;

use std::fmt;

use serde::Serialize;

use crate::printable::printable;

/// A part of an installation that is checked.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// The API server answers, and is recent enough.
    ApiServer,
    /// The custom resource definition is the one of this version.
    Definition,
    /// The name of the cluster in owner tags is known.
    ClusterName,
    /// The rights in the cluster.
    Rights,
    /// APIs and programs that some platforms use.
    Optional,
    /// AWS says whose the credentials are.
    Credentials,
    /// The clock of this machine agrees with those of others.
    Clock,
    /// The services of AWS answer.
    Endpoint,
    /// The IAM permissions of the operator.
    Permission,
}

impl Check {
    /// Its name in the text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiServer => "API server",
            Self::Definition => "definition",
            Self::ClusterName => "cluster name",
            Self::Rights => "RBAC",
            Self::Optional => "optional",
            Self::Credentials => "credentials",
            Self::Clock => "clock",
            Self::Endpoint => "endpoint",
            Self::Permission => "IAM",
        }
    }
}

/// The outcome of a check.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is as it should be.
    Ok,
    /// Something is missing, without which the operator cannot work.
    Missing,
    /// It could not be found out.
    Unknown,
    /// Something that not every platform needs is not there.
    Absent,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
        }
    }
}

/// The result of one check: a line.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The part that was checked.
    pub check: Check,
    /// The outcome.
    pub outcome: Outcome,
    /// The finding, in one line.
    pub message: String,
    /// The way out; absent where nothing is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

impl Finding {
    /// It is as it should be.
    #[must_use]
    pub fn ok(check: Check, message: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Ok, message: message.into(), way_out: None }
    }

    /// Something is missing.
    #[must_use]
    pub fn missing(check: Check, message: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Missing, message: message.into(), way_out: Some(way_out.into()) }
    }

    /// It could not be found out.
    #[must_use]
    pub fn unknown(check: Check, message: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Unknown, message: message.into(), way_out: Some(way_out.into()) }
    }

    /// Something that not every platform needs is not there.
    #[must_use]
    pub fn absent(message: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            check: Check::Optional,
            outcome: Outcome::Absent,
            message: message.into(),
            way_out: Some(way_out.into()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, outcome, message, way_out } = self;
        write!(formatter, "{:<8} {:<13} {}", outcome.name(), check.name(), printable(message))?;
        match way_out {
            Some(way_out) => write!(formatter, ": {}", printable(way_out)),
            None => Ok(()),
        }
    }
}

/// The results of all checks.
#[derive(Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// A line for each.
    pub checks: Vec<Finding>,
    /// The number of each outcome.
    pub summary: Summary,
}

/// The numbers of outcomes.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// As it should be.
    pub ok: usize,
    /// Missing.
    pub missing: usize,
    /// Not found out.
    pub unknown: usize,
    /// Optional, and not there.
    pub absent: usize,
}

impl Report {
    /// The report of these results, by part.
    #[must_use]
    pub fn new(mut checks: Vec<Finding>) -> Self {
        checks.sort_by_key(|finding| finding.check);
        let count = |outcome: Outcome| checks.iter().filter(|finding| finding.outcome == outcome).count();
        let summary = Summary {
            ok: count(Outcome::Ok),
            missing: count(Outcome::Missing),
            unknown: count(Outcome::Unknown),
            absent: count(Outcome::Absent),
        };
        Self { checks, summary }
    }

    /// True where nothing is missing. What is unknown may be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.summary.missing == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.checks {
            writeln!(formatter, "{finding}")?;
        }
        let Summary { ok, missing, unknown, absent } = self.summary;
        writeln!(formatter, "{ok} ok, {missing} missing, {unknown} unknown, {absent} optional and absent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_one_line_for_each_check_and_a_summary() {
        let report = Report::new(vec![
            Finding::unknown(Check::Permission, "what the policies allow is not known", "ask somebody\nelse"),
            Finding::ok(Check::ApiServer, "v1.36.3 at https://a"),
            Finding::missing(Check::Rights, "somebody may not patch aiplatforms", "apply manifests/rbac.yaml"),
            Finding::absent("KEDA is not there", "install it"),
        ]);
        assert_eq!(
            report.to_string().lines().collect::<Vec<_>>(),
            [
                "ok       API server    v1.36.3 at https://a",
                "missing  RBAC          somebody may not patch aiplatforms: apply manifests/rbac.yaml",
                "absent   optional      KEDA is not there: install it",
                "unknown  IAM           what the policies allow is not known: ask somebody\\nelse",
                "1 ok, 1 missing, 1 unknown, 1 optional and absent",
            ]
        );
        assert!(!report.is_complete());
        let unsure = Report::new(vec![Finding::unknown(Check::Clock, "a", "b"), Finding::absent("c", "d")]);
        assert!(unsure.is_complete(), "what is unknown is not missing");
    }
}
