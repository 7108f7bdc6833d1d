//! The ways a rollout goes when nothing goes wrong that is not part of the story.

use aiplatform::api::ManagementPolicy;
use aiplatform::kind::Listed;
use aiplatform::resource::endpoint::Status;
use aiplatform::resource::{Endpoint, Kind, Removal, ScalableTarget, ScalingPolicy, ScheduledAction};
use aiplatform::status::inventory;
use aiplatform::tags::Tags;

use super::spec::{self, Served, endpoint_name, image, kept, scaled, served};
use super::*;
use crate::support::memory::Rollback;

fn reason(run: &Run) -> String {
    let status = run.object.status.as_ref().expect("there is a status");
    status.conditions.iter().find(|it| it.type_ == "Ready").expect("Ready is told").reason.clone()
}

fn position(run: &Run, action: &str) -> usize {
    let writes = run.memory.writes();
    writes.iter().position(|write| write.action == action).unwrap_or_else(|| panic!("{action} was not called"))
}

#[test]
fn an_endpoint_is_made_after_what_it_needs_and_scaled_when_it_serves() {
    let mut run = in_an_account_of_others(Some(&served()));
    run.memory.change(|cloud| cloud.sagemaker.reads = 2);
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!((reason(&run).as_str(), instances(&run)), ("Ready", 2));
    let order = ["iam:CreateRole", "sagemaker:CreateSageMakerModel", "sagemaker:CreateSageMakerEndpointConfig"];
    let rest = ["sagemaker:CreateSageMakerEndpoint", "autoscaling:CreateScalableTarget"];
    let last = ["autoscaling:CreateScalingPolicy", "autoscaling:CreateScheduledAction"];
    let calls: Vec<usize> = order.iter().chain(&rest).chain(&last[..1]).map(|call| position(&run, call)).collect();
    assert!(calls.is_sorted(), "{calls:?}");
    for call in order.iter().chain(&rest).chain(&last) {
        assert_eq!(count(&run, call), 1, "{call}");
    }
}

#[test]
fn another_image_is_one_update_that_leaves_the_scaling_alone() {
    let mut run = at_rest(&served(), 5);
    let before = run.memory.writes().len();
    edit(&mut run, Some(&Served { image: 'b', ..served() }));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_never_below(&run, 5);
    assert_eq!(instances(&run), 5);
    let mut calls: Vec<String> = run.memory.writes().split_off(before).into_iter().map(|it| it.action).collect();
    calls.retain(|call| !call.starts_with("iam:"));
    let endpoint = ["UpdateSageMakerEndpoint attempt", "UpdateSageMakerEndpoint config"];
    let expected = ["CreateSageMakerModel", "CreateSageMakerEndpointConfig"].into_iter().chain(endpoint);
    let expected: Vec<String> = expected.map(|call| format!("sagemaker:{call}")).collect();
    assert_eq!(calls, expected);
}

#[test]
fn another_instance_type_takes_the_scaling_off_and_puts_it_back() {
    let mut run = at_rest(&served(), 5);
    edit(&mut run, Some(&Served { instance: "ml.m5.xlarge", ..served() }));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_never_below(&run, 5);
    assert_eq!(instances(&run), 5);
    assert_eq!(count(&run, "autoscaling:DeleteScalableTarget"), 1);
    assert_eq!(count(&run, "autoscaling:CreateScalableTarget"), 2);
}

#[test]
fn scaling_goes_on_while_a_move_to_another_instance_type_is_refused() {
    let mut run = at_rest(&served(), 5);
    run.session = Some(Session::default());
    run.memory.change(|cloud| cloud.fire(&scaled(), spec::MORNING).expect("the time comes"));
    run.memory.deny(Some(("sagemaker:UpdateSageMakerEndpoint config", None)));
    edit(&mut run, Some(&Served { instance: "ml.m5.xlarge", ..served() }));
    for _ in 0..PASSES {
        let pass = run.pass();
        let cloud = run.memory.cloud();
        if pass.next != Next::Now {
            let target = cloud.target(&scaled()).expect("the endpoint is scaled between visits");
            let beside = (cloud.all::<ScalingPolicy>().count(), cloud.all::<ScheduledAction>().count());
            assert_eq!((target.bounds.min_capacity, beside), (4, (1, 1)));
        }
    }
    assert_eq!((reason(&run).as_str(), instances(&run)), ("AccessDenied", 5));
    run.memory.deny(None);
    converge(&mut run);
    assert_arrived(&mut run);
    assert_never_below(&run, 5);
}

