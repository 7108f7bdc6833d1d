//! The needs of one revision in the role made for a model: its image, its artifact, where it writes, and the keys of
//! the buckets behind those.
//!
//! It is computed from what the revision is made of, in the same way for the declared revision and for one that was
//! observed: what a live policy says is never taken over.

use super::storage::{bucket_key, in_account, key_statement};
use super::{sid, tell_apart};
use crate::arn;
use crate::policy::Statement;
use crate::resource::model::{VpcConfig, bucket_and_key};
use crate::resource::role::Served;
use crate::resource::{endpoint_config, model};

const PULL: [&str; 3] = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

const USE_INTERFACES: [&str; 3] =
    ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"];

const READ_NETWORK: [&str; 5] = [
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
];

/// The parts of one revision of a model.
#[derive(Clone, Copy, Debug)]
pub struct Revision<'a> {
    /// The SageMaker model, where it is known.
    pub model: Option<&'a model::Content>,
    /// The endpoint configuration, where it is known.
    pub config: Option<&'a endpoint_config::Content>,
}

/// The buckets that a revision names, as far as they are known.
pub trait Buckets {
    /// The name of a bucket in statements, and its KMS key where it has one.
    fn find(&self, bucket_name: &str) -> Option<(String, Option<String>)>;

    /// True when an artifact may be loaded from this URI although its bucket is not the platform's.
    fn is_allowed(&self, uri: &str) -> bool;
}

/// One use of a bucket: the URI, the field of the spec that says so, and whether it is written.
struct Use<'a> {
    uri: &'a str,
    field: &'static str,
    writes: bool,
}

impl Served {
    /// The statements of the policy for one revision.
    #[must_use]
    pub fn statements(&self, revision: &Revision, buckets: &impl Buckets) -> Vec<Statement> {
        let uses = uses(revision);
        let mut statements: Vec<Statement> = self.image(revision).into_iter().collect();
        statements.extend(uses.iter().flat_map(|used| self.objects(used, buckets)));
        statements.extend(self.keys(&uses, buckets));
        statements
            .extend(revision.model.and_then(|model| model.vpc.as_ref()).into_iter().flat_map(|vpc| self.network(vpc)));
        tell_apart(&mut statements);
        statements
    }

    fn image(&self, revision: &Revision) -> Option<Statement> {
        let image = &revision.model?.image;
        let because = format!("this revision of model {} runs {image}", self.model);
        let repository = vec![repository(image)?];
        Some(Statement::allow("Image", &PULL, repository, because).since(&self.field("image")))
    }

