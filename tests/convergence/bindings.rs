//! Roles, and what gives them to pods: in which order they come and go, and what of others stays.

use aiplatform::api::AIPlatform;
use aiplatform::failure::Class;
use aiplatform::resource::Kind;
use aiplatform::resource::service_account::ROLE_ANNOTATION;
use serde_json::json;

use super::Run;
use super::access::{Identity, models_json, wanted};
use super::scenario::{ACCOUNT, object};
use crate::support::memory::{FakeCloud, Fault, Memory, StoredAccount};

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
    cloud.service_accounts.insert(ACCOUNT_KEY.into(), StoredAccount { annotations, ..StoredAccount::default() });
    cloud
}

/// The calls since `before`, without those that only change a role's policies or the platform's config map.
fn calls_since(run: &Run, before: usize) -> Vec<String> {
    let calls = run.memory.writes().split_off(before).into_iter().map(|write| write.action);
    calls.filter(|action| !action.ends_with("RolePolicy") && !action.ends_with("ConfigMap")).collect()
}

fn ready_reason(run: &Run) -> &str {
    let status = run.object.status.as_ref().unwrap();
    &status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap().reason
}

#[test]
fn a_role_comes_before_what_gives_it_to_pods_and_goes_after_it() {
    let cases = [
        (Identity::Irsa, &["iam:CreateRole", "patch serviceaccounts"][..], &["delete serviceaccounts"][..]),
        (
            Identity::PodIdentity,
            &["iam:CreateRole", "eks:CreatePodIdentityAssociation", "patch serviceaccounts"],
            &["eks:DeletePodIdentityAssociation", "delete serviceaccounts"],
        ),
    ];
    for (identity, made, unbound) in cases {
        let run = settled(with_consumer(identity, "api"), FakeCloud::default());
        assert_eq!(calls_since(&run, 0), made);
        let before = run.memory.writes().len();
        let mut run = run.ending();
        assert!(run.converge().finished);
        let taken = calls_since(&run, before);
        let role = taken.iter().position(|action| action == "iam:DeleteRole").expect("the role goes");
        // Under Pod Identity it is the association that gives the role, and the service account is only marked.
        let giving = taken.iter().position(|action| action == unbound[0]).expect("the binding goes");
        assert!(giving < role, "{taken:?}");
        assert!(unbound.iter().all(|action| taken.iter().any(|taken| taken == action)), "{taken:?}");
        let cloud = run.memory.cloud();
        assert!(cloud.roles.is_empty() && cloud.associations.is_empty() && cloud.service_accounts.is_empty());
    }
}

#[test]
fn a_renamed_consumer_moves_its_service_account_before_the_old_role_goes() {
    for (identity, moved) in
        [(Identity::Irsa, "patch serviceaccounts"), (Identity::PodIdentity, "eks:UpdatePodIdentityAssociation")]
    {
        let run = settled(with_consumer(identity, "api"), FakeCloud::default());
        let before = run.memory.writes().len();
        let mut run = edited(run, with_consumer(identity, "backend"));
        run.converge();
        assert_eq!(calls_since(&run, before), ["iam:CreateRole", moved, "iam:DeleteRole"]);
        assert_eq!(run.memory.cloud().roles.keys().collect::<Vec<_>>(), [&wanted(&run.object)[0].role.name]);
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
            let mut strange = cloud.roles[&old].clone();
            strange.tags.clear();
            cloud.roles.insert(new.name.clone(), strange);
        });
        let last = run.converge();
        assert_eq!(ready_reason(&run), "NotOwned");
        assert!(run.memory.cloud().roles.contains_key(&old));
        let step = last.plan.steps.iter().find(|step| step.key.name == old).expect("the old role is in the plan");
        assert_eq!(step.action.name(), "Blocked");
        run.memory.change(|cloud| {
            cloud.roles.remove(&new.name);
        });
        run.converge();
        assert_eq!(ready_reason(&run), "Ready");
        assert!(!run.memory.cloud().roles.contains_key(&old));
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
        assert_eq!(run.memory.cloud().roles.len(), 1);
        assert!(run.converge().finished);
        assert!(run.memory.cloud().roles.is_empty());
    }
}

#[test]
fn a_service_account_that_was_there_stays_with_what_others_set() {
    for identity in [Identity::Irsa, Identity::PodIdentity] {
        let before = with_account(&[("example.com/team", "web")]);
        let run = settled(with_consumer(identity, "api"), before.clone());
        assert_eq!(ready_reason(&run), "Ready");
        let bound = run.memory.cloud().service_accounts[ACCOUNT_KEY].clone();
        assert_eq!(bound.annotations["example.com/team"], "web");
        assert_eq!(bound.role_arn().is_some(), identity == Identity::Irsa);
        let mut run = run.ending();
        assert!(run.converge().finished);
        assert_eq!(run.memory.cloud().service_accounts, before.service_accounts);
    }
}

#[test]
fn a_service_account_that_somebody_bound_is_left_to_them_and_everything_else_is_made() {
    let before = with_account(&[(ROLE_ANNOTATION, "arn:aws:iam::123456789012:role/other")]);
    let run = settled(with_consumer(Identity::Irsa, "api"), before.clone());
    assert_eq!(ready_reason(&run), "NotOwned");
    assert_eq!(run.memory.cloud().service_accounts, before.service_accounts);
    assert_eq!(run.memory.cloud().roles.len(), 1);
    let mut run = run.ending();
    assert!(run.converge().finished);
    assert_eq!(run.memory.cloud().service_accounts, before.service_accounts);
    assert!(run.memory.cloud().roles.is_empty());
}

#[test]
fn a_policy_that_others_attach_is_reported_and_stays_until_the_role_goes() {
    let mut run = settled(with_consumer(Identity::Irsa, "api"), FakeCloud::default());
    let name = wanted(&run.object).remove(0).role.name;
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    run.memory.change(|cloud| {
        cloud.roles.get_mut(&name).unwrap().attached.insert(policy.into());
    });
    let writes = run.memory.writes().len();
    let status = run.converge().status;
    assert_eq!((ready_reason(&run), run.memory.writes().len()), ("Ready", writes));
    let reported = status.resources.iter().find(|resource| resource.name == name).and_then(|role| role.message.clone());
    assert!(reported.is_some_and(|reported| reported.contains(policy)));
    let mut run = run.ending();
    assert!(run.converge().finished);
    assert!(run.memory.cloud().roles.is_empty());
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
        let cloud = run.memory.cloud();
        let by_annotation = identity == Identity::Irsa;
        assert_eq!(cloud.associations.is_empty(), by_annotation);
        let account = &cloud.service_accounts[ACCOUNT_KEY];
        assert_eq!(account.role_arn(), by_annotation.then_some(role.arn.as_str()));
    }
}

#[test]
fn a_role_that_drifts_is_put_right_by_the_calls_for_what_drifted() {
    let mut run = settled(with_consumer(Identity::PodIdentity, "api"), FakeCloud::default());
    let name = wanted(&run.object).remove(0).role.name;
    let before = run.memory.writes().len();
    run.memory.change(|cloud| {
        let role = cloud.roles.get_mut(&name).unwrap();
        let widened = role.policies["access"].clone();
        role.policies.insert("by-hand".into(), widened);
        role.permissions_boundary = Some("arn:aws:iam::aws:policy/PowerUserAccess".into());
    });
    run.converge();
    let calls: Vec<String> = run.memory.writes().split_off(before).into_iter().map(|write| write.action).collect();
    assert_eq!(calls, ["iam:PutRolePermissionsBoundary", "iam:DeleteRolePolicy"]);
    run.assert_at_rest();
}