#[test]
fn another_count_is_taken_over_and_no_other_change_touches_the_count() {
    let fixed = Served { bounds: None, ..served() };
    let mut run = at_rest(&fixed, 5);
    edit(&mut run, Some(&Served { image: 'b', ..fixed.clone() }));
    converge(&mut run);
    assert_eq!(instances(&run), 5);
    edit(&mut run, Some(&Served { image: 'c', count: 3, ..fixed }));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!(instances(&run), 3);
}

#[test]
fn superseded_revisions_stay_as_many_as_are_wanted_and_the_newest() {
    for keep in [0, 1, 2] {
        let mut run = at_rest(&Served { keep, ..served() }, 2);
        let mut configs = Vec::new();
        for image in ['a', 'b', 'c', 'd'] {
            edit(&mut run, Some(&Served { image, keep, ..served() }));
            converge(&mut run);
            assert_arrived(&mut run);
            configs.push(spec::wanted_endpoint(&run.object).expect("an endpoint").config);
        }
        configs.pop();
        let newest = configs.split_off(configs.len() - usize::from(keep));
        assert_eq!(kept(&run.memory.cloud(), &run.object), newest.into_iter().collect());
    }
}

#[test]
fn going_back_to_a_revision_that_was_kept_makes_nothing_new() {
    let mut run = at_rest(&served(), 5);
    edit(&mut run, Some(&Served { image: 'b', ..served() }));
    converge(&mut run);
    let made = count(&run, "sagemaker:CreateSageMakerModel");
    edit(&mut run, Some(&served()));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!((count(&run, "sagemaker:CreateSageMakerModel"), instances(&run)), (made, 5));
}

#[test]
fn what_rolled_back_is_reported_and_not_tried_again_until_the_user_requests_it() {
    let mut run = at_rest(&served(), 5);
    run.memory.change(|cloud| {
        cloud.sagemaker.reads = 2;
        cloud.sagemaker.broken.insert(image('b'), Rollback::Works);
    });
    edit(&mut run, Some(&Served { image: 'b', ..served() }));
    converge(&mut run);
    assert_eq!(reason(&run), "RolledBack");
    assert_at_peace(&mut run);
    assert_eq!((count(&run, "sagemaker:UpdateSageMakerEndpoint config"), instances(&run)), (1, 5));
    scale(&run, 7);
    converge(&mut run);
    assert_eq!((reason(&run).as_str(), count(&run, "sagemaker:UpdateSageMakerEndpoint config")), ("RolledBack", 1));
    // The image is mended under the same name.
    run.memory.change(|cloud| cloud.sagemaker.broken.clear());
    run.object.metadata.annotations.get_or_insert_default().insert("aiplatform.dev/reconcile-at".into(), "now".into());
    converge(&mut run);
    assert_arrived(&mut run);
    assert_never_below(&run, 5);
    assert_eq!((count(&run, "sagemaker:UpdateSageMakerEndpoint config"), instances(&run)), (2, 7));
}

#[test]
fn going_back_after_a_rollback_needs_no_update() {
    let mut run = at_rest(&served(), 5);
    run.memory.change(|cloud| {
        cloud.sagemaker.broken.insert(image('b'), Rollback::Works);
    });
    edit(&mut run, Some(&Served { image: 'b', ..served() }));
    converge(&mut run);
    edit(&mut run, Some(&served()));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!(count(&run, "sagemaker:UpdateSageMakerEndpoint config"), 1);
    // The same mistake is made again, and seen again.
    edit(&mut run, Some(&Served { image: 'b', ..served() }));
    converge(&mut run);
    assert_eq!((reason(&run).as_str(), count(&run, "sagemaker:UpdateSageMakerEndpoint config")), ("RolledBack", 2));
}

#[test]
fn an_endpoint_that_could_not_even_roll_back_is_updated_when_the_user_asks() {
    let mut run = at_rest(&served(), 5);
    run.memory.change(|cloud| {
        cloud.sagemaker.broken.insert(image('b'), Rollback::Fails);
    });
    edit(&mut run, Some(&Served { image: 'b', ..served() }));
    converge(&mut run);
    assert_eq!(reason(&run), "UpdateRollbackFailed");
    assert_at_peace(&mut run);
    for image in ['a', 'c'] {
        let mut run = Run::new(Memory::new(ACCOUNT, run.memory.cloud()), run.object.clone());
        edit(&mut run, Some(&Served { image, ..served() }));
        converge(&mut run);
        assert_arrived(&mut run);
        assert_never_below(&run, 5);
    }
}

