//! Trust policies.

use serde_json::{Value, json};

use super::*;

fn trust(spec: Value) -> Value {
    only(spec).trust_policy().as_written()
}

#[test]
fn irsa_trusts_one_service_account_by_the_clusters_provider() {
    let provider = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    let mut spec = calls(json!({}));
    spec["access"][0]["serviceAccount"] = json!({"name": "api", "namespace": "search"});
    assert_eq!(
        trust(spec),
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "ServiceAccount",
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                "oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub": "system:serviceaccount:search:api",
                "oidc.eks.eu-west-1.amazonaws.com/id/ABC:aud": "sts.amazonaws.com",
            }},
        }]})
    );
}

#[test]
fn pod_identity_trusts_eks_for_one_service_account_of_one_cluster() {
    let mut spec = calls(json!({}));
    spec["identity"] = json!({"podIdentity": {"clusterArn": "arn:aws:eks:us-east-1:123456789012:cluster/prod"}});
    assert_eq!(
        trust(spec.clone()),
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "ServiceAccount",
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": "123456789012",
                    "aws:RequestTag/kubernetes-namespace": "support",
                    "aws:RequestTag/kubernetes-service-account": "api",
                },
                "ArnEquals": {"aws:SourceArn": "arn:aws:eks:us-east-1:123456789012:cluster/prod"},
            },
        }]})
    );
    let account = ServiceAccount { namespace: "support".into(), name: "api".into() };
    assert_eq!(only(spec).subject, Subject::PodIdentity(account, "prod".into()));
}

#[test]
fn principals_are_trusted_by_name_and_need_no_identity() {
    let mut spec = calls(json!({}));
    let names = ["arn:aws:iam::123456789012:role/batch", "arn:aws:iam::210987654321:user/mara"];
    spec["access"][0] = json!({"name": "api", "principalArns": names, "models": ["fast"]});
    spec["identity"] = Value::Null;
    assert_eq!(
        trust(spec.clone()),
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "Principals",
            "Effect": "Allow",
            "Principal": {"AWS": names},
            "Action": "sts:AssumeRole",
        }]})
    );
    assert_eq!(only(spec).subject.to_string(), names.join(", "));
}
