//! Every statement with its reason and the document as IAM gets it.

use std::fmt;

use super::{Anchor, Escaped, Lines, corner, endpoint_place, place};
use crate::audit::text::{conditions, principals};
use crate::audit::{Audit, Target};
use crate::grants::{Grant, Purpose};
use crate::policy::{Effect, Statement};

pub(super) fn write(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    if audit.roles.is_empty() && audit.endpoint_policies.is_empty() && audit.bucket_policies.is_empty() {
        return Ok(());
    }
    writeln!(formatter, "<section><h2>Statements <small>with the reason for each</small></h2>")?;
    for grant in &audit.roles {
        role(formatter, audit, grant)?;
    }
    if !audit.endpoint_policies.is_empty() {
        endpoint_policies(formatter, audit)?;
    }
    if !audit.bucket_policies.is_empty() {
        bucket_policies(formatter, audit)?;
    }
    writeln!(formatter, "</section>")
}

fn role(formatter: &mut fmt::Formatter<'_>, audit: &Audit, grant: &Grant) -> fmt::Result {
    let id = audit.platform.id();
    let corner = corner(grant);
    let boundary = audit.platform.permissions_boundary_arn.as_deref();
    let purpose = match grant.purpose {
        Purpose::Consumer => "consumer",
        Purpose::Execution => "execution role of a model",
        Purpose::Workload => "role of a model's pods",
    };
    writeln!(
        formatter,
        "<section class=\"role\" id=\"{}\"><h3>{} <small>{purpose}</small></h3><dl class=\"about\">\
         <dt>Who</dt><dd>{}</dd><dt>Role</dt><dd><code>{}</code></dd><dt>Boundary</dt><dd>{}</dd>\
         <dt>SHA-256 of its policies</dt><dd><code>{}</code></dd></dl>",
        Anchor(&[&id, &corner]),
        Escaped(&grant.name),
        Escaped(&grant.subject.to_string()),
        Escaped(&grant.arn),
        boundary.map_or_else(|| "none".to_string(), |boundary| format!("<code>{}</code>", Escaped(boundary))),
        grant.policy_sha256()
    )?;
    let title = format!("Who may take the role of {}", grant.name);
    panel(formatter, &[&id, &corner, "trust"], &title, &grant.trust)?;
    let mut shown: Vec<&str> = Vec::new();
    for target in audit.targets() {
        let statements = audit.statements(grant, target);
        if statements.is_empty() {
            continue;
        }
        shown.extend(statements.iter().map(|statement| statement.source.as_str()));
        let [kind, name] = place(target);
        let title = match (grant.purpose, target) {
            (Purpose::Execution | Purpose::Workload, Target::Model(name)) => format!("Running model {name}"),
            _ => format!("{} on {kind} {name}", grant.name),
        };
        panel(formatter, &[&id, &corner, kind, name], &title, statements)?;
    }
    // Nothing a role can do may be missing here, wherever it comes from.
    let all = grant.policies.iter().flat_map(|(_, statements)| statements);
    let rest: Vec<&Statement> = all.filter(|statement| !shown.contains(&statement.source.as_str())).collect();
    if !rest.is_empty() {
        panel(formatter, &[&id, &corner, "other"], &format!("{} otherwise", grant.name), rest)?;
    }
    writeln!(formatter, "</section>")
}

fn endpoint_policies(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let id = audit.platform.id();
    writeln!(formatter, "<section class=\"role\"><h3>The network <small>policies of VPC endpoints</small></h3>")?;
    for policy in &audit.endpoint_policies {
        let title = format!("Everybody through VPC endpoint {}", policy.name);
        panel(formatter, &endpoint_place(&id, &policy.name), &title, &policy.statements)?;
    }
    writeln!(formatter, "</section>")
}

fn bucket_policies(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let id = audit.platform.id();
    writeln!(formatter, "<section class=\"role\"><h3>Everybody <small>policies of buckets</small></h3>")?;
    for policy in &audit.bucket_policies {
        let title = format!("Everybody on bucket {}", policy.name);
        panel(formatter, &[&id, "policy", &policy.name], &title, &policy.statements)?;
    }
    writeln!(formatter, "</section>")
}

fn panel<'a>(
    formatter: &mut fmt::Formatter<'_>,
    place: &[&str],
    title: &str,
    statements: impl IntoIterator<Item = &'a Statement>,
) -> fmt::Result {
    let anchor = Anchor(place);
    writeln!(
        formatter,
        "<article id=\"{anchor}\"><a class=\"backdrop\" href=\"#{anchor}/cell\" aria-label=\"Close\" tabindex=\"-1\"></a>\
         <div class=\"panel\"><h4>{}<a class=\"close\" href=\"#{anchor}/cell\">Close</a></h4>",
        Escaped(title)
    )?;
    for statement in statements {
        self::statement(formatter, statement)?;
    }
    writeln!(formatter, "</div></article>")
}

fn statement(formatter: &mut fmt::Formatter<'_>, statement: &Statement) -> fmt::Result {
    let effect = if statement.effect == Effect::Allow { "allow" } else { "deny" };
    writeln!(
        formatter,
        "<div class=\"statement\"><div><p class=\"sid\"><b class=\"badge {effect}\">{effect}</b> {}</p>\
         <p class=\"reason\">{}</p><dl class=\"about\">",
        Escaped(&statement.sid),
        Escaped(&statement.reason)
    )?;
    let principals = principals(statement);
    for (label, values) in [("Who", &principals), ("What", &statement.actions), ("On", &statement.resources)] {
        for (index, value) in values.iter().enumerate() {
            let label = if index == 0 { format!("<dt>{label}</dt>") } else { String::new() };
            write!(formatter, "{label}<dd><code>{}</code></dd>", Escaped(value))?;
        }
    }
    for (index, condition) in conditions(statement).into_iter().enumerate() {
        let label = if index == 0 { "<dt>When</dt>" } else { "" };
        write!(
            formatter,
            "{label}<dd><code>{}</code> <i>{}</i> <code>{}</code></dd>",
            Escaped(condition.key),
            Escaped(condition.operator),
            Escaped(&condition.values)
        )?;
    }
    write!(formatter, "<dt>Since</dt><dd><code>{}</code></dd>", Escaped(&statement.source))?;
    writeln!(formatter, "</dl></div><pre>{}</pre></div>", Lines(&format!("{:#}", statement.to_value())))
}
