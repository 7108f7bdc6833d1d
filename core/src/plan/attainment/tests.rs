use serde_json::{Value, json};

use super::super::{Intent, Plan, plan};
use super::*;
use crate::api::ManagementPolicy::Full;
use crate::desire::desire;
use crate::failure::Class;
use crate::platform::validate;
use crate::policy::Policy;
use crate::resource::{Kind, Observed};
use crate::testing::{CLUSTER, bucket_key, failure, object, ours, seen};

/// A consumer of two buckets, one with a key, and of a model of Bedrock.
fn wanted(bucket: &Value) -> Vec<Desired> {
    let mut one = json!({"name": "one", "bucketName": "bucket-one", "encryption": {
        "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1",
    }});
    for (field, value) in bucket.as_object().unwrap() {
        one[field] = value.clone();
    }
    let spec = json!({
        "storage": {"buckets": [one, {"name": "two", "bucketName": "bucket-two"}]},
        "models": [{"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0", "guardrail": {"id": "gr1", "version": "1"}}}],
        "access": [{
            "name": "api",
            "principalArns": ["arn:aws:iam::123456789012:role/api"],
            "models": ["fast"],
            "buckets": [{"name": "one", "mode": "ReadWrite"}, {"name": "two", "prefix": "a/"}],
        }],
    });
    desire(&validate(&object(spec)).unwrap(), CLUSTER)
}

fn role(desired: &[Desired]) -> Resource {
    desired.iter().map(|item| &item.resource).find(|resource| resource.key().kind == Kind::Role).unwrap().clone()
}

/// Both buckets as they are wanted, and ours, but for what is said of the first.
fn with_first(desired: &[Desired], first: Observed) -> Observations {
    seen([("bucket-one", first), ("bucket-two", ours(&desired[1].resource))])
}

fn planned(desired: &[Desired], observations: &Observations) -> Plan {
    plan("support", "assistant", desired, observations, &Intent::keep(Full))
}

fn role_step(plan: &Plan) -> &Step {
    plan.steps.iter().find(|step| step.key.kind == Kind::Role).unwrap()
}

/// The policies of the role of a step, as text.
fn allowed(step: &Step) -> String {
    let Some(Resource::Role(role)) = &step.desired else { panic!("a role is desired: {step:?}") };
    serde_json::to_string(&role.policies).unwrap()
}

/// The grants of a step: the first bucket with its key, the second, and the model.
fn grants(step: &Step) -> [bool; 4] {
    let allowed = allowed(step);
    ["arn:aws:s3:::bucket-one", "key/1", "arn:aws:s3:::bucket-two", "nova-lite"].map(|part| allowed.contains(part))
}

fn theirs() -> Observed {
    Observed { state: ObservedState::Ready, owner: Owner::Theirs("c/other/p".into()), ..Observed::absent() }
}

fn nobodys() -> Observed {
    Observed { state: ObservedState::Ready, ..Observed::absent() }
}

fn elsewhere() -> Observed {
    Observed { state: ObservedState::Failed("bucket-one is in us-east-1".into()), ..Observed::absent() }
}

#[test]
fn what_is_ours_is_granted_however_it_is() {
    let desired = wanted(&json!({}));
    let unwritable = Observed { state: ObservedState::Progressing("moving".into()), ..ours(&desired[0].resource) };
    let unread = Observed { owner: Owner::Ours, ..Observed::unreadable(failure(Class::Denied)) };
    for first in [ours(&desired[0].resource), unwritable, unread] {
        let plan = planned(&desired, &with_first(&desired, first));
        let step = role_step(&plan);
        assert_eq!((&step.action, grants(step)), (&Action::Create, [true; 4]));
        assert!(step.awaits.is_empty() && step.left_out.is_empty());
    }
}

#[test]
fn what_is_refused_is_left_out_with_its_key_and_nothing_else_is() {
    let desired = wanted(&json!({}));
    for (first, reason, why) in [
        (theirs(), "NotOwned", "owned by c/other/p"),
        (nobodys(), "NotOwned", "was not created by this platform"),
        (elsewhere(), "Conflict", "is in us-east-1"),
        (Observed::unreadable(failure(Class::Denied)), "AccessDenied", "AWS denies"),
        (Observed::unreadable(failure(Class::NotOwned)), "NotOwned", "failed"),
    ] {
        let live = with_role(with_first(&desired, first.clone()), &role(&desired));
        for observations in [with_first(&desired, first), live] {
            let plan = planned(&desired, &observations);
            let step = role_step(&plan);
            assert_eq!(grants(step), [false, false, true, true], "{reason}");
            assert!(step.action.writes() && step.awaits.is_empty(), "{step:?}");
            let [left] = step.left_out.as_slice() else { panic!("one thing is left out: {:?}", step.left_out) };
            assert_eq!((&left.about, left.reason, left.needs_somebody), (&bucket_key("bucket-one"), reason, true));
            assert!(left.message.starts_with("Bucket bucket-one is not granted: "), "{}", left.message);
            assert!(left.message.contains(why), "{}", left.message);
            assert!(!plan.is_settled());
            assert!(plan.to_string().contains(&left.message), "{plan}");
        }
    }
}

