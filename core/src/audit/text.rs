//! The audit as text, for people at a terminal.

use std::fmt;

use super::findings::Severity;
use super::network::PUBLIC_PATH;
use super::{Audit, Difference, EndpointAudit};
use crate::api::Ownership;
use crate::grants::Purpose;
use crate::policy::{Effect, Statement};
use crate::printable::{printable, printable_json};

/// An audit as text, with colour or without.
pub struct Text<'a> {
    /// The audit.
    pub audit: &'a Audit,
    /// True to colour what stands out, as on a terminal.
    pub colour: bool,
}

impl Text<'_> {
    fn painted(&self, code: u8, text: &str) -> String {
        let text = printable(text);
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into_owned() }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Audit { platform, roles, endpoint_policies, bucket_policies, .. } = self.audit;
        writeln!(formatter, "{}", self.painted(1, &format!("AIPlatform {}", platform.id())))?;
        writeln!(formatter, "  account {}, region {}", platform.account_id, platform.region)?;
        writeln!(formatter, "  {}", printable(&ownership(&platform.ownership)))?;
        self.findings(formatter)?;
        self.paths(formatter)?;
        for grant in roles {
            let title = match grant.purpose {
                Purpose::Consumer => format!("Consumer {}", grant.name),
                Purpose::Execution => format!("Execution of model {}", grant.name),
                Purpose::Workload => format!("Pods of model {}", grant.name),
            };
            writeln!(formatter, "\n  {}", self.painted(1, &title))?;
            writeln!(formatter, "    who    {}", printable(&grant.subject.to_string()))?;
            writeln!(formatter, "    role   {}", printable(&grant.arn))?;
            let boundary = platform.permissions_boundary_arn.as_deref().unwrap_or("nothing");
            writeln!(formatter, "    bound  by {}", printable(boundary))?;
            for statement in &grant.trust {
                self.statement(formatter, statement, "trust policy")?;
            }
            for (name, statements) in &grant.policies {
                for statement in statements {
                    self.statement(formatter, statement, &format!("policy {name}"))?;
                }
            }
        }
        for endpoint in endpoint_policies {
            self.endpoint(formatter, endpoint)?;
        }
        for policy in bucket_policies {
            writeln!(formatter, "\n  {}", self.painted(1, &format!("Bucket {}", policy.name)))?;
            writeln!(formatter, "    bucket {}", printable(&policy.bucket))?;
            for statement in &policy.statements {
                self.statement(formatter, statement, "bucket policy")?;
            }
        }
        if let Some(differences) = &self.audit.live {
            self.live(formatter, differences)?;
        }
        Ok(())
    }
}

impl Text<'_> {
    fn findings(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = &self.audit.findings;
        writeln!(formatter, "\n  {}: {}", self.painted(1, "Findings"), counts(self.audit))?;
        for finding in findings {
            let severity = self.painted(colour(finding.severity), &format!("{:<7}", finding.severity));
            writeln!(formatter, "    {severity}  {} ({})", printable(&finding.subject), finding.rule)?;
            writeln!(formatter, "             {}", printable(&finding.message))?;
        }
        Ok(())
    }

    /// The way that calls take to each model.
    fn paths(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.audit.paths();
        if paths.is_empty() {
            return Ok(());
        }
        writeln!(formatter, "\n  {}", self.painted(1, "Paths to models"))?;
        for path in paths {
            writeln!(formatter, "    {}", printable(&format!("{} ({})", path.model, path.service)))?;
            let endpoint = path.endpoint.map(|endpoint| format!("{endpoint}, {}", endpoint.policy()));
            let public = path.is_public.then(|| PUBLIC_PATH.to_string());
            let ways: Vec<String> = endpoint.into_iter().chain(public).collect();
            lines(formatter, "over", ways.iter().map(String::as_str))?;
            let consumers = if path.consumers.is_empty() { "no consumer".into() } else { path.consumers.join(", ") };
            lines(formatter, "by", std::iter::once(consumers.as_str()))?;
        }
        Ok(())
    }

    fn endpoint(&self, formatter: &mut fmt::Formatter<'_>, endpoint: &EndpointAudit) -> fmt::Result {
        writeln!(formatter, "\n  {}", self.painted(1, &format!("VPC endpoint {}", endpoint.name)))?;
        let kind = endpoint.endpoint_type.name().to_lowercase();
        writeln!(formatter, "    type   {kind}, policy {:?}", endpoint.policy)?;
        writeln!(formatter, "    from   {}", printable(&endpoint.reached_from))?;
        writeln!(formatter, "    for    {}", printable(&endpoint.wanted_by.join(", ")))?;
        for statement in &endpoint.statements {
            self.statement(formatter, statement, "endpoint policy")?;
        }
        Ok(())
    }

    fn statement(&self, formatter: &mut fmt::Formatter<'_>, statement: &Statement, place: &str) -> fmt::Result {
        let effect = match statement.effect {
            Effect::Allow => self.painted(32, "allow"),
            Effect::Deny => self.painted(31, "deny "),
        };
        writeln!(formatter, "    {effect}  {} ({})", printable(&statement.sid), printable(place))?;
        let principals = principals(statement);
        let conditions: Vec<String> = conditions(statement).iter().map(ToString::to_string).collect();
        lines(formatter, "who", principals.iter().map(String::as_str))?;
        lines(formatter, "what", statement.actions.iter().map(String::as_str))?;
        lines(formatter, "on", statement.resources.iter().map(String::as_str))?;
        lines(formatter, "when", conditions.iter().map(String::as_str))?;
        lines(formatter, "why", std::iter::once(statement.reason.as_str()))?;
        lines(formatter, "from", std::iter::once(statement.source.as_str()))
    }

    fn live(&self, formatter: &mut fmt::Formatter<'_>, differences: &[Difference]) -> fmt::Result {
        writeln!(formatter, "\n  {}: {}", self.painted(1, "Live"), live_summary(differences))?;
        for difference in differences {
            writeln!(
                formatter,
                "    {:<9}  {} {}",
                difference.action.to_lowercase(),
                difference.kind,
                printable(&difference.name)
            )?;
            for change in &difference.changes {
                writeln!(formatter, "               {}", printable(&change.path))?;
                writeln!(formatter, "                 is      {}", printable_json(&change.from.to_string()))?;
                writeln!(formatter, "                 should  {}", printable_json(&change.to.to_string()))?;
            }
            if let Some(message) = &difference.message {
                writeln!(formatter, "               {}", printable(message))?;
            }
        }
        Ok(())
    }
}

