use serde_json::{Value, json};

use super::*;
use crate::api::ManagementPolicy::{Full, NoDelete, Observe};
use crate::failure::Class;
use crate::features::endpoints::ConfigMap;
use crate::resource::{Contents, Kind, Observed, ObservedState, Owner};
use crate::tags;
use crate::testing::{bucket_key, changed, failure, ours, refusal, seen, wanted, wanted_bucket};

/// The plan of a live object.
fn planned(desired: &[Desired], observations: &Observations) -> Plan {
    plan("support", "assistant", desired, observations, &Intent::keep(Full))
}

/// The plan of an object on its way out.
fn ending(desired: &[Desired], observations: &Observations) -> Plan {
    let intent = Intent::delete(Full, DeletionPolicy::Delete, desired);
    plan("support", "assistant", desired, observations, &intent)
}

fn only_step(plan: &Plan) -> &Step {
    let [step] = plan.steps.as_slice() else { panic!("one step was expected: {plan}") };
    step
}

fn only_action(plan: &Plan) -> &Action {
    &only_step(plan).action
}

fn paths(action: &Action) -> Vec<&str> {
    let Action::Update(changes) = action else { panic!("an update was expected: {action:?}") };
    changes.iter().map(|change| change.path.as_str()).collect()
}

fn retained(action: &Action) -> &str {
    let Action::Retain(why) = action else { panic!("it should be retained: {action:?}") };
    why
}

fn refused(action: &Action) -> &Refusal {
    let Action::Refuse(refusal) = action else { panic!("it should be refused: {action:?}") };
    refusal
}

/// A bucket of ours that says this of its own end, or nothing.
fn left_over(policy: Option<&str>) -> Resource {
    changed(&wanted_bucket("old-bucket").resource, |bucket| {
        bucket.tags.remove(tags::DELETION_POLICY);
        if let Some(policy) = policy {
            bucket.tags.insert(tags::DELETION_POLICY.into(), policy.into());
        }
    })
}

/// The desire for one bucket whose spec says this of its end.
fn declared(policy: &str) -> Desired {
    wanted(json!([{"name": "only", "bucketName": "one-bucket", "deletionPolicy": policy}])).remove(0)
}

fn holding(resource: &Resource, contents: Contents) -> Observed {
    Observed { contents: Some(contents), ..ours(resource) }
}

fn in_state(resource: &Resource, state: ObservedState) -> Observed {
    Observed { state, ..ours(resource) }
}

#[test]
fn what_does_not_exist_is_created() {
    let desired = wanted_bucket("one-bucket");
    for observations in [seen([]), seen([("one-bucket", Observed::absent())])] {
        let plan = planned(std::slice::from_ref(&desired), &observations);
        let step = only_step(&plan);
        assert_eq!(step.action, Action::Create);
        assert_eq!(step.key, bucket_key("one-bucket"));
        assert_eq!(step.arn.as_deref(), Some("arn:aws:s3:::one-bucket"));
        assert_eq!(step.desired.as_ref(), Some(&desired.resource));
        assert_eq!(step.observed, None);
        assert!(step.is_taken());
        assert!(!plan.is_settled());
    }
}

#[test]
fn what_is_as_desired_is_kept() {
    let desired = wanted_bucket("one-bucket");
    let plan = planned(std::slice::from_ref(&desired), &seen([("one-bucket", ours(&desired.resource))]));
    assert_eq!(*only_action(&plan), Action::Keep);
    assert!(!only_step(&plan).is_taken());
    assert!(plan.is_settled());
    assert_eq!(plan.summary(), Summary { keep: 1, ..Summary::default() });
}

#[test]
fn nothing_is_planned_where_nothing_is_wanted_and_nothing_is_there() {
    let plan = planned(&[], &seen([("one-bucket", Observed::absent())]));
    assert_eq!(plan.steps, []);
    assert!(plan.is_settled());
}

