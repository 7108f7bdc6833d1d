//! Nothing is granted that is not attained, whoever takes what between passes, whatever fails in them, and whatever is
//! forged.

mod spec;
mod strangers;

use std::collections::BTreeSet;

use aiplatform::api::{AIPlatform, RECONCILE_AT};
use aiplatform::desire::desire;
use aiplatform::failure::Class;
use aiplatform::guardrails::{Guardrails, Rule, Rules};
use aiplatform::kind::Listed;
use aiplatform::platform::validate;
use aiplatform::resource::{Bucket, Endpoint, Key, Kind, Owner, Resource, Role};
use aiplatform::schedule::Next;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::scenario::{ACCOUNT, CLUSTER, OURS, made_by_s3, object, wanted};
use super::{Run, Session, check, fault};
use crate::support::memory::{Beyond, FakeCloud, Fault, Memory};
use spec::{ALLOWED, Wanted, any_wanted};
use strangers::{Holder, forge, holder, plant};

/// A bucket that is nobody's business here.
const BYSTANDER: &str = "payroll";

/// More than any rollout here takes.
const PASSES: usize = 60;

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Edit(Wanted),
    /// Passes that may remember what those before saw.
    Passes(usize),
    /// A pass that is asked for, and looks at everything.
    Asked,
    Fault(Fault),
    /// So many passes in which reading a bucket is denied.
    Denied(Index, usize),
    /// Somebody writes another owner on a bucket, or none; or makes it anew under the same name.
    Tagged(Index, Holder),
    Made(Index, Holder),
    Gone(Index),
    /// The same of the endpoint.
    EndpointTagged(Holder),
    /// Somebody makes a revision of the endpoint that works with a bucket.
    Forged(Holder, &'static str, &'static str),
    /// Somebody gives a role a policy, under the name of a revision that is there or of none.
    Planted(Index, Index),
}

fn event() -> impl Strategy<Value = Event> {
    let uri = select(vec![
        "s3://payroll/x/",
        "s3://models-for-all/x/",
        "s3://models-for-*/x/",
        "s3://*/x/",
        "s3://pay?oll/*/",
        "s3://${a}/x/",
    ]);
    prop_oneof![
        2 => any_wanted().prop_map(Event::Edit),
        3 => (1..5usize).prop_map(Event::Passes),
        3 => Just(Event::Asked),
        2 => fault().prop_map(Event::Fault),
        1 => (any::<Index>(), 1..4usize).prop_map(|(bucket, passes)| Event::Denied(bucket, passes)),
        3 => (any::<Index>(), holder()).prop_map(|(bucket, holder)| Event::Tagged(bucket, holder)),
        2 => (any::<Index>(), holder()).prop_map(|(bucket, holder)| Event::Made(bucket, holder)),
        1 => any::<Index>().prop_map(Event::Gone),
        1 => holder().prop_map(Event::EndpointTagged),
        4 => (holder(), select(vec!["artifact", "answers", "capture"]), uri)
            .prop_map(|(holder, part, uri)| Event::Forged(holder, part, uri)),
        2 => any::<(Index, Index)>().prop_map(|(role, name)| Event::Planted(role, name)),
    ]
}

/// What a spec takes over if it is there.
fn adopted(wanted: &Wanted) -> impl Iterator<Item = Key> {
    let names = bucket_names(&wanted.to_object()).into_iter().zip(&wanted.buckets);
    names.filter(|(_, (_, adopt, _))| *adopt).map(|(name, _)| Key { kind: Kind::Bucket, name })
}

/// The names in AWS of the buckets of the object.
fn bucket_names(object: &AIPlatform) -> Vec<String> {
    wanted(object).into_iter().map(|bucket| bucket.name).collect()
}

fn happen(run: &mut Run, event: &Event) {
    let names = bucket_names(&run.object);
    let name = |index: &Index| names[index.index(names.len())].clone();
    match event {
        Event::Edit(wanted) => {
            run.object.spec = wanted.to_object().spec;
            run.object.metadata.generation = run.object.metadata.generation.map(|generation| generation + 1);
        }
        Event::Passes(passes) => {
            for _ in 0..*passes {
                run.pass();
            }
        }
        Event::Asked => read_everything(run),
        Event::Fault(fault) => {
            run.memory.fail(*fault);
            happen(run, &Event::Passes(3));
            run.memory.recover();
        }
        Event::Denied(bucket, passes) => {
            run.memory.deny(Some(("s3:ReadBucket", Some(&name(bucket)))));
            happen(run, &Event::Passes(*passes));
            run.memory.deny(None);
        }
        Event::Tagged(bucket, holder) => run.memory.change(|cloud| {
            cloud.change::<Bucket>(&name(bucket), |bucket| holder.tag(&mut bucket.tags));
        }),
        Event::Made(bucket, holder) => run.memory.change(|cloud| {
            cloud.put(made_by_s3(&name(bucket), holder.tags()));
        }),
        Event::Gone(bucket) => run.memory.change(|cloud| {
            cloud.remove(&Bucket::key_of(name(bucket)));
        }),
        Event::EndpointTagged(holder) => run.memory.change(|cloud| {
            cloud.change_all::<Endpoint>(|endpoint| holder.tag(&mut endpoint.tags));
        }),
        Event::Forged(holder, part, uri) => run.memory.change(|cloud| forge(cloud, *holder, part, uri)),
        Event::Planted(role, policy) => run.memory.change(|cloud| plant(cloud, *role, *policy)),
    }
}

