//! Reads settings of the operator itself, with the same care as a platform.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::core::schema::StructuralSchemaRewriter;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

use super::check::{Checker, Report};
use super::yaml::{self, Broken, Node};
use super::{Error, Problem};

/// The most bytes that a file may take in memory.
const LIMIT: usize = 16 << 20;

/// Reads a text that holds one document, and checks it against the schema of `T`. `name` stands for the file in messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn settings<T: DeserializeOwned + JsonSchema>(name: &str, text: &str) -> Result<T, Error> {
    let problem = |line, path: &str, message: String| Problem { file: name.into(), line, path: path.into(), message };
    let only = |problem| Error::Invalid(vec![problem], 0);
    let document = document(text).map_err(|Broken { line, message }| only(problem(Some(line), "", message)))?;
    if document.bytes > LIMIT {
        let message = format!("takes more than {} MiB, with what its aliases stand for: write less", LIMIT >> 20);
        return Err(only(problem(None, "", message)));
    }
    let Report { findings, more, .. } = Checker::new(schema::<T>()).check(&document);
    if !findings.is_empty() {
        let mut problems: Vec<Problem> =
            findings.into_iter().map(|finding| problem(Some(finding.line), &finding.path, finding.message)).collect();
        problems.sort_by_key(|problem| problem.line);
        return Err(Error::Invalid(problems, more));
    }
    serde_json::from_value(document.to_json())
        .map_err(|error| only(problem(Some(document.line), "", format!("cannot be read: {error}"))))
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
