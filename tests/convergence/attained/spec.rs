//! Specs that name buckets and an endpoint in every way there is.

use aiplatform::api::AIPlatform;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::super::scenario::{ACCOUNT, REGION, object};

/// A bucket with artifacts that the guardrails allow.
pub const ALLOWED: &str = "models-for-all";

/// What a spec says of a few buckets, of one model and of those who use them.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of each bucket whether it has a name of its own, is taken over where it exists, and has a key.
    pub buckets: Vec<(bool, bool, bool)>,
    artifact: Artifact,
    answers: Option<Index>,
    capture: Option<Index>,
    image: char,
    /// Of each consumer whether it calls the model, and how it uses which bucket.
    consumers: Vec<(bool, Option<(Index, &'static str)>)>,
}

#[derive(Clone, Debug)]
enum Artifact {
    Inside,
    Own(Index),
    Allowed,
}

impl Wanted {
    fn bucket(&self, index: Index) -> String {
        format!("bucket-{}", index.index(self.buckets.len()))
    }

    pub fn to_object(&self) -> AIPlatform {
        let buckets = self.buckets.iter().enumerate().map(|(index, (named, adopt, kms))| {
            let mut bucket = json!({"name": format!("bucket-{index}"), "adopt": adopt, "deletionPolicy": "Retain"});
            if *named {
                bucket["bucketName"] = json!(format!("chosen-{index}-{ACCOUNT}"));
            }
            if *kms {
                bucket["encryption"] = json!({"kmsKeyArn": format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{index}")});
            }
            bucket
        });
        let mut model = json!({
            "image": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/rank:{}", self.image),
            "instance": {"type": "ml.m5.large"},
            "keepRevisions": 1,
        });
        match &self.artifact {
            Artifact::Inside => {}
            Artifact::Own(bucket) => model["modelData"] = json!({"bucket": self.bucket(*bucket), "key": "rank.tar.gz"}),
            Artifact::Allowed => model["modelData"] = json!({"uri": format!("s3://{ALLOWED}/rank.tar.gz")}),
        }
        if let Some(bucket) = &self.answers {
            model["async"] = json!({"output": {"bucket": self.bucket(*bucket), "prefix": "answers/"}});
        }
        if let Some(bucket) = &self.capture {
            model["dataCapture"] = json!({"destination": {"bucket": self.bucket(*bucket), "prefix": "capture/"}});
        }
        let consumers = self.consumers.iter().enumerate().map(|(index, (calls, uses))| {
            let models: &[&str] = if *calls || uses.is_none() { &["rank"] } else { &[] };
            let uses: Vec<Value> =
                uses.iter().map(|(bucket, mode)| json!({"name": self.bucket(*bucket), "mode": mode})).collect();
            let principal = format!("arn:aws:iam::{ACCOUNT}:role/batch");
            json!({"name": format!("consumer-{index}"), "principalArns": [principal], "models": models, "buckets": uses})
        });
        object(json!({
            "storage": {"buckets": buckets.collect::<Vec<_>>()},
            "models": [{"name": "rank", "sagemaker": model}],
            "access": consumers.collect::<Vec<_>>(),
        }))
    }
}

pub fn any_wanted() -> impl Strategy<Value = Wanted> {
    let artifact = prop_oneof![
        1 => Just(Artifact::Inside),
        2 => any::<Index>().prop_map(Artifact::Own),
        1 => Just(Artifact::Allowed),
    ];
    let uses = option::weighted(0.8, (any::<Index>(), select(vec!["Read", "ReadWrite"])));
    (
        vec(any::<(bool, bool, bool)>(), 1..4),
        artifact,
        option::of(any::<Index>()),
        option::of(any::<Index>()),
        select(vec!['a', 'b', 'c']),
        vec((any::<bool>(), uses), 1..3),
    )
        .prop_map(|(buckets, artifact, answers, capture, image, consumers)| Wanted {
            buckets,
            artifact,
            answers,
            capture,
            image,
            consumers,
        })
}
