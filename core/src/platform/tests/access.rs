//! Problems with `spec.identity`, `spec.access` and the ARNs beside them.

#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

use serde_json::{Value, json};

use super::{is_fine, is_refused, problems};
use crate::api::AIPlatform;
use crate::platform::{Identity, validate};
use crate::testing::object;

const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
const CLUSTER: &str = "arn:aws:eks:eu-west-1:123456789012:cluster/prod";

fn spec() -> Value {
    json!({
        "identity": {"irsa": {"oidcProviderArn": PROVIDER}},
        "models": [
            {"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}},
            {"name": "smart", "bedrock": {"modelId": "amazon.nova-pro-v1:0"}},
        ],
        "storage": {"buckets": [{"name": "artifacts"}, {"name": "logs"}]},
        "access": [api()],
    })
}

fn api() -> Value {
    json!({"name": "api", "serviceAccount": {"name": "api"}, "models": ["fast"]})
}

/// The valid spec with this value at this place.
fn with(path: &str, value: Value) -> AIPlatform {
    let mut spec = spec();
    let (parent, field) = path.rsplit_once('/').unwrap();
    spec.pointer_mut(parent).unwrap()[field] = value;
    object(spec)
}

/// The valid spec whose only consumer has these fields in place of its own.
fn consumer(fields: Value) -> AIPlatform {
    let mut consumer = api();
    for (field, value) in fields.as_object().unwrap() {
        consumer[field] = value.clone();
    }
    with("/access", json!([consumer]))
}

fn principals(names: Value) -> AIPlatform {
    consumer(json!({"serviceAccount": null, "principalArns": names}))
}

fn buckets(ways: Value) -> AIPlatform {
    consumer(json!({"buckets": ways}))
}

#[test]
fn a_full_example_of_access_is_taken_apart() {
    is_fine(&object(spec()));
    let identity = |identity: Value| validate(&with("/identity", identity)).unwrap().identity;
    assert_eq!(
        identity(json!({"irsa": {"oidcProviderArn": PROVIDER}})),
        Some(Identity::Irsa {
            provider_arn: PROVIDER.into(),
            issuer: "oidc.eks.eu-west-1.amazonaws.com/id/ABC".into()
        })
    );
    assert_eq!(
        identity(json!({"podIdentity": {"clusterArn": "arn:aws:eks:us-east-1:123456789012:cluster/prod"}})),
        Some(Identity::PodIdentity {
            cluster_arn: "arn:aws:eks:us-east-1:123456789012:cluster/prod".into(),
            cluster: "prod".into(),
            region: "us-east-1".into(),
            account_id: "123456789012".into(),
        })
    );
}

#[test]
fn identity_is_one_of_two() {
    for identity in [json!({}), json!({"irsa": {"oidcProviderArn": PROVIDER}, "podIdentity": {"clusterArn": CLUSTER}})]
    {
        is_refused(&with("/identity", identity), "spec.identity", "exactly one of irsa and podIdentity");
    }
}

#[test]
fn an_openid_connect_provider_is_one_of_iam_in_the_partition() {
    for (arn, telling) in [
        ("ABC", "is not an ARN"),
        ("arn:aws:iam::123456789012", "is not an ARN"),
        ("aws:arn:iam::123456789012:oidc-provider/x", "is not an ARN"),
        (CLUSTER, "is an ARN of eks, and one of iam is expected"),
        (
            "arn:aws-cn:iam::123456789012:oidc-provider/x",
            "is in partition aws-cn, and spec.region \"eu-west-1\" is in aws",
        ),
        ("arn:aws:iam::123456789012:role/x", "is not an OpenID Connect provider"),
    ] {
        let object = with("/identity", json!({"irsa": {"oidcProviderArn": arn}}));
        is_refused(&object, "spec.identity.irsa.oidcProviderArn", telling);
    }
}

#[test]
fn a_cluster_is_one_of_eks_in_the_account() {
    let with_cluster = |arn: &str| with("/identity", json!({"podIdentity": {"clusterArn": arn}}));
    is_fine(&with_cluster(CLUSTER));
    for (arn, telling) in [
        ("prod", "is not an ARN"),
        (PROVIDER, "is an ARN of iam, and one of eks is expected"),
        ("arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/prod", "is in partition aws-us-gov"),
        ("arn:aws:eks:eu-west-1:123456789012:nodegroup/prod", "is not an EKS cluster"),
        ("arn:aws:eks:eu-west-1:210987654321:cluster/prod", "spec.accountId is \"123456789012\"; use irsa"),
    ] {
        is_refused(&with_cluster(arn), "spec.identity.podIdentity.clusterArn", telling);
    }
}

#[test]
fn a_boundary_is_a_managed_policy() {
    let path = "spec.permissionsBoundaryArn";
    for arn in ["arn:aws:iam::123456789012:policy/team/boundary", "arn:aws:iam::aws:policy/PowerUserAccess"] {
        is_fine(&with("/permissionsBoundaryArn", json!(arn)));
    }
    for (arn, telling) in [
        ("boundary", "is not an ARN"),
        ("arn:aws:s3:::boundary", "is an ARN of s3, and one of iam is expected"),
        ("arn:aws-cn:iam::123456789012:policy/boundary", "is in partition aws-cn"),
        ("arn:aws:iam::123456789012:role/boundary", "is not a managed policy: arn:aws:iam::ACCOUNT:policy/NAME"),
        ("arn:aws:iam::123456789012:policy/team/../boundary", "has an empty part in its path, or one of dots alone"),
    ] {
        is_refused(&with("/permissionsBoundaryArn", json!(arn)), path, telling);
    }
}

#[test]
fn the_role_to_work_through_is_one_of_the_account() {
    let through = |arn: &str| with("/assumeRole", json!({"roleArn": arn}));
    is_fine(&through("arn:aws:iam::123456789012:role/aiplatform"));
    for (arn, telling) in [
        ("aiplatform", "is not an ARN"),
        ("arn:aws:sts::123456789012:assumed-role/aiplatform/x", "is an ARN of sts, and one of iam is expected"),
        ("arn:aws-us-gov:iam::123456789012:role/aiplatform", "is in partition aws-us-gov"),
        ("arn:aws:iam::123456789012:user/aiplatform", "is not a role"),
        ("arn:aws:iam::123456789012:role/a/../aiplatform", "has an empty part in its path, or one of dots alone"),
        ("arn:aws:iam::210987654321:role/aiplatform", "is a role of account 210987654321, and spec.accountId is"),
    ] {
        is_refused(&through(arn), "spec.assumeRole.roleArn", telling);
    }
}

#[test]
fn consumers_have_names_of_their_own() {
    let second = json!({"name": "api", "serviceAccount": {"name": "other"}, "models": ["fast"]});
    let object = with("/access", json!([api(), second]));
    is_refused(&object, "spec.access[1].name", "\"api\" is the name of spec.access[0] too: names are unique");
}

#[test]
fn a_consumer_is_a_service_account_or_principals() {
    let arn = "arn:aws:iam::123456789012:role/batch";
    let one_of = "exactly one of serviceAccount and principalArns";
    is_fine(&principals(json!([arn])));
    is_refused(&consumer(json!({"serviceAccount": null})), "spec.access[0]", one_of);
    is_refused(&consumer(json!({"principalArns": [arn]})), "spec.access[0]", one_of);
}

#[test]
fn a_service_account_needs_an_identity_and_principals_need_none() {
    let mut bare = spec();
    bare["identity"] = Value::Null;
    is_refused(
        &object(bare.clone()),
        "spec.access[0].serviceAccount",
        "set spec.identity.irsa or spec.identity.podIdentity",
    );
    bare["access"][0] =
        json!({"name": "api", "principalArns": ["arn:aws:iam::123456789012:user/mara"], "models": ["fast"]});
    is_fine(&object(bare));
}

#[test]
fn a_service_account_has_one_role() {
    let also = |account: Value| {
        with("/access", json!([api(), {"name": "batch", "serviceAccount": account, "models": ["fast"]}]))
    };
    is_fine(&also(json!({"name": "batch"})));
    is_fine(&also(json!({"name": "api", "namespace": "search"})));
    for account in [json!({"name": "api"}), json!({"name": "api", "namespace": "support"})] {
        let telling = "support/api is claimed by spec.access[0] too: a service account has one role";
        is_refused(&also(account), "spec.access[1].serviceAccount", telling);
    }
}

#[test]
fn principals_are_roles_and_users_each_named_once() {
    let arn = "arn:aws:iam::123456789012:role/batch";
    is_fine(&principals(json!([arn, "arn:aws:iam::210987654321:user/team/mara"])));
    for (second, telling) in [
        ("batch", "is not an ARN"),
        ("arn:aws:sts::123456789012:assumed-role/batch/x", "is an ARN of sts, and one of iam is expected"),
        ("arn:aws-cn:iam::123456789012:role/batch", "is in partition aws-cn"),
        ("arn:aws:iam::123456789012:root", "is neither a role nor a user: a whole account is too many"),
        ("arn:aws:iam::123456789012:group/all", "is neither a role nor a user"),
        ("arn:aws:iam::123456789012:user//mara", "has an empty part in its path, or one of dots alone"),
        (arn, "is named twice"),
    ] {
        is_refused(&principals(json!([arn, second])), "spec.access[0].principalArns[1]", telling);
    }
}

#[test]
fn models_that_a_consumer_names_are_declared_and_named_once() {
    is_fine(&consumer(json!({"models": ["fast", "smart"]})));
    let unknown = consumer(json!({"models": ["fast", "slow"]}));
    is_refused(&unknown, "spec.access[0].models[1]", "\"slow\" is not in spec.models, which has fast, smart");
    is_refused(&consumer(json!({"models": ["fast", "fast"]})), "spec.access[0].models[1]", "is named twice");
    is_refused(&with("/models", json!([])), "spec.access[0].models[0]", "is not in spec.models, which has nothing");
}

#[test]
fn a_consumer_has_a_foundation_model_under_one_guardrail() {
    let guarded = |second: Value| {
        let first = json!({"modelId": "amazon.nova-lite-v1:0", "guardrail": {"id": "gr1", "version": "1"}});
        let mut spec = spec();
        spec["models"] = json!([{"name": "fast", "bedrock": first}, {"name": "smart", "bedrock": second}]);
        spec["access"][0]["models"] = json!(["fast", "smart"]);
        object(spec)
    };
    let same = json!({"id": "gr1", "version": "1"});
    is_fine(&guarded(json!({"modelId": "amazon.nova-lite-v1:0", "guardrail": same, "streaming": false})));
    is_fine(&guarded(json!({"modelId": "amazon.nova-pro-v1:0"})));
    for guardrail in [json!({"id": "gr1", "version": "2"}), Value::Null] {
        let object = guarded(json!({"modelId": "amazon.nova-lite-v1:0", "guardrail": guardrail}));
        let telling = "\"smart\" is the same foundation model as \"fast\" under another guardrail";
        is_refused(&object, "spec.access[0].models[1]", telling);
    }
}

#[test]
fn buckets_that_a_consumer_names_are_declared() {
    is_fine(&buckets(json!([{"name": "artifacts"}, {"name": "logs", "mode": "ReadWrite"}])));
    let telling = "\"models\" is not in spec.storage.buckets, which has artifacts, logs";
    is_refused(&buckets(json!([{"name": "logs"}, {"name": "models"}])), "spec.access[0].buckets[1].name", telling);
    let mut without = spec();
    without["storage"] = Value::Null;
    without["access"][0]["buckets"] = json!([{"name": "logs"}]);
    is_refused(&object(without), "spec.access[0].buckets[0].name", "which has nothing");
}

#[test]
fn a_bucket_may_be_named_again_for_another_prefix_only() {
    is_fine(&buckets(json!([{"name": "logs", "prefix": "a/"}, {"name": "logs", "prefix": "b/"}, {"name": "logs"}])));
    for prefix in [json!("a/"), Value::Null] {
        let again =
            json!([{"name": "logs", "prefix": prefix}, {"name": "logs", "prefix": prefix, "mode": "ReadWrite"}]);
        is_refused(&buckets(again), "spec.access[0].buckets[1]", "once with mode ReadWrite is enough");
    }
}

#[test]
fn a_prefix_has_nothing_that_means_more_in_a_policy() {
    is_fine(&buckets(json!([{"name": "logs", "prefix": "a b/ü+=@:,()!'"}])));
    for prefix in ["*", "a/*", "a?", "${aws:username}/"] {
        let object = buckets(json!([{"name": "logs", "prefix": prefix}]));
        is_refused(
            &object,
            "spec.access[0].buckets[0].prefix",
            "has one of * ? $, which mean something else in a policy",
        );
    }
}

#[test]
fn a_consumer_of_nothing_is_refused() {
    is_refused(&consumer(json!({"models": []})), "spec.access[0]", "may use nothing: name models or buckets");
    is_fine(&consumer(json!({"models": [], "buckets": [{"name": "logs"}]})));
}

#[test]
fn everything_wrong_with_access_is_said_at_once() {
    let object = object(json!({
        "permissionsBoundaryArn": "boundary",
        "assumeRole": {"roleArn": "arn:aws:iam::210987654321:role/x"},
        "identity": {"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:210987654321:cluster/prod"}},
        "models": [{"name": "fast"}],
        "access": [
            {"name": "api", "principalArns": ["arn:aws:iam::123456789012:root", "x"]},
            {"name": "api", "serviceAccount": {"name": "api"}, "models": ["slow"], "buckets": [{"name": "logs", "prefix": "*"}]},
            {"name": "other", "serviceAccount": {"name": "api"}, "principalArns": ["arn:aws:iam::123456789012:role/b"], "models": ["fast"]},
        ],
    }));
    let paths: Vec<String> = problems(&object).into_iter().map(|problem| problem.path).collect();
    assert_eq!(
        paths,
        [
            "spec.permissionsBoundaryArn",
            "spec.assumeRole.roleArn",
            "spec.identity.podIdentity.clusterArn",
            "spec.models[0]",
            "spec.access[0].principalArns[0]",
            "spec.access[0].principalArns[1]",
            "spec.access[0]",
            "spec.access[1].name",
            "spec.access[1].models[0]",
            "spec.access[1].buckets[0].name",
            "spec.access[1].buckets[0].prefix",
            "spec.access[2]",
            "spec.access[2].serviceAccount",
        ]
    );
}
