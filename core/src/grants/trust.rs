//! Trust policies: a role may be assumed by one service account, or the principals that the spec names.

use super::{ServiceAccount, Subject};
use crate::api::access::Consumer;
use crate::platform::{Identity, Platform};
use crate::policy::Statement;

pub(super) fn subject(platform: &Platform, consumer: &Consumer) -> Subject {
    let account = consumer.service_account.as_ref().map(|account| ServiceAccount::of(account, &platform.namespace));
    let pods = account.and_then(|account| pods(platform, account));
    pods.unwrap_or_else(|| Subject::Principals(consumer.principal_arns.clone()))
}

/// The pods of a service account, by the way in which the platform's pods get credentials.
pub(super) fn pods(platform: &Platform, account: ServiceAccount) -> Option<Subject> {
    match platform.identity.as_ref()? {
        Identity::Irsa { .. } => Some(Subject::Irsa(account)),
        Identity::PodIdentity { cluster, .. } => Some(Subject::PodIdentity(account, cluster.clone())),
    }
}

/// `path` is the consumer's or the model's in the spec.
pub(super) fn statements(platform: &Platform, subject: &Subject, path: &str) -> Vec<Statement> {
    let field = match subject {
        Subject::Irsa(_) | Subject::PodIdentity(..) if path.starts_with("spec.models[") => "source",
        Subject::Irsa(_) | Subject::PodIdentity(..) => "serviceAccount",
        Subject::Principals(_) => "principalArns",
        Subject::SageMaker(_) => return Vec::new(),
    };
    let path = format!("{path}.{field}");
    let statement = |name: &str, actions: &[&str], because: String| {
        Statement::allow(name, actions, Vec::new(), because).since(&path)
    };
    match (subject, &platform.identity) {
        (Subject::Irsa(account), Some(Identity::Irsa { provider_arn, issuer })) => {
            let because =
                format!("pods of service account {account}, for whom the cluster's OpenID Connect provider vouches");
            let subject = format!("system:serviceaccount:{}:{}", account.namespace, account.name);
            vec![
                statement("ServiceAccount", &["sts:AssumeRoleWithWebIdentity"], because)
                    .by("Federated", vec![provider_arn.clone()])
                    .when("StringEquals", &format!("{issuer}:sub"), vec![subject])
                    .when("StringEquals", &format!("{issuer}:aud"), vec!["sts.amazonaws.com".into()]),
            ]
        }
        // EKS names the service account in session tags, unless an association switches those off. Without the
        // conditions on them, whoever may make associations in the cluster could lead other pods to the role.
        // Source: "Create IAM role with trust policy required by EKS Pod Identity", Amazon EKS user guide.
        (Subject::PodIdentity(account, _), Some(Identity::PodIdentity { cluster_arn, account_id, .. })) => {
            let because =
                format!("pods of service account {account}, for whom EKS Pod Identity vouches in this cluster only");
            vec![
                statement("ServiceAccount", &["sts:AssumeRole", "sts:TagSession"], because)
                    .by("Service", vec!["pods.eks.amazonaws.com".into()])
                    .when("StringEquals", "aws:SourceAccount", vec![account_id.clone()])
                    .when("StringEquals", "aws:RequestTag/kubernetes-namespace", vec![account.namespace.clone()])
                    .when("StringEquals", "aws:RequestTag/kubernetes-service-account", vec![account.name.clone()])
                    .when("ArnEquals", "aws:SourceArn", vec![cluster_arn.clone()]),
            ]
        }
        (Subject::Principals(names), _) => {
            let because = "the principals that the spec names".to_string();
            vec![statement("Principals", &["sts:AssumeRole"], because).by("AWS", names.clone())]
        }
        _ => Vec::new(),
    }
}
