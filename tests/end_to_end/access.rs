//! Roles that can do exactly what the platform declares: made, kept narrow, and taken away.

use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};

use crate::support::test_env::{TestEnv, condition, resource_names, spec};

const CLUSTER_ARN: &str = "arn:aws:eks:eu-west-1:123456789012:cluster/prod";
const PROVIDER_ARN: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";

fn irsa() -> Value {
    json!({"irsa": {"oidcProviderArn": PROVIDER_ARN}})
}

fn pod_identity() -> Value {
    json!({"podIdentity": {"clusterArn": CLUSTER_ARN}})
}

/// A platform with one model, one bucket and this consumer.
fn platform(identity: Value, consumer: Value) -> Value {
    let mut wanted = spec(json!([{"name": "prompts"}]));
    wanted["identity"] = identity;
    wanted["models"] = json!([{"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}]);
    wanted["access"] = json!([consumer]);
    wanted
}

fn api() -> Value {
    json!({"name": "api", "serviceAccount": {"name": "support-api"}, "models": ["fast"],
        "buckets": [{"name": "prompts", "prefix": "live/"}]})
}

fn role_of(object: &aiplatform::api::AIPlatform) -> String {
    let resources = &object.status.as_ref().expect("a status").resources;
    resources.iter().find(|resource| resource.kind == "Role").expect("a role").name.clone()
}

fn decoded(text: &str) -> Value {
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&text).expect("a policy")
}

async fn policy(env: &TestEnv, role: &str, name: &str) -> Value {
    let answer = env.aws.iam().get_role_policy().role_name(role).policy_name(name).send().await.expect("a policy");
    decoded(answer.policy_document())
}

#[tokio::test]
async fn a_service_account_of_the_platforms_namespace_gets_its_role() {
    let env = TestEnv::new("irsa").await;
    env.apply("assistant", &platform(irsa(), api())).await;
    let object = env.wait_ready("assistant").await;
    let status = object.status.clone().expect("a status");
    assert_eq!(status.ready.as_deref(), Some("4/4"));
    assert_eq!(condition(&status, "AccessReady").map(|ready| ready.status.as_str()), Some("True"));
    let models = condition(&status, "ModelsReady").expect("it is told");
    assert_eq!((models.status.as_str(), models.reason.as_str()), ("Unknown", "Unknown"), "nothing looks at Bedrock");
    assert!(models.message.contains("fast"), "{}", models.message);
    let fast = &status.models[0];
    assert_eq!((fast.name.as_str(), fast.ready, fast.outcome.as_deref()), ("fast", false, Some("Unknown")));
    assert_eq!(status.models_ready, None);

    let role = role_of(&object);
    let found = env.aws.iam().get_role().role_name(&role).send().await.expect("it").role.expect("a role");
    assert_eq!((found.path(), found.arn()), ("/aiplatform/", status.access[0].role_arn.as_str()));
    let trust = decoded(found.assume_role_policy_document().expect("trust"));
    let conditions = &trust["Statement"][0]["Condition"]["StringEquals"];
    let issuer = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    assert_eq!(conditions[format!("{issuer}:sub")], format!("system:serviceaccount:{}:support-api", env.namespace));
    assert_eq!(conditions[format!("{issuer}:aud")], "sts.amazonaws.com");
    assert!(found.tags().iter().any(|tag| tag.key() == "aiplatform.dev/owner"));

    let access = policy(&env, &role, "access").await.to_string();
    assert!(access.contains("foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"), "{access}");
    assert!(access.contains("/live/*") && !access.contains("s3:PutObject"), "{access}");

    let account = env.service_account("support-api").await.expect("it was made");
    assert_eq!(account["eks.amazonaws.com/role-arn"], status.access[0].role_arn);

    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(env.aws.iam().get_role().role_name(&role).send().await.is_err(), "the role is gone");
    assert!(env.service_account("support-api").await.is_none(), "what was made goes");
}

#[tokio::test]
async fn a_service_account_that_was_there_is_annotated_and_stays() {
    let env = TestEnv::new("annotate").await;
    let manifest =
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: support-api\n  annotations: {note: theirs}\n";
    env.cluster.kubectl(&["apply", "-n", &env.namespace, "-f", "-"], manifest).expect("applied");
    env.apply("assistant", &platform(irsa(), api())).await;
    env.wait_ready("assistant").await;
    let account = env.service_account("support-api").await.expect("it is there");
    assert!(account.contains_key("eks.amazonaws.com/role-arn") && account["note"] == "theirs", "{account:?}");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let account = env.service_account("support-api").await.expect("it is still there");
    assert!(!account.contains_key("eks.amazonaws.com/role-arn") && account["note"] == "theirs", "{account:?}");
}

#[tokio::test]
async fn a_service_account_bound_by_somebody_else_is_left_alone() {
    let env = TestEnv::new("bound").await;
    let theirs = "arn:aws:iam::123456789012:role/theirs";
    let manifest = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: support-api\n  annotations: {{eks.amazonaws.com/role-arn: {theirs}}}\n"
    );
    env.cluster.kubectl(&["apply", "-n", &env.namespace, "-f", "-"], &manifest).expect("applied");
    env.apply("assistant", &platform(irsa(), api())).await;
    let reported = env.wait_stalled("assistant", "NotOwned").await;
    assert!(reported.contains(theirs), "{reported}");
    assert_eq!(env.service_account("support-api").await.expect("it")["eks.amazonaws.com/role-arn"], theirs);
}

#[tokio::test]
async fn a_service_account_elsewhere_is_reported_and_not_touched() {
    let env = TestEnv::new("elsewhere").await;
    let mut consumer = api();
    consumer["serviceAccount"]["namespace"] = json!("search");
    env.apply("assistant", &platform(irsa(), consumer)).await;
    let status = env.wait_ready("assistant").await.status.expect("a status");
    let annotation = status.access[0].annotation.clone().expect("what to set");
    assert_eq!(annotation, format!("eks.amazonaws.com/role-arn={}", status.access[0].role_arn));
    assert!(!status.resources.iter().any(|resource| resource.kind == "ServiceAccount"));
}

#[tokio::test]
async fn pod_identity_binds_the_service_account_in_eks() {
    let env = TestEnv::new("pods").await;
    env.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    env.apply("assistant", &platform(pod_identity(), api())).await;
    let object = env.wait_ready("assistant").await;
    let status = object.status.clone().expect("a status");
    let bound = status.resources.iter().find(|resource| resource.kind == "PodIdentityAssociation").expect("a binding");
    let list = || env.aws.eks().list_pod_identity_associations().cluster_name("prod").send();
    let found = list().await.expect("a list");
    assert_eq!(found.associations().len(), 1);
    let role = env.aws.iam().get_role().role_name(role_of(&object)).send().await.expect("it").role.expect("a role");
    let trust = decoded(role.assume_role_policy_document().expect("trust"));
    assert_eq!(trust["Statement"][0]["Principal"]["Service"], "pods.eks.amazonaws.com");
    let conditions = &trust["Statement"][0]["Condition"];
    assert_eq!(conditions["ArnEquals"]["aws:SourceArn"], CLUSTER_ARN);
    let tags = &conditions["StringEquals"];
    assert_eq!(tags["aws:RequestTag/kubernetes-namespace"], env.namespace);
    assert_eq!(tags["aws:RequestTag/kubernetes-service-account"], "support-api");

    env.poke("assistant").await;
    env.wait_for("assistant", "identified", |status| {
        status.resources.iter().any(|resource| resource.id.as_deref().is_some_and(|id| id.starts_with("a-")))
    })
    .await;
    assert!(bound.name.starts_with("prod/"), "{bound:?}");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(list().await.expect("a list").associations().is_empty());
}

#[tokio::test]
async fn an_association_that_leads_elsewhere_is_put_back() {
    let env = TestEnv::new("chained").await;
    env.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    env.apply("assistant", &platform(pod_identity(), api())).await;
    env.wait_ready("assistant").await;
    let eks = env.aws.eks();
    let listed = eks.list_pod_identity_associations().cluster_name("prod").send().await.expect("a list");
    let id = listed.associations()[0].association_id().expect("an id").to_string();
    let found = async || {
        let call = eks.describe_pod_identity_association().cluster_name("prod").association_id(&id);
        call.send().await.expect("it").association.expect("an association")
    };
    let original = found().await;
    let update = || eks.update_pod_identity_association().cluster_name("prod").association_id(&id);
    let policy = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let intruder = "arn:aws:iam::999999999999:role/intruder";
    for (what, changed) in [
        ("another target", update().target_role_arn(intruder)),
        ("without tags the trust policy lets no pod in", update().disable_session_tags(true)),
        ("a session policy", update().disable_session_tags(true).policy(policy)),
    ] {
        changed.send().await.expect("changed");
        env.poke("assistant").await;
        let restored = async || {
            let now = found().await;
            (now.role_arn(), now.target_role_arn(), now.policy(), now.disable_session_tags)
                == (original.role_arn(), None, None, Some(false))
        };
        env.wait(what, restored).await;
        env.wait_ready("assistant").await;
    }
}

#[tokio::test]
async fn whatever_is_widened_is_narrowed_again_by_meaning() {
    let env = TestEnv::new("widened").await;
    let mut wanted = platform(irsa(), api());
    wanted["permissionsBoundaryArn"] = json!(boundary(&env, "bounds").await);
    env.apply("assistant", &wanted).await;
    let role = role_of(&env.wait_ready("assistant").await);
    let iam = env.aws.iam();
    let original = policy(&env, &role, "access").await;

    let mut reordered = original.clone();
    reordered["Statement"].as_array_mut().expect("statements").reverse();
    iam.put_role_policy()
        .role_name(&role)
        .policy_name("access")
        .policy_document(format!("{reordered:#}"))
        .send()
        .await
        .expect("put");
    let calls = env.aws.call_count();
    env.look("assistant").await;
    assert!(env.aws.calls_since(calls).contains(&"GetRolePolicy".to_string()));
    assert!(!env.aws.calls_since(calls).contains(&"PutRolePolicy".to_string()), "the same meaning is left alone");

    for (what, repair) in [
        ("policy", "PutRolePolicy"),
        ("another policy", "DeleteRolePolicy"),
        ("trust", "UpdateAssumeRolePolicy"),
        ("boundary", "PutRolePermissionsBoundary"),
        ("tags", "TagRole"),
    ] {
        let calls = env.aws.call_count();
        widen(&env, &role, what, &original).await;
        env.poke("assistant").await;
        let by_us = || env.aws.calls_since(calls).iter().filter(|name| *name == repair).count();
        let by_test = usize::from(matches!(what, "policy" | "trust"));
        env.wait(what, async || by_us() > by_test).await;
        env.wait_ready("assistant").await;
    }
    assert_eq!(policy(&env, &role, "access").await, original);
}

/// A managed policy that can be a boundary.
async fn boundary(env: &TestEnv, name: &str) -> String {
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let made = env.aws.iam().create_policy().policy_name(name).policy_document(document.to_string()).send().await;
    made.expect("made").policy.and_then(|policy| policy.arn).expect("an ARN")
}

async fn widen(env: &TestEnv, role: &str, what: &str, original: &Value) {
    let iam = env.aws.iam();
    match what {
        "policy" => {
            let mut wide = original.clone();
            wide["Statement"][0]["Resource"] = json!("*");
            let call = iam.put_role_policy().role_name(role).policy_name("access").policy_document(wide.to_string());
            call.send().await.expect("put");
        }
        "another policy" => {
            let call = iam.put_role_policy().role_name(role).policy_name("more").policy_document(original.to_string());
            call.send().await.expect("put");
        }
        "trust" => {
            let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]});
            let call = iam.update_assume_role_policy().role_name(role).policy_document(open.to_string());
            call.send().await.expect("put");
        }
        "boundary" => {
            iam.delete_role_permissions_boundary().role_name(role).send().await.expect("gone");
        }
        "tags" => {
            iam.untag_role().role_name(role).tag_keys("aiplatform.dev/team").send().await.expect("gone");
        }
        other => panic!("{other} cannot be widened"),
    }
}

