//! Service accounts that others want, bind or manage, seen from the adapter and from the operator.

use aiplatform::api::{AIPlatform, ManagementPolicy};
use aiplatform::desire::desire;
use aiplatform::failures::Failures;
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Intent, Step, plan};
use aiplatform::platform::validate;
use aiplatform::provider::cluster::Cluster as Adapter;
use aiplatform::resource::{Departure, Freshness, Key, Kind, Observations, Request};
use aiplatform::scope::Scope;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::support::cluster::{self, Cluster};
use crate::support::test_env::{CLUSTER, TestEnv, spec};

const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
const ROLE: &str = "eks.amazonaws.com/role-arn";
const THEIRS: &str = "arn:aws:iam::123456789012:role/theirs";

fn wanted(account: &str) -> Value {
    let mut wanted = spec(json!([{"name": "prompts"}]));
    wanted["identity"] = json!({"irsa": {"oidcProviderArn": PROVIDER}});
    wanted["access"] = json!([{"name": "api", "serviceAccount": {"name": account}, "buckets": [{"name": "prompts"}]}]);
    wanted
}

/// A namespace of the real API server, and the adapter.
struct Namespace {
    cluster: &'static Cluster,
    name: String,
    client: Client,
    adapter: Adapter,
}

/// A platform of the namespace, as far as its service account goes.
struct Claim {
    scope: Scope,
    key: Key,
    object: AIPlatform,
}

impl Namespace {
    async fn new(name: &str) -> Self {
        let cluster = cluster::shared();
        let client = cluster.client().await;
        let name = cluster.namespace(&client, name).await;
        Self { cluster, name, adapter: Adapter::new(client.clone()), client }
    }

    fn claim(&self, platform: &str, account: &str) -> Claim {
        let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
            "metadata": {"name": platform, "namespace": self.name}, "spec": wanted(account)});
        Claim {
            scope: Scope {
                region: "eu-west-1".into(),
                account_id: "123456789012".into(),
                owner: format!("{CLUSTER}/{}/{platform}", self.name),
                uid: String::new(),
                assume_role: None,
            },
            key: Key { kind: Kind::ServiceAccount, name: format!("{}/{account}", self.name) },
            object: serde_json::from_value(object).expect("the object parses"),
        }
    }

    /// The step for the service account, on what is seen now.
    async fn plan(&self, claim: &Claim, deleting: bool) -> Step {
        let desired = desire(&validate(&claim.object).expect("it is valid"), CLUSTER);
        let (account, _): (Vec<_>, Vec<_>) =
            desired.into_iter().partition(|item| item.resource.kind() == Kind::ServiceAccount);
        let request = Request {
            key: claim.key.clone(),
            adopt: false,
            pruning: deleting,
            may_be_made: false,
            thorough: true,
            omitted: &[],
            freshness: Freshness::Current,
            departure: Departure::default(),
            vpc_id: None,
        };
        let seen = self.adapter.observe(&claim.scope, &request).await.expect("an answer");
        let observations = Observations::from([(claim.key.clone(), seen)]);
        let intent = if deleting {
            Intent::delete(ManagementPolicy::Full, aiplatform::api::DeletionPolicy::Delete, &account)
        } else {
            Intent::keep(ManagementPolicy::Full)
        };
        // The role is another matter.
        let account: Vec<_> = account
            .into_iter()
            .map(|mut item| {
                if let aiplatform::resource::Resource::ServiceAccount(account) = &mut item.resource {
                    account.role = None;
                }
                item
            })
            .collect();
        let mut steps = plan(&self.name, "assistant", &account, &observations, &intent).steps;
        steps.pop().expect("a step")
    }

    async fn apply(&self, claim: &Claim, step: &Step) -> Result<Applied, Failures> {
        self.adapter.apply(&claim.scope, step).await
    }

    async fn account(&self, name: &str) -> Option<ServiceAccount> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.name);
        accounts.get_opt(name).await.expect("an answer")
    }

    async fn annotation(&self, name: &str, key: &str) -> Option<String> {
        self.account(name).await?.metadata.annotations?.get(key).cloned()
    }

    async fn make(&self, name: &str) {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.name);
        let mut account = ServiceAccount::default();
        account.metadata.name = Some(name.into());
        accounts.create(&PostParams::default(), &account).await.expect("made");
    }

    fn kubectl(&self, arguments: &[&str]) {
        let arguments: Vec<&str> = ["-n", &self.name].iter().copied().chain(arguments.iter().copied()).collect();
        self.cluster.kubectl(&arguments, "").expect("done");
    }
}