#[test]
fn once_left_out_it_stays_left_out_and_is_still_returned() {
    let desired = wanted(&json!({}));
    let first = planned(&desired, &with_first(&desired, theirs()));
    let narrow = role_step(&first).desired.clone().unwrap();
    let again = planned(&desired, &with_role(with_first(&desired, theirs()), &narrow));
    let step = role_step(&again);
    assert_eq!((&step.action, step.left_out.len()), (&Action::Keep, 1));
    assert!(!again.is_settled());
}

fn with_role(mut observations: Observations, role: &Resource) -> Observations {
    observations.insert(role.key(), ours(role));
    observations
}

#[test]
fn what_is_unknown_for_a_moment_is_neither_added_nor_taken_away() {
    let desired = wanted(&json!({}));
    for class in [Class::Transient, Class::Throttled, Class::Conflict] {
        let unread = || with_first(&desired, Observed::unreadable(failure(class)));
        let plan = planned(&desired, &unread());
        let step = role_step(&plan);
        assert_eq!((&step.action, grants(step)), (&Action::Create, [false, false, true, true]));
        assert!(!step.left_out[0].needs_somebody);

        let plan = planned(&desired, &with_role(unread(), &role(&desired)));
        let step = role_step(&plan);
        assert_eq!((&step.action, grants(step)), (&Action::Keep, [true; 4]), "an outage strips nobody");
        assert!(step.left_out.is_empty());
    }
}

/// Permissions beyond what is declared about an unknown bucket are drift all the same.
#[test]
fn an_outage_is_no_cover_for_a_wider_statement() {
    let desired = wanted(&json!({}));
    let Resource::Role(mut wide) = role(&desired) else { unreachable!() };
    let mut document = wide.policies["access"].as_written();
    for statement in document["Statement"].as_array_mut().unwrap() {
        if statement["Sid"] == "WriteOne" {
            statement["Action"] = json!("s3:*");
        }
    }
    wide.policies.insert("access".into(), Policy::new(&document));
    let unread = with_first(&desired, Observed::unreadable(failure(Class::Transient)));
    let plan = planned(&desired, &with_role(unread, &Resource::Role(wide)));
    let step = role_step(&plan);
    assert!(matches!(step.action, Action::Update(_)));
    assert!(!allowed(step).contains("s3:*") && !allowed(step).contains("s3:PutObject"), "{}", allowed(step));
}

#[test]
fn what_is_to_be_made_or_taken_over_is_awaited() {
    let adopting = wanted(&json!({"adopt": true}));
    let found = Observed { owner: Owner::Nobody, ..ours(&wanted(&json!({"versioning": false}))[0].resource) };
    for (desired, first) in [(wanted(&json!({})), Observed::absent()), (adopting, found)] {
        let live = with_role(with_first(&desired, first.clone()), &role(&desired));
        for (observations, planned_action) in [(with_first(&desired, first), &Action::Create), (live, &Action::Keep)] {
            let plan = planned(&desired, &observations);
            let step = role_step(&plan);
            assert_eq!((&step.action, grants(step)), (planned_action, [true; 4]), "a plan shows what it leads to");
            assert_eq!(step.awaits, [bucket_key("bucket-one")]);
            assert!(step.may_be_taken());

            let after =
                |attainment: Attainment| settled(step, &BTreeMap::from([(bucket_key("bucket-one"), attainment)]));
            let made = after(Attainment::Attained);
            assert_eq!((&made.action, grants(&made)), (planned_action, [true; 4]));
            assert!(made.left_out.is_empty() && made.awaits.is_empty());

            let refusal = Refusal { reason: "QuotaExceeded", message: "too many".into() };
            for (attainment, needs_somebody) in
                [(Attainment::Refused(refusal), true), (Attainment::Missing("waits".into()), false)]
            {
                let narrow = after(attainment);
                assert!(narrow.action.writes(), "{:?}", narrow.action);
                assert_eq!(grants(&narrow), [false, false, true, true]);
                assert_eq!(narrow.left_out[0].needs_somebody, needs_somebody);
            }

            let lost = after(Attainment::Unknown("no answer".into()));
            let keeps = *planned_action == Action::Keep;
            assert_eq!(grants(&lost), [keeps, keeps, true, true], "what was there stays, and nothing is added");
        }
    }
}

#[test]
fn nothing_is_granted_that_was_never_observed() {
    let desired = wanted(&json!({}));
    let step = Step { awaits: vec![bucket_key("bucket-one")], ..role_step(&planned(&desired, &seen([]))).clone() };
    assert_eq!(grants(&settled(&step, &BTreeMap::new())), [false, false, true, true]);
}

#[test]
fn a_denial_is_never_left_out() {
    let deny = crate::policy::Statement::allow("No", &["s3:*"], vec!["arn:aws:s3:::bucket-one/*".into()], "because")
        .denying()
        .about(bucket_key("bucket-one"));
    let policy = Policy::from([deny].as_slice());
    assert_eq!(policy.subjects().count(), 0);
    assert!(policy.without(|_, _| true).is_some());
}

#[test]
fn a_role_of_somebody_else_says_nothing_of_grants() {
    let desired = wanted(&json!({}));
    let mut observations = with_first(&desired, theirs());
    observations.insert(role(&desired).key(), nobodys());
    let plan = planned(&desired, &observations);
    let step = role_step(&plan);
    assert!(matches!(step.action, Action::Refuse(_)) && step.left_out.is_empty() && step.awaits.is_empty());
}