#[test]
fn an_update_names_exactly_the_fields_that_differ() {
    type Drift = fn(&mut crate::resource::Bucket);
    let desired = wanted(json!([{
        "name": "only",
        "bucketName": "one-bucket",
        "encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"},
        "lifecycle": {"rules": [{"id": "expire", "expiration": {"days": 30}}]},
    }]));
    let drifts: [(Drift, &[&str]); 9] = [
        (|bucket| bucket.versioning = false, &["versioning"]),
        (|bucket| bucket.public_access_block.block_public_acls = false, &["publicAccessBlock.blockPublicAcls"]),
        (|bucket| bucket.object_ownership = None, &["objectOwnership"]),
        (|bucket| bucket.encryption = None, &["encryption"]),
        (
            |bucket| bucket.encryption = Some(crate::resource::bucket::Encryption::sse_s3()),
            &["encryption.algorithm", "encryption.bucketKey", "encryption.kmsKeyArn"],
        ),
        (|bucket| bucket.policy.clear(), &["policy.AipTlsOnly"]),
        (
            |bucket| bucket.lifecycle.get_mut("expire").unwrap().expiration.as_mut().unwrap().days = Some(31),
            &["lifecycle.expire.expiration.days"],
        ),
        (
            |bucket| {
                let rule = bucket.lifecycle.remove("expire").unwrap();
                bucket.lifecycle.insert("stale".into(), rule);
            },
            &["lifecycle.expire", "lifecycle.stale"],
        ),
        (
            |bucket| {
                bucket.versioning = false;
                bucket.tags.insert(format!("{}team", tags::PREFIX), "another".into());
            },
            &["tags.aiplatform.dev/team", "versioning"],
        ),
    ];
    for (drift, expected) in drifts {
        let found = changed(&desired[0].resource, drift);
        let plan = planned(&desired, &seen([("one-bucket", ours(&found))]));
        assert_eq!(paths(only_action(&plan)), expected);
        assert_eq!(only_step(&plan).observed.as_ref(), Some(&found));
        assert!(only_step(&plan).is_taken());
    }
}

#[test]
fn a_change_says_what_is_and_what_should_be() {
    let desired = wanted_bucket("one-bucket");
    let found = changed(&desired.resource, |bucket| bucket.versioning = false);
    let plan = planned(&[desired], &seen([("one-bucket", ours(&found))]));
    let Action::Update(changes) = only_action(&plan) else { panic!("{plan}") };
    assert_eq!(changes[0].from, json!(false));
    assert_eq!(changes[0].to, json!(true));
    assert_eq!(changes[0].field(), crate::resource::bucket::field::VERSIONING);
}

#[test]
fn somebody_elses_bucket_is_refused_and_its_holder_named() {
    let mut desired = wanted_bucket("one-bucket");
    let holder = Owner::Theirs("cluster-2/sales/crm".into());
    for adopt in [false, true] {
        desired.adopt = adopt;
        for resource in [None, Some(desired.resource.clone())] {
            let observed = Observed {
                resource,
                owner: holder.clone(),
                ..Observed::present(desired.resource.clone(), Owner::Nobody)
            };
            let plan = planned(std::slice::from_ref(&desired), &seen([("one-bucket", observed)]));
            let refusal = refused(only_action(&plan));
            assert_eq!(refusal.reason, "NotOwned");
            assert!(refusal.message.contains("Bucket one-bucket"), "{}", refusal.message);
            assert!(refusal.message.contains("cluster-2/sales/crm"), "{}", refusal.message);
            assert!(!only_step(&plan).is_taken());
        }
    }
}

#[test]
fn nobodys_bucket_is_refused_unless_it_is_adopted() {
    let mut desired = wanted_bucket("one-bucket");
    let found = changed(&desired.resource, |bucket| bucket.tags.clear());
    let observations = seen([("one-bucket", Observed::present(found, Owner::Nobody))]);

    let plan = planned(std::slice::from_ref(&desired), &observations);
    let refusal = refused(only_action(&plan));
    assert_eq!(refusal.reason, "NotOwned");
    assert!(refusal.message.contains("adopt: true"), "{}", refusal.message);

    desired.adopt = true;
    let plan = planned(&[desired], &observations);
    let fields = paths(only_action(&plan));
    assert!(fields.contains(&"tags.aiplatform.dev/owner"), "{fields:?}");
    assert!(fields.iter().all(|field| field.starts_with("tags.")), "{fields:?}");
}