#[test]
fn a_failed_first_creation_is_made_again_where_the_reason_passes() {
    let mut run = in_an_account_of_others(Some(&served()));
    run.memory.change(|cloud| {
        cloud.sagemaker.roles_unseen_by_models = 2;
        cloud.sagemaker.roles_unseen_by_endpoints = 2;
    });
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!(count(&run, "sagemaker:CreateSageMakerEndpoint"), 3);
}

#[test]
fn a_failed_first_creation_is_not_made_again_for_ever() {
    let mut run = in_an_account_of_others(Some(&served()));
    run.memory.change(|cloud| cloud.sagemaker.roles_unseen_by_endpoints = 100);
    converge(&mut run);
    assert_eq!((reason(&run).as_str(), count(&run, "sagemaker:CreateSageMakerEndpoint")), ("Failed", 4));
    assert_at_peace(&mut run);
    run.memory.change(|cloud| cloud.sagemaker.roles_unseen_by_endpoints = 1);
    edit(&mut run, Some(&Served { keep: 2, ..served() }));
    converge(&mut run);
    assert_arrived(&mut run);
}

#[test]
fn a_first_creation_that_fails_for_good_waits_for_the_user() {
    let mut run = in_an_account_of_others(Some(&served()));
    run.memory.change(|cloud| {
        cloud.sagemaker.broken.insert(image('a'), Rollback::Works);
    });
    converge(&mut run);
    assert_eq!((reason(&run).as_str(), count(&run, "sagemaker:CreateSageMakerEndpoint")), ("Failed", 1));
    assert_at_peace(&mut run);
    edit(&mut run, Some(&Served { image: 'b', ..served() }));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!(kept(&run.memory.cloud(), &run.object), BTreeSet::new());
}

#[test]
fn bounds_that_a_schedule_set_are_no_drift_and_bounds_that_somebody_set_are() {
    let mut run = at_rest(&served(), 2);
    let writes = run.memory.writes().len();
    run.memory.change(|cloud| cloud.fire(&scaled(), spec::MORNING).expect("the time comes"));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!((run.memory.writes().len(), instances(&run)), (writes, 4));
    let bounds = |run: &Run| run.memory.cloud().target(&scaled()).expect("a target").bounds.min_capacity;
    assert_eq!(bounds(&run), 4);
    run.memory.change(|cloud| {
        cloud.change::<ScalableTarget>(&scaled().key().name, |target| target.bounds.min_capacity = 1);
    });
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!(bounds(&run), 2);
}

/// What somebody may take away by hand.
pub(super) const LOSSES: [fn(&mut FakeCloud); 6] = [
    |cloud| cloud.remove(&scaled().key()),
    |cloud| lose(cloud, Kind::ScalingPolicy),
    |cloud| lose(cloud, Kind::ScheduledAction),
    |cloud| lose(cloud, Kind::SageMakerEndpointConfig),
    |cloud| lose(cloud, Kind::SageMakerModel),
    |cloud| {
        cloud.remove(&scaled().key());
        cloud.remove(&Endpoint::key_of(endpoint_name()));
    },
];

/// Everything of a kind that is ours.
fn lose(cloud: &mut FakeCloud, kind: Kind) {
    let ours = cloud.holders(OURS).into_iter().filter(|(key, holder)| key.kind == kind && *holder == Owner::Ours);
    ours.for_each(|(key, _)| cloud.remove(&key));
}

fn is_ours(tags: &Tags) -> bool {
    tags.get(tags::OWNER).is_some_and(|owner| owner == OURS)
}

#[test]
fn what_somebody_takes_away_comes_back() {
    for loss in LOSSES {
        let mut run = at_rest(&served(), 5);
        run.memory.change(loss);
        converge(&mut run);
        assert_arrived(&mut run);
    }
}

#[test]
fn a_policy_that_nobody_declared_goes_from_an_endpoint_of_ours() {
    let mut run = at_rest(&served(), 5);
    run.memory.change(|cloud| {
        let (name, scaled) = ("by-hand".into(), scaled());
        cloud.put(ScalingPolicy { name, scaled, tracking: None, derivation: None });
    });
    converge(&mut run);
    assert_arrived(&mut run);
    assert!(run.memory.cloud().all::<ScalingPolicy>().all(|policy| policy.name != "by-hand"));
}

