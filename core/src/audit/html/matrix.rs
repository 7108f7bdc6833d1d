//! Principals by resources: who may do what at a glance.

use std::fmt;

use super::{Anchor, Escaped, corner, place};
use crate::api::access::Mode;
use crate::audit::{Audit, Target};
use crate::desire::inference;
use crate::desire::sagemaker::endpoint_name;
use crate::grants::model_buckets::{Use, used};
use crate::grants::{Grant, Purpose, Subject};
use crate::platform::{Backend, Model, Platform};
use crate::policy::{Effect, Statement};

pub(super) fn write(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let platform = &audit.platform;
    writeln!(
        formatter,
        "<section><h2>Who may do what <small>a cell opens its statements</small></h2>\
         <div class=\"scroll\"><table class=\"matrix\"><thead><tr class=\"kinds\"><td></td><th>Trust</th>"
    )?;
    for (kind, count) in [("Models", platform.models.len()), ("Buckets", platform.buckets.len())] {
        if count > 0 {
            write!(formatter, "<th colspan=\"{count}\">{kind}</th>")?;
        }
    }
    writeln!(formatter, "</tr><tr><td></td><th scope=\"col\">takes the role</th>")?;
    for model in &platform.models {
        let id = served_as(platform, model);
        write!(formatter, "<th scope=\"col\">{}<code>{}</code></th>", Escaped(&model.name), Escaped(&id))?;
    }
    for bucket in &platform.buckets {
        let name = &bucket.bucket_name;
        write!(formatter, "<th scope=\"col\">{}<code>{}</code></th>", Escaped(&bucket.name), Escaped(name))?;
    }
    writeln!(formatter, "</tr></thead><tbody>")?;
    for role in &audit.roles {
        row(formatter, audit, role)?;
    }
    if !audit.bucket_policies.is_empty() {
        everybody(formatter, audit)?;
    }
    writeln!(formatter, "</tbody></table></div></section>")
}

fn row(formatter: &mut fmt::Formatter<'_>, audit: &Audit, role: &Grant) -> fmt::Result {
    let id = audit.platform.id();
    let corner = corner(role);
    let (how, who) = subject(&role.subject);
    writeln!(
        formatter,
        "<tr><th scope=\"row\"><a href=\"#{}\">{}</a><code>{}</code></th>",
        Anchor(&[&id, &corner]),
        Escaped(&role.name),
        Escaped(&who)
    )?;
    let trust: Vec<&Statement> = role.trust.iter().collect();
    cell(formatter, &[&id, &corner, "trust"], "trust", &[how.into()], &[], &trust)?;
    for target in audit.targets() {
        let statements = audit.statements(role, target);
        let (level, titles, notes) = summary(audit, role, target);
        let [kind, name] = place(target);
        cell(formatter, &[&id, &corner, kind, name], level, &titles, &notes, &statements)?;
    }
    writeln!(formatter, "</tr>")
}

/// The names by which calls refer to a model.
fn served_as(platform: &Platform, model: &Model) -> String {
    match &model.backend {
        Backend::Bedrock(bedrock) => bedrock.model_id.clone(),
        Backend::SageMaker(_) => endpoint_name(platform, &model.name),
        Backend::Kubernetes(spec) => inference::served_name(spec, &model.name).into(),
    }
}

/// The subject in two parts: its kind and its name.
fn subject(subject: &Subject) -> (&'static str, String) {
    match subject {
        Subject::Irsa(account) => ("Pods, by IRSA", account.to_string()),
        Subject::PodIdentity(account, _) => ("Pods, by Pod Identity", account.to_string()),
        Subject::Principals(names) => ("IAM principals", names.join(", ")),
        Subject::SageMaker(model) => ("SageMaker", format!("runs model {model}")),
    }
}

/// The grants of the spec for a role and a target: how far it goes, in a word for each entry, and what limits it.
fn summary(audit: &Audit, role: &Grant, target: Target) -> (&'static str, Vec<String>, Vec<String>) {
    match role.purpose {
        Purpose::Consumer => consumption(audit, role, target),
        Purpose::Execution => execution(audit, role, target),
        Purpose::Workload => workload(role, target),
    }
}

/// The same of a model's own role.
fn execution(audit: &Audit, role: &Grant, target: Target) -> (&'static str, Vec<String>, Vec<String>) {
    let Target::Bucket(name) = target else { return ("run", vec!["Run".into()], Vec::new()) };
    let model = audit.platform.models.iter().find(|model| model.name == role.name);
    let uses = model.and_then(|model| model.sagemaker()).map(|model| used(&audit.platform, model));
    let uses: Vec<_> = uses.unwrap_or_default().into_iter().filter(|(_, bucket, _)| bucket.name == name).collect();
    let writes = uses.iter().any(|(how, ..)| *how != Use::ModelData);
    let titles = uses.iter().map(|(how, _, place)| match how {
        Use::ModelData => format!("Read {place}"),
        Use::Async => format!("Read, write {place}"),
        Use::DataCapture => format!("Write {place}"),
    });
    (if writes { "write" } else { "read" }, titles.collect(), Vec::new())
}