fn assert_refused(result: &Result<Applied, Failures>) {
    let failures = result.as_ref().expect_err("somebody was faster");
    assert_eq!(failures.reason(), "Conflict", "{failures}");
}

#[tokio::test]
async fn of_two_platforms_that_claim_one_service_account_the_first_has_it() {
    let env = Namespace::new("claims").await;
    for is_there in [false, true] {
        let name = format!("claimed-{is_there}");
        if is_there {
            env.make(&name).await;
        }
        let (first, second) = (env.claim("first", &name), env.claim("second", &name));
        let (one, other) = (env.plan(&first, false).await, env.plan(&second, false).await);
        assert!(one.is_taken() && other.is_taken(), "both believe that they can have it: {one:#?} {other:#?}");
        assert_eq!(env.apply(&first, &one).await, Ok(Applied::Ready));
        let role = env.annotation(&name, ROLE).await;
        assert_refused(&env.apply(&second, &other).await);
        assert_eq!(env.annotation(&name, ROLE).await, role);
        assert_eq!(env.annotation(&name, "aiplatform.dev/owner").await, Some(first.scope.owner.clone()));
        let step = env.plan(&second, false).await;
        assert!(matches!(&step.action, Action::Refuse(refusal) if refusal.reason == "NotOwned"), "{step:#?}");
    }
}

#[tokio::test]
async fn of_claims_in_the_same_moment_one_at_most_succeeds() {
    let env = Namespace::new("moment").await;
    for round in 0..6 {
        let name = format!("claimed-{round}");
        if round % 2 == 0 {
            env.make(&name).await;
        }
        let claims: Vec<Claim> = ["a", "b", "c"].iter().map(|platform| env.claim(platform, &name)).collect();
        let mut steps = Vec::new();
        for claim in &claims {
            steps.push(env.plan(claim, false).await);
        }
        let applied = claims.iter().zip(&steps).map(|(claim, step)| env.apply(claim, step));
        let results = futures::future::join_all(applied).await;
        let winners: Vec<&Claim> =
            claims.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(claim, _)| claim).collect();
        assert!(winners.len() <= 1, "{results:?}");
        results.iter().filter(|result| result.is_err()).for_each(assert_refused);
        if let Some(winner) = winners.first() {
            assert_eq!(env.annotation(&name, "aiplatform.dev/owner").await, Some(winner.scope.owner.clone()));
        }
    }
}

#[tokio::test]
async fn an_account_that_somebody_made_since_the_plan_is_left_to_the_next_one() {
    let env = Namespace::new("made").await;
    let claim = env.claim("assistant", "api");
    let step = env.plan(&claim, false).await;
    assert_eq!(step.action, Action::Create);
    env.make("api").await;
    assert_refused(&env.apply(&claim, &step).await);
    assert_eq!(env.annotation("api", "aiplatform.dev/owner").await, None);
    let step = env.plan(&claim, false).await;
    assert_eq!(env.apply(&claim, &step).await, Ok(Applied::Ready), "a consumer's account is bound");
}

