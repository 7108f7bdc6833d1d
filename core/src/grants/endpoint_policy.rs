//! The policy of a VPC endpoint: which calls may take this path at all, whoever makes them.

use super::{bedrock, sagemaker, sid, tell_apart};
use crate::api::network::EndpointPolicy;
use crate::arn;
use crate::features::network::sharing::{Borrower, Holder};
use crate::platform::{Backend, Endpoint, Network, Platform};
use crate::policy::Statement;
use crate::resource::{Key, Kind};

/// The key of the account that a caller belongs to.
const CALLER: &str = "aws:PrincipalAccount";

/// The statements of the policy of an endpoint, for the platform and for those that borrow its network. Without any,
/// nothing is allowed: see [`nothing_allowed`].
#[must_use]
pub fn endpoint_policy(platform: &Platform, network: &Network, endpoint: &Endpoint) -> Vec<Statement> {
    let mut statements = of_platform(platform, &endpoint.service, endpoint.policy);
    if endpoint.policy == EndpointPolicy::Scoped {
        statements.extend(network.borrowers.iter().flat_map(|borrower| of_borrower(borrower, &endpoint.service)));
        statements.extend(network.holders.iter().flat_map(|holder| of_holder(platform, holder, &endpoint.service)));
        tell_apart(&mut statements);
    }
    statements
}

/// The statement of an endpoint that nothing may pass yet: an endpoint without a policy of its own allows everything.
#[must_use]
pub fn nothing_allowed() -> Statement {
    let because = "nothing that may be called through the endpoint is there yet";
    Statement::allow("NothingYet", &["*"], vec!["*".into()], because).denying().by("AWS", vec!["*".into()])
}

/// Resources that a borrower has attained may be called through the owner's endpoint.
fn of_borrower(borrower: &Borrower, service: &str) -> Vec<Statement> {
    let id = borrower.platform.id();
    let statements = borrower.attained(of_platform(&borrower.platform, service, EndpointPolicy::Scoped));
    let named = statements.into_iter().map(|statement| Statement {
        reason: format!("{} (AIPlatform {id} borrows the network)", statement.reason),
        source: format!("AIPlatform {id} {}", statement.source),
        ..statement
    });
    named.collect()
}

/// Objects of a bucket may be reached through the endpoint alone: what belongs to a platform that still relies on it goes
/// on to pass.
fn of_holder(owner: &Platform, holder: &Holder, service: &str) -> Vec<Statement> {
    let buckets = holder.buckets.iter().filter(|_| service == "s3");
    let statements = buckets.map(|bucket| {
        let because = format!("bucket {bucket} of AIPlatform {} may still be used through the endpoint", holder.id);
        of_bucket(owner, bucket, bucket, because)
            .by("AWS", vec!["*".into()])
            .when("StringEquals", CALLER, vec![owner.account_id.clone()])
            .since(&format!("AIPlatform {}", holder.id))
    });
    statements.collect()
}

fn of_platform(platform: &Platform, service: &str, policy: EndpointPolicy) -> Vec<Statement> {
    let source = format!("spec.network.endpoints.policy.{service}");
    let everybody = |statement: Statement| statement.by("AWS", vec!["*".into()]);
    let of_account =
        |statement: Statement| everybody(statement).when("StringEquals", CALLER, vec![platform.account_id.clone()]);
    match policy {
        EndpointPolicy::Full => {
            let because = format!("the endpoint for {service} is open to every caller and every action");
            vec![everybody(Statement::allow("Full", &["*"], vec!["*".into()], because)).since(&source)]
        }
        EndpointPolicy::Account => {
            let because = format!("callers of account {} take every action through the endpoint", platform.account_id);
            let account = of_account(Statement::allow("Account", &["*"], vec!["*".into()], because)).since(&source);
            let without_account = match service {
                "s3" => Some(container_layers(platform)),
                "sts" => Some(federated(platform)),
                _ => None,
            };
            [account].into_iter().chain(without_account.map(|statement| everybody(statement).since(&source))).collect()
        }
        EndpointPolicy::Scoped => match service {
            "bedrock-runtime" => of_models(platform).into_iter().map(of_account).collect(),
            "sagemaker.runtime" => of_endpoints(platform).into_iter().map(of_account).collect(),
            "s3" => {
                let layers = everybody(container_layers(platform)).since(&source);
                of_buckets(platform).into_iter().map(of_account).chain([layers]).collect()
            }
            // Validation lets no other service be Scoped: nothing is allowed.
            _ => Vec::new(),
        },
    }
}

fn of_models(platform: &Platform) -> Vec<Statement> {
    let models = platform.models.iter().enumerate();
    let models = models.filter_map(|(index, model)| Some((index, &model.name, model.bedrock()?)));
    let statements = models.flat_map(|(index, name, model)| {
        let because = format!("model {name} may be called through the endpoint");
        let statements = bedrock::model_statements(platform, &because, name, model);
        statements.into_iter().map(move |statement| statement.since(&format!("spec.models[{index}]")))
    });
    statements.collect()
}

fn of_endpoints(platform: &Platform) -> Vec<Statement> {
    let models = platform.models.iter().enumerate().filter_map(|(index, model)| match &model.backend {
        Backend::SageMaker(spec) => Some((index, &model.name, spec)),
        Backend::Bedrock(_) | Backend::Kubernetes(_) => None,
    });
    let statements = models.map(|(index, name, model)| {
        let because = format!("model {name} may be called through the endpoint");
        sagemaker::model_statement(platform, because, name, model).since(&format!("spec.models[{index}]"))
    });
    statements.collect()
}

fn of_buckets(platform: &Platform) -> Vec<Statement> {
    let statements = platform.buckets.iter().enumerate().map(|(index, bucket)| {
        let because = format!("bucket {} may be used through the endpoint", bucket.name);
        of_bucket(platform, &bucket.name, &bucket.bucket_name, because)
            .since(&format!("spec.storage.buckets[{index}]"))
            .about(Key { kind: Kind::Bucket, name: bucket.bucket_name.clone() })
    });
    statements.collect()
}

fn of_bucket(platform: &Platform, name: &str, bucket_name: &str, because: String) -> Statement {
    let arn = arn::bucket(&platform.region, bucket_name);
    Statement::allow(sid(&["Use", name]), &["s3:*"], vec![arn.clone(), format!("{arn}/*")], because).when(
        "StringEquals",
        "aws:ResourceAccount",
        vec![platform.account_id.clone()],
    )
}

/// A pod that has nothing but the token of its service account signs no request and belongs to no account until it has
/// the credentials that it asks for.
/// Source: "`AssumeRoleWithWebIdentity`", AWS STS API reference.
fn federated(platform: &Platform) -> Statement {
    let roles = arn::role(&platform.region, &platform.account_id, "/", "*");
    let because = format!("whoever has only a token of an identity provider gets a role of {}", platform.account_id);
    let actions = ["sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];
    Statement::allow("FederatedCallers", &actions, vec![roles], because)
}

/// Amazon ECR keeps the layers of images in a bucket of its own in each region.
/// Source: "Minimum Amazon S3 Bucket Permissions for Amazon ECR", Amazon ECR user guide.
fn container_layers(platform: &Platform) -> Statement {
    let bucket = arn::bucket(&platform.region, &format!("prod-{}-starport-layer-bucket", platform.region));
    let because = "images are pulled through the endpoint: Amazon ECR keeps their layers there";
    Statement::allow("ContainerLayers", &["s3:GetObject"], vec![format!("{bucket}/*")], because)
}