#[test]
fn a_field_that_cannot_be_written_is_left_out_and_the_others_are_written() {
    let desired = wanted_bucket("one-bucket");
    let found = changed(&desired.resource, |bucket| {
        bucket.versioning = false;
        bucket.lifecycle.insert("stale".into(), crate::resource::bucket::LifecycleRule::default());
    });
    let protected_fields = BTreeMap::from([("lifecycle", "a rule of others would be lost".to_string())]);
    let plan = planned(&[desired], &seen([("one-bucket", Observed { protected_fields, ..ours(&found) })]));
    assert_eq!(paths(only_action(&plan)), ["versioning"]);
    assert_eq!(only_step(&plan).held_back, Some(refusal("Conflict", "a rule of others would be lost")));
    assert!(only_step(&plan).is_taken());
    assert!(!plan.is_settled());
}

#[test]
fn an_update_of_nothing_but_what_cannot_be_written_is_refused() {
    let desired = wanted_bucket("one-bucket");
    let found = changed(&desired.resource, |bucket| bucket.versioning = false);
    let protected_fields = BTreeMap::from([("versioning", "MFA delete is on".to_string())]);
    let plan = planned(&[desired], &seen([("one-bucket", Observed { protected_fields, ..ours(&found) })]));
    assert_eq!(*refused(only_action(&plan)), refusal("Conflict", "MFA delete is on"));
    assert_eq!(only_step(&plan).held_back, None);
}

#[test]
fn a_field_that_cannot_be_written_and_need_not_is_of_no_interest() {
    let desired = wanted_bucket("one-bucket");
    let protected_fields = BTreeMap::from([("lifecycle", "a rule of others would be lost".to_string())]);
    let observed = Observed { protected_fields, ..ours(&desired.resource) };
    let plan = planned(&[desired], &seen([("one-bucket", observed)]));
    assert_eq!(*only_action(&plan), Action::Keep);
    assert!(plan.is_settled());
}

#[test]
fn what_cannot_be_read_is_left_alone_whether_it_is_wanted_or_not() {
    let error = failure(Class::Denied);
    let observations = seen([("one-bucket", Observed::unreadable(error.clone()))]);
    let desired = [Desired { removal: Removal::WhenEmpty, ..wanted_bucket("one-bucket") }];
    for plan in [planned(&desired, &observations), planned(&[], &observations), ending(&desired, &observations)] {
        assert_eq!(*only_action(&plan), Action::Unreadable(error.clone()));
        assert!(!only_step(&plan).is_taken());
        assert!(!plan.is_settled());
    }
}

#[test]
fn what_is_kept_anyway_needs_no_answer() {
    let denied = || seen([("one-bucket", Observed::unreadable(failure(Class::Denied)))]);
    let kept = [Desired { removal: Removal::Retain, ..wanted_bucket("one-bucket") }];
    let remembered =
        Intent { remembered: BTreeMap::from([(bucket_key("one-bucket"), Removal::Retain)]), ..Intent::default() };
    for plan in [ending(&kept, &denied()), plan("n", "p", &[], &denied(), &remembered)] {
        let Action::Retain(why) = only_action(&plan) else { panic!("{plan}") };
        assert!(why.contains("Retain") && why.contains("could not be read"), "{why}");
    }
}

#[test]
fn what_may_not_be_deleted_needs_no_answer_either() {
    let observations = seen([("one-bucket", Observed::unreadable(failure(Class::Denied)))]);
    let plan = plan("n", "p", &[], &observations, &Intent::keep(NoDelete));
    let why = retained(only_action(&plan));
    assert!(why.contains("NoDelete") && why.contains("could not be read"), "{why}");
    let wanted = plan_of_wanted(&observations);
    assert!(matches!(only_action(&wanted), Action::Unreadable(_)), "what is declared has to be read: {wanted}");
}

fn plan_of_wanted(observations: &Observations) -> Plan {
    plan("n", "p", &[wanted_bucket("one-bucket")], observations, &Intent::keep(NoDelete))
}