#[tokio::test]
async fn a_role_that_somebody_bound_a_moment_ago_stays() {
    let env = Namespace::new("binding").await;
    let claim = env.claim("assistant", "api");
    for is_there in [false, true] {
        let step = env.plan(&claim, false).await;
        assert!(step.is_taken());
        if !is_there {
            env.make("api").await;
        }
        env.kubectl(&["annotate", "serviceaccount", "api", &format!("{ROLE}={THEIRS}")]);
        assert_refused(&env.apply(&claim, &step).await);
        assert_eq!(env.annotation("api", ROLE).await.as_deref(), Some(THEIRS));
        assert_eq!(env.annotation("api", "aiplatform.dev/owner").await, None);
        env.kubectl(&["annotate", "serviceaccount", "api", &format!("{ROLE}-")]);
    }
}

#[tokio::test]
async fn a_service_account_that_another_holds_by_now_is_not_taken_away() {
    let env = Namespace::new("taken").await;
    let claim = env.claim("assistant", "api");
    let step = env.plan(&claim, false).await;
    assert_eq!(env.apply(&claim, &step).await, Ok(Applied::Ready));
    let step = env.plan(&claim, true).await;
    assert!(matches!(step.action, Action::Delete { .. }), "{step:#?}");
    env.kubectl(&["annotate", "--overwrite", "serviceaccount", "api", "aiplatform.dev/owner=tests/other/platform"]);
    assert_eq!(env.apply(&claim, &step).await, Ok(Applied::Gone));
    assert_eq!(env.annotation("api", "aiplatform.dev/owner").await.as_deref(), Some("tests/other/platform"));
    assert!(env.annotation("api", ROLE).await.is_some());
}

#[tokio::test]
async fn what_others_manage_by_now_stays_without_what_was_ours() {
    let env = Namespace::new("managed").await;
    let made = async |name: &str| {
        let claim = env.claim("assistant", name);
        let step = env.plan(&claim, false).await;
        assert_eq!(env.apply(&claim, &step).await, Ok(Applied::Ready));
        claim
    };
    let released = async |claim: &Claim| {
        let step = env.plan(claim, true).await;
        assert_eq!(env.apply(claim, &step).await, Ok(Applied::Gone));
    };
    let claim = made("labelled").await;
    env.kubectl(&["label", "serviceaccount", "labelled", "team=search"]);
    released(&claim).await;
    let left = env.account("labelled").await.expect("it stays").metadata;
    assert_eq!((left.annotations.unwrap_or_default().len(), left.labels.unwrap_or_default().len()), (0, 1));

    // Server-side apply by others, who declare the role that they use themselves.
    let claim = made("shared").await;
    let role = env.annotation("shared", ROLE).await.expect("bound");
    let manifest = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: shared\n  annotations: {{{ROLE}: \"{role}\"}}\n"
    );
    let arguments = ["-n", &env.name, "apply", "--server-side", "--field-manager=argocd", "-f", "-"];
    env.cluster.kubectl(&arguments, &manifest).expect("applied");
    released(&claim).await;
    let left = env.account("shared").await.expect("it stays").metadata.annotations.unwrap_or_default();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), [(ROLE.to_string(), role)], "what they set is theirs");

    // What the control plane gives to every service account is no sign of others.
    let claim = made("plain").await;
    let patch = r#"{"imagePullSecrets": [{"name": "plain-dockercfg"}]}"#;
    env.kubectl(&["patch", "serviceaccount", "plain", "--field-manager=openshift-controller-manager", "-p", patch]);
    released(&claim).await;
    assert!(env.account("plain").await.is_none(), "what was made goes");
}

#[tokio::test]
async fn a_service_account_that_others_manage_outlives_the_platform() {
    let env = TestEnv::new("outlives").await;
    env.apply("assistant", &wanted("support-api")).await;
    env.wait_ready("assistant").await;
    let arguments = ["-n", &env.namespace, "label", "serviceaccount", "support-api", "team=search"];
    env.cluster.kubectl(&arguments, "").expect("labelled");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let left = env.service_account("support-api").await.expect("it is still there");
    assert!(left.is_empty(), "{left:?}");
}
