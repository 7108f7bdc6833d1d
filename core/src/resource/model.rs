//! A SageMaker model: what a container is made of. Immutable, so its name ends in a hash of its content.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::Key;
use super::reference::Reference;
use super::{Kind, Removal, Revision, TAGS};
use crate::drift_events::naming::{RecordedCalls, named, with_arns};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, MakesRole, Managed, Nothing,
    OwnedBy, Part, Reads, Reliance, Service,
};
use crate::permissions;
use crate::tags::Tags;

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Its name, which ends in the hash of its content.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Tags that are ours: the only thing about it that can change.
    pub tags: Tags,
    /// The content.
    #[serde(flatten)]
    pub content: Content,
    /// The resources of the platform that it needs.
    #[serde(skip)]
    pub needs: Vec<Key>,
}

/// The content of a model: all of it is in the hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The container image.
    pub image: String,
    /// The location of the artifact.
    pub data: Option<Data>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// The role the container works with.
    pub execution_role_arn: String,
    /// True when it is cut off from every network.
    pub network_isolation: bool,
    /// The network it runs in, where it is not SageMaker's own.
    pub vpc: Option<VpcConfig>,
}

/// The network of a model. In the hash of a desired model stands what is declared: the id of a group that is made for it
/// is no part of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcConfig {
    /// Subnets of the network interfaces.
    pub subnet_ids: BTreeSet<String>,
    /// Security groups of the network interfaces.
    pub security_group_ids: Vec<Reference>,
}

/// The location of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// `s3://bucket/key`, or `s3://bucket/prefix/` for one that is not compressed.
    pub uri: String,
}

impl Data {
    /// True when it is a prefix of files that are not compressed.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.uri.ends_with('/')
    }
}

/// The bucket and the rest of an `s3://` URI.
#[must_use]
pub fn bucket_and_key(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix("s3://")?.split_once('/')
}

impl Managed for Model {
    const INFO: Info = Info {
        name: "SageMakerModel",
        noun: "model",
        part: Part::Models,
        backend: Backend::Aws(Service::SageMaker),
        identity: Identity::ContentHash,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::RefusedWhereTaken,
        before_deletion: BeforeDeletion::Remembered,
        leaves: &[],
        reads: Reads::HourlyAsFixed,
        rests_on_events: true,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::Role, Kind::Bucket, Kind::SecurityGroup],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: permissions::sagemaker::OF_MODELS,
        changed_by: &[
            RecordedCalls {
                names: &["CreateModel", "DeleteModel"],
                about: |parameters| named(parameters, "modelName"),
            },
            RecordedCalls {
                names: &["AddTags", "DeleteTags"],
                about: |parameters| with_arns(parameters, "resourceArn"),
            },
        ],
    };
    type Write = Nothing;
    type Facts = Revision;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Key> {
        let groups = self.references().into_iter().filter_map(|reference| reference.key.clone());
        self.needs.iter().cloned().chain(groups).collect()
    }

    fn references(&self) -> Vec<&Reference> {
        self.content.vpc.iter().flat_map(|vpc| &vpc.security_group_ids).collect()
    }

    fn resolve(&mut self, resolve: &mut dyn FnMut(&mut Reference)) {
        self.content.vpc.iter_mut().flat_map(|vpc| &mut vpc.security_group_ids).for_each(resolve);
    }

    /// Its name holds the hash of its content, and SageMaker changes none of it.
    fn comparable(&self) -> Value {
        json!({"tags": self.tags})
    }

    fn arn(&self) -> Option<String> {
        Some(self.arn.clone())
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}