#[test]
fn what_somebody_else_has_for_certain_holds_nothing_up() {
    let elsewhere = Observed::held_elsewhere(failure(Class::Denied), "another account");
    let observations = seen([("one-bucket", elsewhere)]);
    let gone = [Desired { removal: Removal::WithContents, ..wanted_bucket("one-bucket") }];
    for plan in [planned(&[], &observations), ending(&gone, &observations)] {
        assert_eq!(plan.steps, [], "it is not even listed any more");
    }
    let wanted = planned(&[wanted_bucket("one-bucket")], &observations);
    assert!(matches!(only_action(&wanted), Action::Unreadable(_)), "{wanted}");
}

#[test]
fn the_more_careful_of_tag_and_status_holds_once_nothing_is_declared() {
    let desired = wanted_bucket("one-bucket");
    let all = [Removal::Retain, Removal::WhenEmpty, Removal::WithContents];
    for (tagged, remembered) in all.into_iter().flat_map(|tagged| all.map(|remembered| (tagged, remembered))) {
        let resource = changed(&desired.resource, |bucket| {
            bucket.tags.insert(crate::tags::DELETION_POLICY.into(), tagged.name().into());
        });
        let observations = seen([("one-bucket", ours(&resource))]);
        let intent =
            Intent { remembered: BTreeMap::from([(bucket_key("one-bucket"), remembered)]), ..Intent::default() };
        let plan = plan("n", "p", &[], &observations, &intent);
        let expected = match tagged.min(remembered) {
            Removal::Retain => "Retain",
            _ => "Delete",
        };
        assert_eq!(only_action(&plan).name(), expected, "{tagged:?} {remembered:?}");
        let takes_all = matches!(only_action(&plan), Action::Delete { with_contents: true });
        assert_eq!(takes_all, tagged.min(remembered) == Removal::WithContents, "{tagged:?} {remembered:?}");
    }
}

#[test]
fn a_spec_that_is_not_accepted_can_only_make_an_end_more_careful() {
    let all = [Removal::Retain, Removal::WhenEmpty, Removal::WithContents];
    let key = bucket_key("one-bucket");
    for (declared, tagged) in all.into_iter().flat_map(|declared| all.map(|tagged| (declared, tagged))) {
        let removals = BTreeMap::from([(key.clone(), declared)]);
        let ends = |said, accepted| Intent {
            remembered: BTreeMap::from([(key.clone(), Removal::WithContents)]),
            ..Intent::delete_unaccepted(Full, said, accepted, removals.clone())
        };
        let expected = match declared.min(tagged) {
            Removal::Retain => None,
            removal => Some(removal),
        };
        let intent = ends(DeletionPolicy::Delete, DeletionPolicy::Delete);
        assert_eq!(intent.removal(&key, Some(tagged)).ok().flatten(), expected, "{declared:?} {tagged:?}");
        for (said, accepted) in
            [(DeletionPolicy::Retain, DeletionPolicy::Delete), (DeletionPolicy::Delete, DeletionPolicy::Retain)]
        {
            assert!(ends(said, accepted).retains_everything().is_some(), "{said:?} {accepted:?}");
        }
    }
}

#[test]
fn a_part_that_could_not_be_read_is_neither_compared_nor_written_and_the_others_are() {
    let desired = wanted_bucket("one-bucket");
    let drifted = changed(&desired.resource, |bucket| {
        bucket.versioning = !bucket.versioning;
        bucket.policy.clear();
    });
    let unknown = BTreeMap::from([("policy".to_string(), failure(Class::Denied))]);
    let observed = Observed { unknown: unknown.clone(), ..ours(&drifted) };
    let both = planned(std::slice::from_ref(&desired), &seen([("one-bucket", observed)]));
    let Action::Update(changes) = only_action(&both) else { panic!("{both}") };
    assert_eq!(changes.iter().map(Change::field).collect::<Vec<_>>(), ["versioning"]);
    let observed = Observed { unknown, ..ours(&desired.resource) };
    let plan = planned(&[desired], &seen([("one-bucket", observed)]));
    assert_eq!(*only_action(&plan), Action::Keep);
    assert!(!plan.is_settled(), "what is unknown is not as declared");
    assert!(plan.to_string().contains("AWS denies"), "{plan}");
}

