//! The audit as one page that needs nothing else: no network, no script to be read, the same bytes every time.
//!
//! It is well-formed XML too, so that a test can read it. A cell of the matrix opens what it stands for by being a link
//! to it: the target of the link is shown as a panel, and the panel's close link leads back to the cell.

mod matrix;
mod network;
mod statements;

use std::collections::BTreeMap;
use std::fmt;

use super::findings::{Finding, RULES, Severity};
use super::text::{counts, live_summary};
use super::{Audit, Difference, Target, live};
use crate::grants::{Grant, Purpose};
use crate::printable::{printable, printable_json};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// A page about some platforms; `command` is what made it.
pub struct Page<'a> {
    /// The audits, in the order in which they are shown. They are asked for twice, because the page begins with what it
    /// holds, and all of them together may be more than the memory holds.
    pub audits: &'a Audits<'a>,
    /// The command line that makes the same page again.
    pub command: &'a str,
}

/// Shows audits, one at a time, to whom it is given.
pub type Audits<'a> = dyn Fn(&mut dyn FnMut(&Audit) -> fmt::Result) -> fmt::Result + 'a;

/// The overview of all platforms.
#[derive(Default)]
struct Overview {
    /// The name of each platform, and how many findings it has.
    platforms: Vec<(String, String)>,
    /// The number of findings by rule and severity.
    findings: BTreeMap<(&'static str, Severity), usize>,
    is_live: bool,
}

impl Overview {
    fn add(&mut self, audit: &Audit) {
        self.platforms.push((audit.platform.id(), counts(audit)));
        for finding in &audit.findings {
            *self.findings.entry((finding.rule, finding.severity)).or_default() += 1;
        }
        self.is_live |= audit.live.is_some();
    }
}

/// Text that means nothing in HTML, and in which everything is seen.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(formatter, &printable(self.0))
    }
}

/// The same of a document of several lines.
struct Lines<'a>(&'a str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(formatter, &printable_json(self.0))
    }
}

fn write_escaped(formatter: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '&' => formatter.write_str("&amp;")?,
            '<' => formatter.write_str("&lt;")?,
            '>' => formatter.write_str("&gt;")?,
            '"' => formatter.write_str("&quot;")?,
            '\'' => formatter.write_str("&#39;")?,
            other => fmt::Write::write_char(formatter, other)?,
        }
    }
    Ok(())
}

/// The name of a place in the page. Names in a spec hold no slash, so two places never have the same name.
struct Anchor<'a>(&'a [&'a str]);

impl fmt::Display for Anchor<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "/" };
            let plain = |character: char| character.is_ascii_alphanumeric() || "-._/".contains(character);
            let part: String = part.chars().map(|character| if plain(character) { character } else { '_' }).collect();
            write!(formatter, "{separator}{part}")?;
        }
        Ok(())
    }
}

/// The anchor of everything about a role, below the platform's own anchor. A consumer may be called as a model is.
fn corner(role: &Grant) -> String {
    match role.purpose {
        Purpose::Consumer => role.name.clone(),
        Purpose::Execution => format!("{}/execution", role.name),
        Purpose::Workload => format!("{}/workload", role.name),
    }
}

/// The anchor of the statements for one target, below that of the role.
fn place(target: Target<'_>) -> [&str; 2] {
    match target {
        Target::Model(name) => ["model", name],
        Target::Bucket(name) => ["bucket", name],
    }
}

/// The anchor of the policy of a VPC endpoint.
fn endpoint_place<'a>(platform: &'a str, name: &'a str) -> [&'a str; 4] {
    [platform, "vpc", "endpoint", name]
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut overview = Overview::default();
        (self.audits)(&mut |audit| {
            overview.add(audit);
            Ok(())
        })?;
        let title = match overview.platforms.as_slice() {
            [(only, _)] => only.clone(),
            many => format!("{} platforms", many.len()),
        };
        write!(
            formatter,
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>Access audit: {}</title>
<style>
{STYLE}</style>
</head>
<body>
"#,
            Escaped(&title)
        )?;
        if overview.platforms.len() > 1 {
            contents(formatter, &overview)?;
        }
        (self.audits)(&mut |audit| platform(formatter, audit, self.command))?;
        rules(formatter, &overview)?;
        write!(
            formatter,
            "<footer>aiplatform {}. The same input makes the same page, byte for byte.</footer>\n\
             <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
            env!("CARGO_PKG_VERSION")
        )
    }
}

fn contents(formatter: &mut fmt::Formatter<'_>, overview: &Overview) -> fmt::Result {
    writeln!(formatter, "<nav><h1>Access audit</h1><ul>")?;
    for (id, findings) in &overview.platforms {
        writeln!(
            formatter,
            "<li><a href=\"#{}\">{}</a> <span>findings: {findings}</span></li>",
            Anchor(&[id]),
            Escaped(id)
        )?;
    }
    writeln!(formatter, "</ul></nav>")
}