/// A pass that is asked for. If nothing is in its way, nothing is granted at its end that is not attained.
fn read_everything(run: &mut Run) {
    let annotations = run.object.metadata.annotations.get_or_insert_default();
    annotations.insert(RECONCILE_AT.into(), format!("{}", run.passes));
    let before = run.memory.cloud().holders(OURS);
    let mut pass = run.pass();
    // What is new is listed first, the account is looked at, and what follows from what was seen is listed too.
    for _ in 0..3 {
        if pass.next == Next::Now && pass.plan.steps.is_empty() {
            pass = run.pass();
        }
    }
    assert!(!pass.plan.steps.is_empty(), "nothing was looked at: {:#?}", pass.status.conditions);
    let left = run.memory.granted_beyond(OURS);
    // What the platform itself takes away follows in the next pass.
    let cloud = run.memory.cloud().holders(OURS);
    let went = |key: &Key| before.get(key) == Some(&Owner::Ours) && !cloud.contains_key(key);
    let left: Vec<&Beyond> = left.iter().filter(|it| !it.key.as_ref().is_some_and(went)).collect();
    assert!(left.is_empty(), "{left:#?}");
}

/// The cloud, in which others have something too, and the guardrails.
fn run_of(wanted: &Wanted) -> Run {
    let mut cloud = FakeCloud::default();
    for (name, holder) in [(BYSTANDER, Holder::Theirs), (ALLOWED, Holder::Nobody)] {
        cloud.put(made_by_s3(name, holder.tags()));
    }
    let memory = Memory::new(ACCOUNT, cloud);
    memory.allow([ALLOWED.to_string()]);
    let rule = Rule {
        adoptable_buckets: vec!["*".into()],
        model_data_uris: vec!["s3://models-for-*".into()],
        ..Rule::default()
    };
    Run { guardrails: Guardrails::Given(Rules { rules: vec![rule] }), ..Run::new(memory, wanted.to_object()) }
}

/// Everything that somebody took comes back.
fn give_back(run: &Run) {
    let names = bucket_names(&run.object);
    run.memory.change(|cloud| {
        for name in &names {
            cloud.change::<Bucket>(name, |bucket| Holder::Ours.tag(&mut bucket.tags));
        }
        cloud.change_all::<Endpoint>(|endpoint| Holder::Ours.tag(&mut endpoint.tags));
    });
}

/// Every role may do all that is declared, and what revisions need that are there.
fn assert_all_is_granted(run: &Run) {
    let platform = validate(&run.object).expect("the spec is valid");
    let cloud = run.memory.cloud();
    for desired in desire(&platform, CLUSTER) {
        let Resource::Role(role) = desired.resource else { continue };
        let found = cloud.get::<Role>(&role.name).unwrap_or_else(|| panic!("role {} is missing", role.name));
        for (name, policy) in &role.policies {
            assert_eq!(found.policies.get(name), Some(policy), "{name} of {}", role.name);
        }
    }
}

#[test]
fn no_pass_leaves_a_policy_that_names_what_is_not_attained() {
    check(&(any_wanted(), vec(event(), 1..12), 0..4usize, any::<bool>()), |(wanted, events, passes, remembers)| {
        let mut run = run_of(&wanted);
        run.session = remembers.then(Session::default);
        happen(&mut run, &Event::Passes(passes));
        for event in &events {
            happen(&mut run, event);
        }
        read_everything(&mut run);

        give_back(&run);
        read_everything(&mut run);
        for _ in 0..PASSES {
            let (status, writes) = (run.object.status.clone(), run.memory.writes().len());
            let pass = run.pass();
            let idle = Some(&pass.status) == status.as_ref() && run.memory.writes().len() == writes;
            if idle && matches!(pass.next, Next::Resync | Next::Slow | Next::Never) {
                break;
            }
        }
        read_everything(&mut run);
        assert_all_is_granted(&run);
        let edits = events.iter().filter_map(|event| match event {
            Event::Edit(wanted) => Some(wanted),
            _ => None,
        });
        run.assert_only_ours_was_written(&std::iter::once(&wanted).chain(edits).flat_map(adopted).collect());
    });
}

/// A write of the role that failed is tried again while SageMaker is at work, when not everything is looked at anew.
#[test]
fn what_was_seen_earlier_is_no_ground_for_a_grant() {
    let bucket = json!({"name": "prompts", "bucketName": "prompts-of-ours"});
    let model =
        json!({"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1", "instance": {"type": "ml.m5.large"}});
    let principal = format!("arn:aws:iam::{ACCOUNT}:role/batch");
    let consumer = json!({"name": "api", "principalArns": [principal], "buckets": [{"name": "prompts"}]});
    let spec = json!({
        "storage": {"buckets": [bucket]},
        "models": [{"name": "rank", "sagemaker": model}],
        "access": [consumer],
    });
    for after_the_effect in [false, true] {
        for call in 0..60 {
            let mut run = Run::new(Memory::new(ACCOUNT, FakeCloud::default()), object(spec.clone()));
            run.session = Some(Session::default());
            run.memory.change(|cloud| cloud.sagemaker.reads = 9);
            run.pass();
            run.memory.fail(Fault { call, after_the_effect, class: Class::Transient, for_good: false });
            run.pass();
            run.memory.recover();
            run.memory.change(|cloud| {
                cloud.change::<Bucket>("prompts-of-ours", |bucket| Holder::Theirs.tag(&mut bucket.tags));
            });
            for _ in 0..3 {
                run.pass();
            }
            run.assert_only_ours_was_written(&BTreeSet::new());
        }
    }
}