#[test]
fn where_nothing_may_be_deleted_an_endpoint_moves_all_the_same() {
    let no_delete = |run: &mut Run| run.object.spec.management_policy = ManagementPolicy::NoDelete;
    let mut run = at_rest(&Served { keep: 0, ..served() }, 5);
    edit(&mut run, Some(&Served { instance: "ml.m5.xlarge", keep: 0, ..served() }));
    no_delete(&mut run);
    converge(&mut run);
    for resource in spec::wanted(&run.object) {
        spec::assert_is_there(&run.memory.cloud(), &resource);
    }
    assert_at_peace(&mut run);
    assert_eq!((reason(&run).as_str(), instances(&run)), ("Ready", 5));
    let deletions = run.memory.writes().into_iter().filter(|write| write.action.contains("sagemaker:Delete"));
    assert_eq!(deletions.count(), 0);
}

#[test]
fn an_operator_that_only_observes_says_what_it_would_do_and_moves_nothing() {
    let mut run = at_rest(&served(), 5);
    edit(&mut run, Some(&Served { instance: "ml.m5.xlarge", ..served() }));
    run.object.spec.management_policy = ManagementPolicy::Observe;
    let writes = run.memory.writes();
    converge(&mut run);
    assert_eq!((reason(&run).as_str(), run.memory.writes()), ("Observing", writes));
}

#[test]
fn nothing_serves_after_a_deletion_whatever_the_endpoint_was_doing() {
    for status in [None, Some(Status::Creating), Some(Status::Updating), Some(Status::RollingBack)] {
        for whole in [true, false] {
            let mut run = in_the_midst(status);
            let known = inventory(run.object.status.as_ref()).len();
            assert!(known > 5 || status == Some(Status::Creating));
            if whole {
                run = run.ending();
            } else {
                edit(&mut run, None);
            }
            let pass = converge(&mut run);
            assert_eq!(pass.finished, whole);
            assert_gone(&run);
            if !whole {
                assert_at_peace(&mut run);
            }
        }
    }
}

/// An endpoint in this state, or in service.
pub(super) fn in_the_midst(status: Option<Status>) -> Run {
    let mut run = match status {
        Some(Status::Creating) => in_an_account_of_others(Some(&served())),
        _ => at_rest(&served(), 5),
    };
    let Some(status) = status else { return run };
    run.memory.change(|cloud| {
        cloud.sagemaker.reads = 3;
        cloud.sagemaker.broken.insert(image('b'), Rollback::Works);
    });
    if status != Status::Creating {
        edit(&mut run, Some(&Served { image: 'b', ..served() }));
    }
    let is = |run: &Run| run.memory.cloud().serving(&endpoint_name()).map(|it| it.status);
    while is(&run) != Some(status) {
        run.pass();
    }
    run
}

/// Nothing of ours is left but what is kept by its nature.
pub(super) fn assert_gone(run: &Run) {
    let is_kept = |key: &Key| key.kind.info().removal == Removal::Retain;
    let ours = run.memory.cloud().holders(OURS).into_iter().filter(|(_, it)| *it == Owner::Ours);
    let left: Vec<_> = ours.filter(|(key, _)| !is_kept(key)).collect();
    assert!(left.is_empty(), "{left:?}");
    run.assert_only_ours_was_written(&BTreeSet::new());
}

#[test]
fn a_configuration_that_stays_under_an_edited_count_is_mended_although_nobody_knows_of_it_any_more() {
    let mut run = at_rest(&served(), 5);
    edit(&mut run, Some(&Served { count: 4, ..served() }));
    converge(&mut run);
    assert_arrived(&mut run);
    assert_eq!((run.memory.cloud().all::<EndpointConfig>().count(), instances(&run)), (1 + others(), 5));
    // Somebody took the inventory away, and a tag.
    run.object.status.as_mut().expect("a status").resources.clear();
    run.memory.change(|cloud| {
        cloud.change_all::<EndpointConfig>(|config| {
            if is_ours(&config.tags) {
                config.tags.remove("aiplatform.dev/team");
            }
        });
    });
    converge(&mut run);
    assert_arrived(&mut run);
    let cloud = run.memory.cloud();
    let mut ours = cloud.all::<EndpointConfig>().filter(|config| is_ours(&config.tags));
    assert!(ours.all(|config| config.tags.contains_key("aiplatform.dev/team")));
}

/// How many configurations there are that are not ours.
fn others() -> usize {
    let run = at_rest(&served(), 5);
    run.memory.cloud().all::<EndpointConfig>().filter(|config| !is_ours(&config.tags)).count()
}
