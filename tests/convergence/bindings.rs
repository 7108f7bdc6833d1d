//! Roles, and what gives them to pods: in which order they come and go, and what of others stays.

use aiplatform::api::AIPlatform;
use aiplatform::exposure;
use aiplatform::failure::Class;
use aiplatform::kind::Listed;
use aiplatform::resource::service_account::ROLE_ANNOTATION;
use aiplatform::resource::{Kind, PodIdentityAssociation, Role, ServiceAccount};
use aiplatform::tags::Tags;
use serde_json::json;

use super::Run;
use super::access::{self, Identity, models_json, wanted};
use super::scenario::{ACCOUNT, object};
use crate::support::memory::{FakeCloud, Fault, Memory, Stored};

const ACCOUNT_KEY: &str = "support/api";

fn with_consumer(identity: Identity, name: &str) -> AIPlatform {
    object(json!({
        "identity": identity.to_json(),
        "models": models_json(),
        "access": [{"name": name, "serviceAccount": {"name": "api"}, "models": ["fast"]}],
    }))
}

fn settled(object: AIPlatform, cloud: FakeCloud) -> Run {
    let mut run = Run::new(Memory::new(ACCOUNT, cloud), object);
    run.converge();
    run
}

/// The same object as somebody edited it.
fn edited(mut run: Run, mut object: AIPlatform) -> Run {
    object.status = run.object.status.take();
    object.metadata.generation = Some(3);
    run.object = object;
    run
}

fn with_account(annotations: &[(&str, &str)]) -> FakeCloud {
    let annotations = annotations.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect();
    let mut cloud = FakeCloud::default();
    cloud.put(access::unbound("support", "api")).annotations = annotations;
    cloud
}

/// The calls since `before`, without those that only change a role or the platform's config map.
fn calls_since(run: &Run, before: usize) -> Vec<String> {
    let calls = run.memory.writes().split_off(before).into_iter().map(|write| write.action);
    let calls = calls.filter(|action| !action.contains("UpdateRole") && !action.contains("ConfigMap"));
    calls.map(|action| action.split(' ').next().unwrap_or_default().to_string()).collect()
}

/// The names of all roles.
fn roles(run: &Run) -> Vec<String> {
    run.memory.cloud().all::<Role>().map(|role| role.name.clone()).collect()
}

/// The service account as it is stored.
fn account(run: &Run) -> Stored {
    run.memory.cloud().stored::<ServiceAccount>(ACCOUNT_KEY).expect("the service account is there").clone()
}

/// The role that the operator bound a service account to.
fn role_of(account: &Stored) -> Option<String> {
    ServiceAccount::of(&account.resource).and_then(|account| account.role_arn.clone())
}

fn ready_reason(run: &Run) -> &str {
    let status = run.object.status.as_ref().unwrap();
    &status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap().reason
}

#[test]
fn a_role_comes_before_what_gives_it_to_pods_and_goes_after_it() {
    let cases = [
        (Identity::Irsa, &["iam:CreateRole", "CreateServiceAccount"][..], &["DeleteServiceAccount"][..]),
        (
            Identity::PodIdentity,
            &["iam:CreateRole", "eks:CreatePodIdentityAssociation", "CreateServiceAccount"],
            &["eks:DeletePodIdentityAssociation", "DeleteServiceAccount"],
        ),
    ];
    for (identity, made, unbound) in cases {
        let run = settled(with_consumer(identity, "api"), FakeCloud::default());
        let mut calls = calls_since(&run, 0);
        calls[1..].sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(calls, made);
        let before = run.memory.writes().len();
        let mut run = run.ending();
        assert!(run.converge().finished);
        let taken = calls_since(&run, before);
        let role = taken.iter().position(|action| action == "iam:DeleteRole").expect("the role goes");
        // Under Pod Identity it is the association that gives the role, and the service account is only marked.
        let giving = taken.iter().position(|action| action == unbound[0]).expect("the binding goes");
        assert!(giving < role, "{taken:?}");
        assert!(unbound.iter().all(|action| taken.iter().any(|taken| taken == action)), "{taken:?}");
        assert!(run.memory.cloud().resources.is_empty());
    }
}

#[test]
fn a_renamed_consumer_moves_its_service_account_before_the_old_role_goes() {
    for (identity, moved) in
        [(Identity::Irsa, "UpdateServiceAccount"), (Identity::PodIdentity, "eks:UpdatePodIdentityAssociation")]
    {
        let run = settled(with_consumer(identity, "api"), FakeCloud::default());
        let before = run.memory.writes().len();
        let mut run = edited(run, with_consumer(identity, "backend"));
        run.converge();
        assert_eq!(calls_since(&run, before), ["iam:CreateRole", moved, "iam:DeleteRole"]);
        assert_eq!(roles(&run), [wanted(&run.object)[0].role.name.clone()]);
    }
}

#[test]
fn an_old_role_stays_while_a_service_account_that_has_it_cannot_be_moved() {
    for identity in [Identity::Irsa, Identity::PodIdentity] {
        let run = settled(with_consumer(identity, "api"), FakeCloud::default());
        let old = wanted(&run.object).remove(0).role.name;
        let mut run = edited(run, with_consumer(identity, "backend"));
        let new = wanted(&run.object).remove(0).role;
        // A role of that name is there and nobody's, so that nothing may be bound to it.
        run.memory.change(|cloud| {
            let strange = cloud.get::<Role>(&old).expect("the role is there");
            let strange = Role { name: new.name.clone(), tags: Tags::new(), ..strange.clone() };
            cloud.put(strange);
        });
        let last = run.converge();
        assert_eq!(ready_reason(&run), "NotOwned");
        assert!(roles(&run).contains(&old));
        let step = last.plan.steps.iter().find(|step| step.key.name == old).expect("the old role is in the plan");
        assert_eq!(step.action.name(), "Blocked");
        run.memory.change(|cloud| {
            cloud.remove(&Role::key_of(&new.name));
        });
        run.converge();
        assert_eq!(ready_reason(&run), "Ready");
        assert!(!roles(&run).contains(&old));
    }
}