    /// Sources: "Complete the prerequisites" of asynchronous inference and "Capture data from real-time endpoint",
    /// Amazon SageMaker developer guide.
    fn objects(&self, used: &Use, buckets: &impl Buckets) -> Vec<Statement> {
        let Use { uri, field, .. } = used;
        let model = &self.model;
        let below = uri.ends_with('/');
        let (name, actions, list, because): (_, &[&str], _, _) = match *field {
            "async" => (
                "RequestsAndAnswers",
                &["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                Some("ListRequestsAndAnswers"),
                format!("model {model} reads requests and writes answers below {uri}"),
            ),
            "dataCapture" => (
                "Capture",
                &["s3:PutObject"],
                None,
                format!("requests to model {model} and its answers are kept below {uri}"),
            ),
            _ => (
                "Artifact",
                &["s3:GetObject"],
                below.then_some("ListArtifact"),
                format!("this revision of model {model} loads {uri}"),
            ),
        };
        let Some((bucket, key)) = bucket_and_key(uri).filter(|(bucket, key)| is_plain(bucket) && is_plain(key)) else {
            return Vec::new();
        };
        let arn = arn::bucket(&self.region, bucket);
        let object = format!("{arn}/{key}{}", if below { "*" } else { "" });
        let listing = list.map(|name| {
            let listed = Statement::allow(name, &["s3:ListBucket"], vec![arn.clone()], &because);
            listed.when("StringLike", "s3:prefix", vec![format!("{key}*")])
        });
        let about = (used.writes || !buckets.is_allowed(uri)).then(|| bucket_key(bucket));
        std::iter::once(Statement::allow(name, actions, vec![object], &because))
            .chain(listing)
            .map(|statement| in_account(statement, &self.account_id).since(&self.field(field)))
            .map(|statement| Statement { about: about.clone(), ..statement })
            .collect()
    }

    /// The key of every bucket that is read or written and is encrypted with one, once.
    fn keys(&self, uses: &[Use], buckets: &impl Buckets) -> Vec<Statement> {
        let mut keys: Vec<(&str, &str, bool)> = Vec::new();
        for Use { uri, field, writes } in uses {
            let bucket = bucket_and_key(uri).map(|(bucket, _)| bucket).unwrap_or_default();
            match keys.iter_mut().find(|(known, ..)| *known == bucket) {
                Some((_, _, written)) => *written |= writes,
                None => keys.push((bucket, field, *writes)),
            }
        }
        let statement = |(bucket, field, writes): (&str, &str, bool)| {
            let (label, key) = buckets.find(bucket)?;
            let because = format!("bucket {label} is encrypted with this key");
            let name = sid(&["Key", "Of", &label]);
            Some(key_statement(&self.region, bucket, &key?, writes, name, because).since(&self.field(field)))
        };
        keys.into_iter().filter_map(statement).collect()
    }

    /// SageMaker puts network interfaces into the subnets. Their groups are of the subnets' VPC, whatever they are.
    fn network(&self, vpc: &VpcConfig) -> Vec<Statement> {
        let Self { region, account_id, model, .. } = self;
        let arn = |resource: &str, id: &str| arn::ec2(region, account_id, resource, id);
        let subnets: Vec<String> =
            vpc.subnet_ids.iter().filter(|id| is_plain(id)).map(|id| arn("subnet", id)).collect();
        let interfaces = arn("network-interface", "*");
        let places = subnets.iter().cloned().chain([interfaces.clone(), arn("security-group", "*")]).collect();
        let because = format!("model {model} has network interfaces in the platform's subnets");
        let statements = [
            Statement::allow("MakeNetworkInterfaces", &["ec2:CreateNetworkInterface"], places, &because),
            Statement::allow("UseNetworkInterfaces", &USE_INTERFACES, vec![interfaces], &because).when(
                "ArnEquals",
                "ec2:Subnet",
                subnets,
            ),
            Statement::allow("ReadNetwork", &READ_NETWORK, vec!["*".into()], "IAM knows no resource for descriptions"),
        ];
        statements.into_iter().map(|statement| statement.since("spec.network")).collect()
    }

    fn field(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }
}

/// The buckets that a revision works with, and what it does there.
fn uses<'a>(revision: &Revision<'a>) -> Vec<Use<'a>> {
    let artifact = revision.model.and_then(|model| model.data.as_ref());
    let artifact = artifact.map(|data| Use { uri: &data.uri, field: "modelData", writes: false });
    let answers = revision.config.and_then(|config| config.asynchronous.as_ref());
    let answers = answers.map(|it| Use { uri: &it.output_uri, field: "async", writes: true });
    let captured = revision.config.and_then(|config| config.data_capture.as_ref());
    let captured = captured.map(|it| Use { uri: &it.destination_uri, field: "dataCapture", writes: true });
    artifact.into_iter().chain(answers).chain(captured).collect()
}

/// True when a text stands for nothing but itself in a policy. Validation has refused all others; what is observed may
/// have been made by somebody else.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(['*', '?', '$'])
}

/// The ARN of the repository of an image `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`.
fn repository(image: &str) -> Option<String> {
    let (host, path) = image.split_once('/')?;
    let mut parts = host.split('.');
    let (account, region) = (parts.next()?, parts.nth(2)?);
    let name = path.split([':', '@']).next().filter(|name| is_plain(name) && is_plain(host))?;
    Some(arn::repository(region, account, name))
}