fn platform(formatter: &mut fmt::Formatter<'_>, audit: &Audit, command: &str) -> fmt::Result {
    let id = audit.platform.id();
    writeln!(formatter, "<main id=\"{}\">", Anchor(&[&id]))?;
    header(formatter, audit, command)?;
    findings(formatter, audit)?;
    matrix::write(formatter, audit)?;
    network::write(formatter, audit)?;
    if let Some(differences) = &audit.live {
        live(formatter, differences)?;
    }
    statements::write(formatter, audit)?;
    writeln!(formatter, "</main>")
}

fn header(formatter: &mut fmt::Formatter<'_>, audit: &Audit, command: &str) -> fmt::Result {
    let platform = &audit.platform;
    let ownership = &platform.ownership;
    writeln!(formatter, "<header><p class=\"over\">Access audit</p>")?;
    writeln!(formatter, "<h1><span>{}/</span>{}</h1>", Escaped(&platform.namespace), Escaped(&platform.name))?;
    let boundary = platform.permissions_boundary_arn.as_deref();
    let facts = [
        ("Account", Some(platform.account_id.as_str())),
        ("Region", Some(platform.region.as_str())),
        ("Environment", Some(ownership.environment.as_str())),
        ("Data", ownership.data_classification.as_deref()),
        ("Team", Some(ownership.team.as_str())),
        ("Contact", Some(ownership.contact.as_str())),
        ("Cost center", ownership.cost_center.as_deref()),
        ("Runbook", ownership.runbook.as_deref()),
        ("Boundary of every role", boundary),
    ];
    writeln!(formatter, "<dl class=\"facts\">")?;
    for (name, value) in facts {
        let value =
            value.map_or_else(|| "<span class=\"none\">not set</span>".to_string(), |value| Escaped(value).to_string());
        writeln!(formatter, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    writeln!(formatter, "<div><dt>Made by</dt><dd><code>{}</code></dd></div></dl></header>", Escaped(command))
}

fn findings(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    writeln!(formatter, "<section><h2>Findings <small>{}</small></h2>", counts(audit))?;
    if audit.findings.is_empty() {
        writeln!(formatter, "<p class=\"none\">None of the rules below found anything.</p>")?;
    } else {
        writeln!(formatter, "<ul class=\"findings\">")?;
        for Finding { rule, severity, subject, message } in &audit.findings {
            writeln!(
                formatter,
                "<li><b class=\"badge {severity}\">{severity}</b><div><strong>{}</strong> {}</div><a class=\"rule\" href=\"#{}\">{rule}</a></li>",
                Escaped(subject),
                Escaped(message),
                Anchor(&["rule", rule])
            )?;
        }
        writeln!(formatter, "</ul>")?;
    }
    writeln!(formatter, "</section>")
}

fn live(formatter: &mut fmt::Formatter<'_>, differences: &[Difference]) -> fmt::Result {
    writeln!(formatter, "<section><h2>Live <small>{}</small></h2>", live_summary(differences))?;
    if !differences.is_empty() {
        writeln!(
            formatter,
            "<table class=\"live\"><thead><tr><th>The operator would</th><th>Resource</th><th>Difference</th></tr></thead><tbody>"
        )?;
        for difference in differences {
            write!(
                formatter,
                "<tr><td><b class=\"badge action\">{}</b></td><td>{} <code>{}</code></td><td>",
                difference.action,
                difference.kind,
                Escaped(&difference.name)
            )?;
            for change in &difference.changes {
                write!(
                    formatter,
                    "<dl class=\"change\"><dt>{}</dt><dd>is <code>{}</code></dd><dd>should be <code>{}</code></dd></dl>",
                    Escaped(&change.path),
                    Escaped(&change.from.to_string()),
                    Escaped(&change.to.to_string())
                )?;
            }
            writeln!(formatter, "{}</td></tr>", Escaped(difference.message.as_deref().unwrap_or_default()))?;
        }
        writeln!(formatter, "</tbody></table>")?;
    }
    writeln!(formatter, "</section>")
}

/// The rules that were checked, with or without findings: an audit without findings is worth what it looked at.
fn rules(formatter: &mut fmt::Formatter<'_>, overview: &Overview) -> fmt::Result {
    let live = if overview.is_live { live::RULES.as_slice() } else { &[] };
    writeln!(
        formatter,
        "<aside><h2>Rules <small>{} were applied</small></h2><table class=\"rules\">\
         <thead><tr><th>Rule</th><th>Severity</th><th>Why</th><th>Findings</th></tr></thead><tbody>",
        RULES.len() + live.len()
    )?;
    let mut before = "";
    for (id, severity, about) in
        RULES.iter().map(|rule| (rule.id, rule.severity, rule.about)).chain(live.iter().copied())
    {
        let count = overview.findings.get(&(id, severity)).copied().unwrap_or_default();
        let anchor = if id == before { String::new() } else { format!(" id=\"{}\"", Anchor(&["rule", id])) };
        before = id;
        writeln!(
            formatter,
            "<tr{anchor}><td><code>{id}</code></td><td><b class=\"badge {severity}\">{severity}</b></td><td>{}</td><td class=\"count\">{}</td></tr>",
            Escaped(about),
            if count == 0 { "–".to_string() } else { count.to_string() }
        )?;
    }
    writeln!(formatter, "</tbody></table></aside>")
}