#[test]
fn a_bucket_whose_contents_cannot_be_counted_goes_only_where_they_do_not_matter() {
    let desired = wanted_bucket("one-bucket");
    let unknown = BTreeMap::from([(crate::resource::CONTENTS.to_string(), failure(Class::Denied))]);
    let observations = seen([("one-bucket", Observed { unknown, ..ours(&desired.resource) })]);
    for (removal, expected) in
        [(Removal::Retain, "Retain"), (Removal::WhenEmpty, "Unreadable"), (Removal::WithContents, "Delete")]
    {
        let plan = ending(&[Desired { removal, ..desired.clone() }], &observations);
        assert_eq!(only_action(&plan).name(), expected);
    }
}

#[test]
fn what_cannot_be_worked_with_is_refused_with_its_reason() {
    let desired = wanted_bucket("one-bucket");
    let observed = in_state(&desired.resource, ObservedState::Failed("made by another region".into()));
    let plan = planned(&[desired], &seen([("one-bucket", observed)]));
    assert_eq!(*refused(only_action(&plan)), refusal("Conflict", "made by another region"));
}

#[test]
fn a_transition_of_awss_own_is_waited_for() {
    let desired = wanted_bucket("one-bucket");
    let observed = in_state(&desired.resource, ObservedState::Progressing("creating".into()));
    let observations = seen([("one-bucket", observed)]);
    let desired = [desired];
    for plan in [planned(&desired, &observations), planned(&[], &observations), ending(&desired, &observations)] {
        assert_eq!(*only_action(&plan), Action::Wait("creating".into()));
    }
}

/// A config map, which takes writes whatever it is doing, with this entry.
fn config_map(text: &str) -> Resource {
    let data = [("rank.json".to_string(), text.to_string())].into();
    ConfigMap { namespace: "support".into(), name: "assistant-endpoints".into(), data }.into()
}

#[test]
fn what_takes_writes_while_it_is_busy_can_be_mended_and_deleted() {
    let desired = [Desired::made(config_map("new"))];
    let plan_of = |resource: &Resource, state: ObservedState, desired: &[Desired]| {
        let observations = Observations::from([(resource.key(), in_state(resource, state))]);
        only_action(&planned(desired, &observations)).clone()
    };
    for state in [ObservedState::Progressing("starting".into()), ObservedState::Failed("crashes".into())] {
        let mended = plan_of(&config_map("old"), state.clone(), &desired);
        assert!(matches!(mended, Action::Update(_)), "{state:?}: {mended:?}");
        let pruned = plan_of(&config_map("old"), state.clone(), &[]);
        assert!(matches!(pruned, Action::Delete { .. }), "{state:?}: {pruned:?}");
    }
    let waits = plan_of(&config_map("new"), ObservedState::Progressing("starting".into()), &desired);
    assert_eq!(waits, Action::Wait("starting".into()));
    let stuck = plan_of(&config_map("new"), ObservedState::Failed("crashes".into()), &desired);
    assert_eq!(refused(&stuck).message, "crashes");
}

#[test]
fn steps_come_in_the_order_of_the_spec_and_what_is_left_over_comes_last() {
    let desired = wanted(json!([{"name": "z", "bucketName": "z-bucket"}, {"name": "a", "bucketName": "a-bucket"}]));
    let plan = planned(&desired, &seen([("old-bucket", ours(&left_over(Some("Delete"))))]));
    let order: Vec<&str> = plan.steps.iter().map(|step| step.key.name.as_str()).collect();
    assert_eq!(order, ["z-bucket", "a-bucket", "old-bucket"]);
}

#[test]
fn what_was_taken_out_of_the_spec_ends_as_its_own_tag_says() {
    let action = |policy: Option<&str>| {
        let plan = planned(&[], &seen([("old-bucket", ours(&left_over(policy)))]));
        assert_eq!(only_step(&plan).desired, None);
        only_action(&plan).clone()
    };
    assert_eq!(action(Some("Delete")), Action::Delete { with_contents: false });
    assert_eq!(action(Some("DeleteWithContents")), Action::Delete { with_contents: true });
    for policy in [Some("Retain"), Some("delete"), Some(""), None] {
        assert!(retained(&action(policy)).contains("deletionPolicy is Retain"), "{policy:?}");
    }
}