#[test]
fn a_role_stays_while_nobody_can_tell_what_has_it() {
    for (identity, kind) in
        [(Identity::Irsa, Kind::ServiceAccount), (Identity::PodIdentity, Kind::PodIdentityAssociation)]
    {
        let run = settled(with_consumer(identity, "api"), FakeCloud::default());
        let mut run = run.ending();
        run.object.metadata.generation = Some(3);
        run.pass();
        // The calls of a look: whose the credentials are, the role, the association if there is one, the account.
        let look = Fault { call: 2, after_the_effect: false, class: Class::Denied, for_good: false };
        run.memory.fail(look);
        let pass = run.pass();
        let unreadable = pass.plan.steps.iter().find(|step| step.action.name() == "Unreadable").expect("one step");
        assert_eq!(unreadable.key.kind, kind);
        assert_eq!(roles(&run).len(), 1);
        assert!(run.converge().finished);
        assert_eq!(roles(&run), [""; 0]);
    }
}

#[test]
fn a_service_account_that_was_there_stays_with_what_others_set() {
    for identity in [Identity::Irsa, Identity::PodIdentity] {
        let before = with_account(&[("example.com/team", "web")]);
        let run = settled(with_consumer(identity, "api"), before.clone());
        assert_eq!(ready_reason(&run), "Ready");
        let bound = account(&run);
        assert_eq!(bound.annotations["example.com/team"], "web");
        assert_eq!(role_of(&bound).is_some(), identity == Identity::Irsa);
        let mut run = run.ending();
        assert!(run.converge().finished);
        assert_eq!(Some(&account(&run)), before.stored::<ServiceAccount>(ACCOUNT_KEY));
    }
}

#[test]
fn a_service_account_that_somebody_bound_is_left_to_them_and_everything_else_is_made() {
    let before = with_account(&[(ROLE_ANNOTATION, "arn:aws:iam::123456789012:role/other")]);
    let run = settled(with_consumer(Identity::Irsa, "api"), before.clone());
    assert_eq!(ready_reason(&run), "NotOwned");
    assert_eq!(Some(&account(&run)), before.stored::<ServiceAccount>(ACCOUNT_KEY));
    assert_eq!(roles(&run).len(), 1);
    let mut run = run.ending();
    assert!(run.converge().finished);
    assert_eq!(Some(&account(&run)), before.stored::<ServiceAccount>(ACCOUNT_KEY));
    assert_eq!(roles(&run), [""; 0]);
}

#[test]
fn a_policy_that_others_attach_is_reported_and_stays_until_the_role_goes() {
    let mut run = settled(with_consumer(Identity::Irsa, "api"), FakeCloud::default());
    let name = wanted(&run.object).remove(0).role.name;
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    run.memory.change(|cloud| {
        cloud.stored_mut::<Role>(&name).unwrap().exposures = vec![exposure::attached(&name, policy)];
    });
    let writes = run.memory.writes().len();
    let status = run.converge().status;
    assert_eq!((ready_reason(&run), run.memory.writes().len()), ("Ready", writes));
    let reported = status.resources.iter().find(|resource| resource.name == name).and_then(|role| role.message.clone());
    assert!(reported.is_some_and(|reported| reported.contains(policy)));
    let mut run = run.ending();
    assert!(run.converge().finished);
    assert_eq!(roles(&run), [""; 0]);
}

#[test]
fn a_change_of_identity_moves_the_binding_and_keeps_the_role() {
    let mut run = settled(with_consumer(Identity::Irsa, "api"), FakeCloud::default());
    let role = wanted(&run.object).remove(0).role;
    for identity in [Identity::PodIdentity, Identity::Irsa] {
        let before = run.memory.writes().len();
        run = edited(run, with_consumer(identity, "api"));
        run.object.metadata.generation = Some(3 + i64::try_from(before).unwrap());
        run.converge();
        assert_eq!(ready_reason(&run), "Ready");
        let calls = calls_since(&run, before);
        assert!(!calls.iter().any(|call| ["iam:CreateRole", "iam:DeleteRole"].contains(&call.as_str())), "{calls:?}");
        let by_annotation = identity == Identity::Irsa;
        assert_eq!(run.memory.cloud().all::<PodIdentityAssociation>().count() == 0, by_annotation);
        assert_eq!(role_of(&account(&run)), by_annotation.then_some(role.arn.clone()));
    }
}

#[test]
fn a_role_that_drifts_is_put_right_in_the_fields_that_drifted() {
    let mut run = settled(with_consumer(Identity::PodIdentity, "api"), FakeCloud::default());
    let name = wanted(&run.object).remove(0).role.name;
    let before = run.memory.writes().len();
    run.memory.change(|cloud| {
        cloud.change::<Role>(&name, |role| {
            let widened = role.policies["access"].clone();
            role.policies.insert("by-hand".into(), widened);
            role.permissions_boundary = Some("arn:aws:iam::aws:policy/PowerUserAccess".into());
        });
    });
    run.converge();
    let calls: Vec<String> = run.memory.writes().split_off(before).into_iter().map(|write| write.action).collect();
    assert_eq!(calls, ["iam:UpdateRole permissionsBoundary policies"]);
    run.assert_at_rest();
}