fn lines<'a>(formatter: &mut fmt::Formatter<'_>, label: &str, values: impl Iterator<Item = &'a str>) -> fmt::Result {
    for (index, value) in values.enumerate() {
        writeln!(formatter, "      {:<5}  {}", if index == 0 { label } else { "" }, printable(value))?;
    }
    Ok(())
}

fn colour(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 31,
        Severity::Warning => 33,
        Severity::Info => 36,
    }
}

/// The owner, in one line.
fn ownership(ownership: &Ownership) -> String {
    let optional = [
        ("cost center", &ownership.cost_center),
        ("runbook", &ownership.runbook),
        ("data", &ownership.data_classification),
    ];
    let optional = optional.into_iter().filter_map(|(word, value)| Some(format!(", {word} {}", value.as_ref()?)));
    format!(
        "team {}, contact {}, environment {}{}",
        ownership.team,
        ownership.contact,
        ownership.environment,
        optional.collect::<String>()
    )
}

/// The number of findings of each severity.
pub(super) fn counts(audit: &Audit) -> String {
    let count = |severity| audit.findings.iter().filter(|finding| finding.severity == severity).count();
    let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let parts = [
        (count(Severity::Error), plural(count(Severity::Error), "error")),
        (count(Severity::Warning), plural(count(Severity::Warning), "warning")),
        (count(Severity::Info), format!("{} info", count(Severity::Info))),
    ];
    let named: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
    if named.is_empty() { "none".into() } else { named.join(", ") }
}

/// The result of a comparison.
pub(super) fn live_summary(differences: &[Difference]) -> String {
    match differences.len() {
        0 => "everything declared is as declared".into(),
        1 => "1 difference to what is declared".into(),
        count => format!("{count} differences to what is declared"),
    }
}

/// The principals of a statement, where it names them.
pub(super) fn principals(statement: &Statement) -> Vec<String> {
    let kinds = statement.principals.iter();
    kinds
        .flat_map(|(kind, names)| {
            names.iter().map(move |name| match (kind.as_str(), name.as_str()) {
                ("AWS", "*") => "everybody".to_string(),
                _ => format!("{kind} {name}"),
            })
        })
        .collect()
}

/// One condition as it reads.
pub(super) struct Condition<'a> {
    pub(super) key: &'a str,
    pub(super) operator: &'a str,
    pub(super) values: String,
}

impl fmt::Display for Condition<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.key, self.operator, self.values)
    }
}

/// The conditions of a statement.
pub(super) fn conditions(statement: &Statement) -> Vec<Condition<'_>> {
    let keys = statement.conditions.iter().flat_map(|(operator, keys)| keys.iter().map(move |key| (operator, key)));
    keys.map(|(operator, (key, values))| Condition { key, operator, values: values.join(" or ") }).collect()
}