#[test]
fn the_platforms_deletion_policy_says_nothing_about_what_was_taken_out_of_the_spec() {
    let intent = Intent { deletion_policy: DeletionPolicy::Retain, ..Intent::keep(Full) };
    let observations = seen([("old-bucket", ours(&left_over(Some("Delete"))))]);
    let plan = plan("support", "assistant", &[], &observations, &intent);
    assert_eq!(*only_action(&plan), Action::Delete { with_contents: false });
}

#[test]
fn deletion_of_the_object_asks_every_policy_and_retain_wins() {
    for platform in [DeletionPolicy::Delete, DeletionPolicy::Retain] {
        for management in [Full, NoDelete, Observe] {
            for bucket in ["Retain", "Delete", "DeleteWithContents"] {
                let desired = [declared(bucket)];
                let intent = Intent::delete(management, platform, &desired);
                let observations = seen([("one-bucket", ours(&desired[0].resource))]);
                let plan = plan("support", "assistant", &desired, &observations, &intent);
                let action = only_action(&plan);
                let case = format!("{platform:?} {management:?} {bucket}: {action:?}");
                if platform == DeletionPolicy::Retain {
                    assert!(retained(action).contains("the platform's deletionPolicy is Retain"), "{case}");
                } else if management != Full {
                    assert!(retained(action).contains("managementPolicy"), "{case}");
                } else if bucket == "Retain" {
                    assert!(retained(action).contains("its deletionPolicy is Retain"), "{case}");
                } else {
                    let with_contents = bucket == "DeleteWithContents";
                    assert_eq!(*action, Action::Delete { with_contents }, "{case}");
                    assert_eq!(only_step(&plan).not_applied, None, "{case}");
                }
            }
        }
    }
}

#[test]
fn while_there_is_a_spec_it_says_what_deletion_does_and_not_an_older_tag() {
    for (spec, tag, expected) in [
        ("Retain", "DeleteWithContents", None),
        ("Delete", "DeleteWithContents", Some(false)),
        ("DeleteWithContents", "Retain", Some(true)),
    ] {
        let desired = [declared(spec)];
        let found = changed(&desired[0].resource, |bucket| {
            bucket.tags.insert(tags::DELETION_POLICY.into(), tag.into());
        });
        let plan = ending(&desired, &seen([("one-bucket", ours(&found))]));
        match expected {
            Some(with_contents) => assert_eq!(*only_action(&plan), Action::Delete { with_contents }),
            None => assert!(retained(only_action(&plan)).contains("Retain")),
        }
    }
}

#[test]
fn deletion_takes_what_older_specs_left_too() {
    let desired = [declared("Delete")];
    let observations = seen([
        ("one-bucket", ours(&desired[0].resource)),
        ("old-bucket", ours(&left_over(Some("DeleteWithContents")))),
    ]);
    let actions: BTreeMap<String, Action> =
        ending(&desired, &observations).steps.into_iter().map(|step| (step.key.name, step.action)).collect();
    assert_eq!(
        actions,
        BTreeMap::from([
            ("old-bucket".into(), Action::Delete { with_contents: true }),
            ("one-bucket".into(), Action::Delete { with_contents: false }),
        ])
    );
}

#[test]
fn contents_block_a_deletion_and_are_counted() {
    let contents = Contents { versions: 3, delete_markers: 1, uploads: 0, more: false };
    for desired in [vec![], vec![declared("Delete")]] {
        let name = if desired.is_empty() { "old-bucket" } else { "one-bucket" };
        let resource = desired.first().map_or_else(|| left_over(Some("Delete")), |desired| desired.resource.clone());
        let plan = ending(&desired, &seen([(name, holding(&resource, contents))]));
        let refusal = refused(only_action(&plan));
        assert_eq!(refusal.reason, "DeletionBlocked");
        assert_eq!(
            refusal.message,
            format!(
                "Bucket {name} still holds 3 object versions, 1 delete marker and 0 unfinished uploads: empty it, or set its deletionPolicy to Retain or DeleteWithContents"
            )
        );
    }
}