#[tokio::test]
async fn policies_that_others_attach_are_reported_and_stay() {
    let env = TestEnv::new("attached").await;
    env.apply("assistant", &platform(irsa(), api())).await;
    let role = role_of(&env.wait_ready("assistant").await);
    let iam = env.aws.iam();
    let arn = boundary(&env, "budget-deny").await;
    iam.attach_role_policy().role_name(&role).policy_arn(&arn).send().await.expect("attached");
    env.poke("assistant").await;
    env.wait_for("assistant", "told", |status| {
        status
            .resources
            .iter()
            .any(|resource| resource.message.as_deref().is_some_and(|reported| reported.contains(&arn)))
    })
    .await;
    env.wait_ready("assistant").await;
    let attached = iam.list_attached_role_policies().role_name(&role).send().await.expect("a list");
    assert_eq!(attached.attached_policies().len(), 1, "it may be what a budget action denies");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(iam.get_role().role_name(&role).send().await.is_err(), "a deletion detaches it");
}

#[tokio::test]
async fn a_role_of_that_name_that_is_not_ours_is_left_alone() {
    let env = TestEnv::new("foreign-role").await;
    let wanted = platform(irsa(), api());
    env.apply("first", &wanted).await;
    let name = role_of(&env.wait_ready("first").await);
    env.delete("first").await;
    env.wait_until_gone("first").await;

    let iam = env.aws.iam();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}]});
    let tag = Tag::builder().key("team").value("theirs").build().expect("a tag");
    let call = iam.create_role().role_name(&name).assume_role_policy_document(trust.to_string()).tags(tag);
    call.send().await.expect("made");
    env.apply("first", &wanted).await;
    let reported = env.wait_stalled("first", "NotOwned").await;
    assert!(reported.contains(&name), "{reported}");
    let policies = iam.list_role_policies().role_name(&name).send().await.expect("a list");
    assert!(policies.policy_names().is_empty());
}