/// The same of the role of a model's pods, which read the weights and do nothing else.
fn workload(role: &Grant, target: Target) -> (&'static str, Vec<String>, Vec<String>) {
    match target {
        Target::Model(_) => ("run", vec!["Run".into()], Vec::new()),
        Target::Bucket(_) => ("read", vec![format!("Read the weights of {}", role.name)], Vec::new()),
    }
}

/// The same of a consumer.
fn consumption(audit: &Audit, role: &Grant, target: Target) -> (&'static str, Vec<String>, Vec<String>) {
    let Some(consumer) = audit.platform.access.iter().find(|consumer| consumer.name == role.name) else {
        return ("read", Vec::new(), Vec::new());
    };
    match target {
        Target::Model(name) => {
            let model = audit.platform.models.iter().find(|model| model.name == name);
            let mut notes = Vec::new();
            if let Some(bedrock) = model.and_then(|model| model.bedrock()) {
                notes.extend(bedrock.inference_profile_id.as_ref().map(|_| "only through its profile".to_string()));
                let guardrail = bedrock.guardrail.as_ref();
                notes.extend(guardrail.map(|guard| format!("only with guardrail {}:{}", guard.id, guard.version)));
            }
            ("call", vec!["Call".into()], notes)
        }
        Target::Bucket(name) => {
            let entries: Vec<_> = consumer.buckets.iter().filter(|access| access.name == name).collect();
            let writes = entries.iter().any(|access| access.mode == Mode::ReadWrite);
            let titles = entries.iter().map(|access| {
                let word = if access.mode == Mode::ReadWrite { "Read, write" } else { "Read" };
                match access.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
                    Some(prefix) => format!("{word} {prefix}"),
                    None => format!("{word} everything"),
                }
            });
            (if writes { "write" } else { "read" }, titles.collect(), Vec::new())
        }
    }
}

/// The policies of buckets hold for everybody, whatever a role allows.
fn everybody(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let id = audit.platform.id();
    let before = 1 + audit.platform.models.len();
    writeln!(
        formatter,
        "<tr class=\"everybody\"><th scope=\"row\">Everybody<span>by the bucket's own policy</span></th>{}",
        "<td class=\"nothing\"></td>".repeat(before)
    )?;
    for bucket in &audit.platform.buckets {
        let policy = audit.bucket_policies.iter().find(|policy| policy.name == bucket.name);
        let statements: Vec<&Statement> = policy.iter().flat_map(|policy| &policy.statements).collect();
        let denies = statements.iter().all(|statement| statement.effect == Effect::Deny);
        let (level, title) = if denies { ("deny", "Denied") } else { ("write", "Allowed") };
        let notes: Vec<String> = statements.iter().map(|statement| statement.reason.clone()).collect();
        cell(formatter, &[&id, "policy", &bucket.name], level, &[title.into()], &notes, &statements)?;
    }
    writeln!(formatter, "</tr>")
}

fn cell(
    formatter: &mut fmt::Formatter<'_>,
    place: &[&str],
    level: &str,
    titles: &[String],
    notes: &[String],
    statements: &[&Statement],
) -> fmt::Result {
    if statements.is_empty() {
        return writeln!(formatter, "<td class=\"nothing\">–</td>");
    }
    write!(formatter, "<td id=\"{0}/cell\" class=\"{level}\"><a href=\"#{0}\">", Anchor(place))?;
    for title in titles {
        write!(formatter, "<strong>{}</strong>", Escaped(title))?;
    }
    for note in notes {
        write!(formatter, "<em>{}</em>", Escaped(note))?;
    }
    let effective = statements.iter().filter(|statement| level == "deny" || statement.effect == Effect::Allow);
    let mut actions: Vec<&str> =
        effective.flat_map(|statement| &statement.actions).map(|action| short(action)).collect();
    actions.sort_unstable();
    actions.dedup();
    write!(formatter, "<span class=\"actions\">")?;
    for action in actions {
        write!(formatter, "<code>{}</code> ", breakable(action))?;
    }
    writeln!(formatter, "</span></a></td>")
}

/// An action without its service, unless it is all of them.
fn short(action: &str) -> &str {
    match action.split_once(':') {
        Some((_, name)) if name != "*" => name,
        _ => action,
    }
}

/// A name that may be broken before its capitals.
fn breakable(action: &str) -> String {
    let mut text = String::new();
    for character in action.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push_str("<wbr />");
        }
        text.push_str(&Escaped(character.encode_utf8(&mut [0; 4])).to_string());
    }
    text
}