#[test]
fn every_sort_of_contents_blocks_a_deletion() {
    let none = Contents::default();
    for contents in [
        Contents { versions: 1, ..none },
        Contents { delete_markers: 1, ..none },
        Contents { uploads: 1, ..none },
        Contents { versions: 1000, more: true, ..none },
    ] {
        let plan = planned(&[], &seen([("old-bucket", holding(&left_over(Some("Delete")), contents))]));
        let message = &refused(only_action(&plan)).message;
        assert_eq!(message.contains("at least"), contents.more, "{message}");
    }
    let plan = planned(&[], &seen([("old-bucket", holding(&left_over(Some("Delete")), none))]));
    assert_eq!(*only_action(&plan), Action::Delete { with_contents: false });
}

#[test]
fn contents_do_not_stand_in_the_way_where_they_go_too_or_everything_stays() {
    let contents = Contents { versions: 3, ..Contents::default() };
    let action = |policy| {
        let plan = planned(&[], &seen([("old-bucket", holding(&left_over(Some(policy)), contents))]));
        only_action(&plan).clone()
    };
    assert_eq!(action("DeleteWithContents"), Action::Delete { with_contents: true });
    assert_eq!(action("Retain").name(), "Retain");
}

#[test]
fn what_is_not_ours_is_never_in_the_plan_of_a_deletion() {
    let desired = [declared("DeleteWithContents")];
    for owner in [Owner::Nobody, Owner::Theirs("cluster-2/sales/crm".into())] {
        for resource in [None, Some(desired[0].resource.clone())] {
            for state in
                [ObservedState::Ready, ObservedState::Progressing("x".into()), ObservedState::Failed("x".into())]
            {
                let observed =
                    Observed { resource: resource.clone(), owner: owner.clone(), state, ..Observed::absent() };
                let observations = seen([("one-bucket", observed)]);
                assert_eq!(ending(&desired, &observations).steps, []);
                assert_eq!(planned(&[], &observations).steps, []);
            }
        }
    }
}

#[test]
fn nothing_is_left_to_do_when_nothing_of_ours_is_left() {
    let desired = [declared("Delete")];
    assert_eq!(ending(&desired, &seen([("one-bucket", Observed::absent())])).steps, []);
    assert_eq!(ending(&desired, &seen([])).steps, []);
}

#[test]
fn observe_shows_every_write_and_takes_none() {
    let desired = wanted(json!([
        {"name": "new", "bucketName": "new-bucket"},
        {"name": "drifted", "bucketName": "drifted-bucket"},
        {"name": "kept", "bucketName": "kept-bucket"},
    ]));
    let observations = seen([
        ("drifted-bucket", ours(&changed(&desired[1].resource, |bucket| bucket.versioning = false))),
        ("kept-bucket", ours(&desired[2].resource)),
        ("old-bucket", ours(&left_over(Some("Delete")))),
    ]);
    let plan = plan("support", "assistant", &desired, &observations, &Intent::keep(Observe));
    let names: Vec<&str> = plan.steps.iter().map(|step| step.action.name()).collect();
    assert_eq!(names, ["Create", "Update", "Keep", "Delete"]);
    let not_applied: Vec<bool> = plan.steps.iter().map(|step| step.not_applied.is_some()).collect();
    assert_eq!(not_applied, [true, true, false, true]);
    assert!(plan.steps.iter().all(|step| !step.is_taken()));
    assert_eq!(plan.summary(), Summary { create: 1, update: 1, delete: 1, keep: 1 });
}

#[test]
fn no_delete_creates_and_updates_and_retains_what_it_would_delete() {
    let desired = wanted(json!([
        {"name": "new", "bucketName": "new-bucket"},
        {"name": "drifted", "bucketName": "drifted-bucket"},
    ]));
    let observations = seen([
        ("drifted-bucket", ours(&changed(&desired[1].resource, |bucket| bucket.versioning = false))),
        ("old-bucket", ours(&left_over(Some("DeleteWithContents")))),
    ]);
    let plan = plan("support", "assistant", &desired, &observations, &Intent::keep(NoDelete));
    let taken: Vec<(&str, bool)> = plan.steps.iter().map(|step| (step.action.name(), step.is_taken())).collect();
    assert_eq!(taken, [("Create", true), ("Update", true), ("Retain", false)]);
    assert!(retained(&plan.steps[2].action).contains("managementPolicy is NoDelete"));
}

