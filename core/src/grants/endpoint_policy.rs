//! The policy of a VPC endpoint: which calls may take this path at all, whoever makes them.

use super::{bedrock, sagemaker, sid};
use crate::api::network::EndpointPolicy;
use crate::arn;
use crate::platform::{Backend, Platform};
use crate::policy::Statement;
use crate::resource::{Key, Kind};

/// The key of the account that a caller belongs to.
const CALLER: &str = "aws:PrincipalAccount";

/// The statements of the policy of an endpoint for a service. A Scoped one without statements allows nothing.
#[must_use]
pub fn endpoint_policy(platform: &Platform, service: &str, policy: EndpointPolicy) -> Vec<Statement> {
    let source = format!("spec.network.endpoints.policy.{service}");
    let everybody = |statement: Statement| statement.by("AWS", vec!["*".into()]).since(&source);
    let of_account =
        |statement: Statement| everybody(statement).when("StringEquals", CALLER, vec![platform.account_id.clone()]);
    match policy {
        EndpointPolicy::Full => {
            let because = format!("the endpoint for {service} is open to every caller and every action");
            vec![everybody(Statement::allow("Full", &["*"], vec!["*".into()], because))]
        }
        EndpointPolicy::Account => {
            let because = format!("callers of account {} take every action through the endpoint", platform.account_id);
            vec![of_account(Statement::allow("Account", &["*"], vec!["*".into()], because))]
        }
        EndpointPolicy::Scoped => match service {
            "bedrock-runtime" => of_models(platform).into_iter().map(of_account).collect(),
            "sagemaker.runtime" => of_endpoints(platform).into_iter().map(of_account).collect(),
            "s3" => {
                let layers = everybody(container_layers(platform));
                of_buckets(platform).into_iter().map(of_account).chain([layers]).collect()
            }
            // Validation lets no other service be Scoped: nothing is allowed.
            _ => Vec::new(),
        },
    }
}

fn of_models(platform: &Platform) -> Vec<Statement> {
    let models = platform.models.iter().filter_map(|model| Some((&model.name, model.bedrock()?)));
    let statements = models.flat_map(|(name, model)| {
        let because = format!("model {name} may be called through the endpoint");
        bedrock::model_statements(platform, &because, name, model)
    });
    statements.collect()
}

fn of_endpoints(platform: &Platform) -> Vec<Statement> {
    let models = platform.models.iter().filter_map(|model| match &model.backend {
        Backend::SageMaker(spec) => Some((&model.name, spec)),
        Backend::Bedrock(_) => None,
    });
    let statements = models.map(|(name, model)| {
        let because = format!("model {name} may be called through the endpoint");
        sagemaker::model_statement(platform, because, name, model)
    });
    statements.collect()
}

fn of_buckets(platform: &Platform) -> Vec<Statement> {
    let statements = platform.buckets.iter().map(|bucket| {
        let arn = arn::bucket(&platform.region, &bucket.bucket_name);
        let because = format!("bucket {} may be used through the endpoint", bucket.name);
        Statement::allow(sid(&["Use", &bucket.name]), &["s3:*"], vec![arn.clone(), format!("{arn}/*")], because)
            .about(Key { kind: Kind::Bucket, name: bucket.bucket_name.clone() })
    });
    statements.collect()
}

/// Amazon ECR keeps the layers of images in a bucket of its own in each region.
/// Source: "Minimum Amazon S3 Bucket Permissions for Amazon ECR", Amazon ECR user guide.
fn container_layers(platform: &Platform) -> Statement {
    let bucket = arn::bucket(&platform.region, &format!("prod-{}-starport-layer-bucket", platform.region));
    let because = "images are pulled through the endpoint: Amazon ECR keeps their layers there";
    Statement::allow("ContainerLayers", &["s3:GetObject"], vec![format!("{bucket}/*")], because)
}