#[tokio::test]
async fn a_consumer_taken_out_loses_its_role_and_the_others_keep_theirs() {
    let env = TestEnv::new("narrowed").await;
    let mut wanted = platform(irsa(), api());
    let other =
        json!({"name": "analyst", "principalArns": ["arn:aws:iam::123456789012:role/analysts"], "models": ["fast"]});
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}]});
    let call = env.aws.iam().create_role().role_name("analysts").assume_role_policy_document(trust.to_string());
    call.send().await.expect("made");
    wanted["access"].as_array_mut().expect("consumers").push(other);
    env.apply("assistant", &wanted).await;
    let names = resource_names(&env.wait_ready("assistant").await);
    wanted["access"].as_array_mut().expect("consumers").remove(0);
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let role = |part: &str| names.iter().find(|name| name.contains(part)).expect("a role").clone();
    let iam = env.aws.iam();
    assert!(iam.get_role().role_name(role("-api-")).send().await.is_err());
    assert!(iam.get_role().role_name(role("-analyst-")).send().await.is_ok());
    assert!(env.service_account("support-api").await.is_none());
}

#[tokio::test]
async fn a_write_without_effect_is_not_repeated_for_ever() {
    let env = TestEnv::with("no-effect", &["--transition-poll", "1s", "--resync", "1s"]).await;
    env.apply("assistant", &platform(irsa(), api())).await;
    let role = role_of(&env.wait_ready("assistant").await);
    let ignored = json!({"code": "Ignored", "status": 200});
    let fault = json!({"service": "iam", "operation": "UntagRole", "when": "before", "times": 99, "error": ignored});
    env.aws.control("faults", fault);
    let tag = Tag::builder().key("aiplatform.dev/stray").value("x").build().expect("a tag");
    env.aws.iam().tag_role().role_name(&role).tags(tag).send().await.expect("tagged");
    let reported = env.wait_stalled("assistant", "Conflict").await;
    assert!(reported.contains("tags.aiplatform.dev/stray") && reported.contains("twice"), "{reported}");
    let writes = || env.aws.calls_since(0).iter().filter(|name| *name == "UntagRole").count();
    assert_eq!(writes(), 2);
}

#[tokio::test]
async fn letters_that_iam_takes_only_as_escapes_reach_it_as_such() {
    let env = TestEnv::new("letters").await;
    let mut consumer = api();
    consumer["buckets"][0]["prefix"] = json!("日本/é/😀/");
    env.apply("assistant", &platform(irsa(), consumer)).await;
    let object = env.wait_ready("assistant").await;
    let role = role_of(&object);
    let written = policy(&env, &role, "access").await.to_string();
    assert!(written.contains("/日本/é/😀/*"), "{written}");

    // They mean the same however they are written, so there is nothing to write again.
    let calls = env.aws.call_count();
    env.look("assistant").await;
    assert!(env.aws.calls_since(calls).contains(&"GetRolePolicy".to_string()));
    assert_eq!(env.aws.writes_since_call(calls), Vec::<String>::new());
}
