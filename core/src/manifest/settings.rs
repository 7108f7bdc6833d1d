//! Reads settings of the operator itself, with the same care as a platform.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::core::schema::StructuralSchemaRewriter;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::check::{Checker, Empty, Report, join};
use super::node::{Broken, Node};
use super::yaml;
use super::{Error, PROBLEMS_LIMIT, Problem};

/// The most bytes that a file may take in memory.
const LIMIT: usize = 16 << 20;

/// Reads a text that holds one document, and checks it against the schema of `T`. `name` stands for the file in messages;
/// `refused` says what is wrong with a text anywhere in it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn settings<T: DeserializeOwned + JsonSchema>(
    name: &str,
    text: &str,
    refused: impl Fn(&str) -> Option<String>,
) -> Result<T, Error> {
    let problem = |line, path: &str, message: String| Problem { file: name.into(), line, path: path.into(), message };
    let only = |problem| Error::Invalid(vec![problem], 0);
    let document = document(text).map_err(|Broken { line, message }| only(problem(Some(line), "", message)))?;
    if document.bytes > LIMIT {
        let message = format!("takes more than {} MiB, with what its aliases stand for: write less", LIMIT >> 20);
        return Err(only(problem(None, "", message)));
    }
    let Report { findings, more, lines, .. } = Checker::new(schema::<T>(), Empty::Refused).check(&document);
    let mut problems: Vec<Problem> =
        findings.into_iter().map(|finding| problem(Some(finding.line), &finding.path, finding.message)).collect();
    let json = document.to_json();
    for (path, text) in strings("", &json) {
        if let Some(message) = refused(text) {
            problems.push(problem(lines.get(&path).copied(), &path, message));
        }
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        let beyond = problems.len().saturating_sub(PROBLEMS_LIMIT);
        problems.truncate(PROBLEMS_LIMIT);
        return Err(Error::Invalid(problems, more + beyond));
    }
    serde_json::from_value(json)
        .map_err(|error| only(problem(Some(document.line), "", format!("cannot be read: {error}"))))
}

/// Every text in a document, with its path.
fn strings<'a>(path: &str, value: &'a Value) -> Vec<(String, &'a str)> {
    match value {
        Value::String(text) => vec![(path.to_string(), text)],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(index, item)| strings(&format!("{path}[{index}]"), item)).collect()
        }
        Value::Object(fields) => fields.iter().flat_map(|(name, value)| strings(&join(path, name), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn document(text: &str) -> Result<Node<'_>, Broken> {
    let mut documents = yaml::documents(text);
    let first = documents.next().unwrap_or_else(|| Err(Broken { line: 1, message: "is empty".into() }))?;
    match documents.next() {
        None => Ok(first),
        Some(Err(broken)) => Err(broken),
        Some(Ok(second)) => {
            Err(Broken { line: second.line, message: "a second document begins here: one is expected".into() })
        }
    }
}

/// The schema of a type in the form that the custom resource's schema has.
pub(crate) fn schema<T: JsonSchema>() -> JSONSchemaProps {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let schema = settings.with_transform(StructuralSchemaRewriter).into_generator().into_root_schema_for::<T>();
    serde_json::from_value(schema.to_value()).unwrap_or_default()
}
