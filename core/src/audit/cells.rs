//! The statements of a role by the model or bucket that they are about: the cells of the matrix.

use super::Audit;
use crate::grants::model_buckets::used;
use crate::grants::{Grant, Purpose};
use crate::policy::Statement;

/// Something roles are about: what stands above a column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A model, by its name.
    Model(&'a str),
    /// A bucket, by its name in the spec.
    Bucket(&'a str),
}

impl Audit {
    /// Everything that roles are about, in the order of the spec.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Target<'_>> {
        let models = self.platform.models.iter().map(|model| Target::Model(&model.name));
        models.chain(self.platform.buckets.iter().map(|bucket| Target::Bucket(&bucket.name)))
    }

    /// The statements that a role has because of one target.
    pub(crate) fn statements<'a>(&'a self, role: &'a Grant, target: Target<'a>) -> Vec<&'a Statement> {
        let all = role.policies.iter().flat_map(|(_, statements)| statements);
        match role.purpose {
            Purpose::Consumer => {
                let sources = self.consumed(role, target);
                all.filter(|statement| sources.contains(&statement.source)).collect()
            }
            Purpose::Execution => {
                let fields = self.worked_with(role);
                let about = |statement: &Statement| {
                    let field = fields.iter().find(|(field, _)| *field == statement.source);
                    field.map_or(Target::Model(&role.name), |(_, bucket)| Target::Bucket(bucket))
                };
                all.filter(|statement| about(statement) == target).collect()
            }
            Purpose::Workload => {
                let source = self.weights(role);
                let bucket = source.map_or(Target::Model(&role.name), Target::Bucket);
                if bucket == target { all.collect() } else { Vec::new() }
            }
        }
    }

    /// The entries of a consumer that name a target.
    fn consumed(&self, role: &Grant, target: Target) -> Vec<String> {
        let consumers = self.platform.access.iter().enumerate();
        let Some((index, consumer)) = consumers.into_iter().find(|(_, consumer)| consumer.name == role.name) else {
            return Vec::new();
        };
        let path = |list: &str, entry: usize| format!("spec.access[{index}].{list}[{entry}]");
        match target {
            Target::Model(name) => {
                let named = consumer.models.iter().enumerate().filter(|(_, model)| *model == name);
                named.map(|(entry, _)| path("models", entry)).collect()
            }
            Target::Bucket(name) => {
                let named = consumer.buckets.iter().enumerate().filter(|(_, access)| access.name == name);
                named.map(|(entry, _)| path("buckets", entry)).collect()
            }
        }
    }

    /// The bucket of the platform that the pods of a model read their weights from, by its name in the spec.
    fn weights(&self, role: &Grant) -> Option<&str> {
        let model = self.platform.models.iter().find(|model| model.name == role.name)?;
        let source = model.kubernetes()?.source.as_ref()?.s3.as_ref()?;
        Some(self.platform.bucket(source.bucket.as_deref()?)?.name.as_str())
    }

    /// The fields of a model that name buckets of the platform, and those buckets.
    fn worked_with(&self, role: &Grant) -> Vec<(String, &str)> {
        let mut models = self.platform.models.iter().enumerate();
        let Some((index, model)) = models.find(|(_, model)| model.name == role.name) else { return Vec::new() };
        let used = model.sagemaker().into_iter().flat_map(|model| used(&self.platform, model));
        used.map(|(how, bucket, _)| (format!("spec.models[{index}].sagemaker.{}", how.field()), bucket.name.as_str()))
            .collect()
    }
}