#[test]
fn no_delete_does_not_mind_contents() {
    let contents = Contents { versions: 3, ..Contents::default() };
    let observations = seen([("old-bucket", holding(&left_over(Some("Delete")), contents))]);
    let plan = plan("support", "assistant", &[], &observations, &Intent::keep(NoDelete));
    assert!(retained(only_action(&plan)).contains("managementPolicy is NoDelete"));
}

/// A platform whose first bucket is missing and whose second was changed by hand, with one left over from an older
/// spec and one that somebody else holds.
fn realistic() -> Plan {
    let desired = wanted(json!([
        {
            "name": "artifacts",
            "bucketName": "support-artifacts-123456789012",
            "encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"},
            "deletionPolicy": "Delete",
            "lifecycle": {"rules": [{
                "id": "expire-eval-outputs",
                "filter": {"prefix": "evals/"},
                "transitions": [{"days": 90, "storageClass": "GLACIER"}, {"days": 30, "storageClass": "STANDARD_IA"}],
                "expiration": {"days": 365},
            }]},
        },
        {"name": "logs", "bucketName": "support-logs-123456789012", "versioning": false},
        {"name": "shared", "bucketName": "shared-123456789012"},
    ]));
    let logs = changed(&desired[1].resource, |bucket| {
        bucket.versioning = true;
        bucket.policy.clear();
        bucket.lifecycle.insert("by-hand".into(), crate::resource::bucket::LifecycleRule::default());
    });
    let theirs =
        Observed { resource: None, owner: Owner::Theirs("cluster-2/sales/crm".into()), ..ours(&desired[2].resource) };
    let old = left_over(Some("Delete"));
    let older = changed(&left_over(None), |bucket| bucket.name = "older-bucket".into());
    let contents = Contents { versions: 12, delete_markers: 1, uploads: 0, more: false };
    planned(
        &desired,
        &seen([
            ("support-logs-123456789012", ours(&logs)),
            ("shared-123456789012", theirs),
            ("old-bucket", holding(&old, contents)),
            ("older-bucket", ours(&older)),
        ]),
    )
}

#[test]
fn a_plan_reads_well() {
    insta::assert_snapshot!(realistic());
}

#[test]
fn a_plan_is_one_json_document_for_machines() {
    insta::assert_json_snapshot!(realistic());
}

#[test]
fn colour_changes_nothing_but_the_signs() {
    let plan = realistic();
    let coloured = crate::render::Text { plan: &plan, colour: true }.to_string();
    assert!(coloured.contains("\x1b[32m+\x1b[0m create"), "{coloured}");
    let mut stripped = coloured.replace("\x1b[0m", "");
    for code in [2, 31, 32, 33, 36] {
        stripped = stripped.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(stripped, plan.to_string());
}

#[test]
fn every_action_is_written_with_a_message_where_it_is_not_taken() {
    let shown = |step: &Step| serde_json::to_value(step).unwrap();
    let with = |action: Action| crate::testing::step("one", action, &[]);
    assert_eq!(shown(&with(Action::Wait("creating".into())))["message"], "creating");
    assert_eq!(
        shown(&with(Action::Blocked(vec![bucket_key("a"), bucket_key("b")])))["message"],
        "waits for Bucket a, Bucket b"
    );
    assert_eq!(
        shown(&with(Action::Unreadable(failure(Class::Denied))))["message"],
        "AWS denies s3:PutBucketVersioning on arn:aws:s3:::one (SomeCode: said AWS): allow that action for the operator"
    );
    assert_eq!(shown(&with(Action::Keep)).get("message"), None);
    let not_applied = Step { not_applied: Some("managementPolicy is Observe"), ..with(Action::Create) };
    assert_eq!(shown(&not_applied)["message"], "managementPolicy is Observe");
    assert_eq!(shown(&not_applied)["kind"], Value::from(Kind::Bucket.name()));
}
