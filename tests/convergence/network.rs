//! Networks: whatever is found, whatever fails, and wherever a pass breaks off.

use std::collections::BTreeSet;

use aiplatform::api::AIPlatform;
use aiplatform::api::status::Phase;
use aiplatform::features::network::vpc_endpoint::EndpointFacts;
use aiplatform::features::network::{SecurityGroup, VpcEndpoint};
use aiplatform::kind::Listed;
use aiplatform::policy::Policy;
use aiplatform::resource::{Bucket, Key, Kind, Owner, Removal};
use aiplatform::session::Session;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::rollout::converge;
use super::scenario::{ACCOUNT, OURS, REGION, THEIRS, crash, fault, made_by_s3, object, wanted};
use super::{Run, check};
use crate::support::memory::{FakeCloud, Fault, Memory, State, Stored};

const VPC_ENDPOINT_ONLY: &str = "AipVpcEndpointOnly";

/// A spec, as far as it matters to a network.
#[derive(Clone, Debug)]
struct Wanted {
    network: Option<Network>,
    buckets: Vec<Closed>,
    bedrock: bool,
    sagemaker: bool,
}

#[derive(Clone, Debug)]
struct Network {
    policies: [Option<&'static str>; 3],
    kms: bool,
    own_groups: bool,
    block: u8,
}

/// A bucket, and whether its objects are reached through endpoints alone.
#[derive(Clone, Debug)]
struct Closed {
    only: bool,
    retained: bool,
    named: bool,
}

impl Wanted {
    fn to_object(&self, generation: i64) -> AIPlatform {
        let buckets = self.buckets.iter().enumerate().map(|(index, bucket)| {
            let mut spec = json!({"name": format!("bucket-{index}")});
            spec["vpcEndpointOnly"] = json!(bucket.only && self.network.is_some());
            spec["deletionPolicy"] = json!(if bucket.retained { "Retain" } else { "Delete" });
            if bucket.named {
                spec["bucketName"] = json!(format!("chosen-{index}-{ACCOUNT}"));
            }
            spec
        });
        let mut models = Vec::new();
        if self.bedrock {
            models.push(json!({"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}));
        }
        if self.sagemaker {
            let image = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/rank:1");
            models.push(json!({"name": "rank", "sagemaker": {"image": image, "instance": {"type": "ml.m5.large"}}}));
        }
        let mut spec = json!({"storage": {"buckets": buckets.collect::<Vec<_>>()}, "models": models});
        if let Some(network) = &self.network {
            spec["network"] = network.to_json(self);
        }
        let mut object = object(spec);
        object.metadata.generation = Some(generation);
        object
    }
}

impl Network {
    fn to_json(&self, wanted: &Wanted) -> Value {
        let has_s3 = wanted.sagemaker || !wanted.buckets.is_empty();
        let there = [wanted.bedrock, wanted.sagemaker, has_s3];
        let services = ["bedrock-runtime", "sagemaker.runtime", "s3"];
        let policies = services.iter().zip(self.policies).zip(there);
        let policies: serde_json::Map<String, Value> = policies
            .filter(|(_, is_there)| *is_there)
            .filter_map(|((service, policy), _)| Some(((*service).to_string(), json!(policy?))))
            .collect();
        let additional = if self.kms { json!([{"service": "kms"}]) } else { json!([]) };
        let mut network = json!({
            "vpcId": "vpc-0a",
            "subnetIds": ["subnet-0a", "subnet-0b"],
            "routeTableIds": ["rtb-0a"],
            "endpoints": {"policy": policies, "additional": additional},
        });
        if self.own_groups {
            network["securityGroupIds"] = json!(["sg-0a"]);
        } else {
            network["allowFrom"] = json!({"cidrs": [format!("10.{}.0.0/16", self.block)]});
        }
        network
    }
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    let policy = || option::of(select(vec!["Scoped", "Account", "Full"]));
    let network = ((policy(), policy(), policy()), any::<bool>(), any::<bool>(), 0..3u8).prop_map(
        |((bedrock, sagemaker, s3), kms, own_groups, block)| Network {
            policies: [bedrock, sagemaker, s3],
            kms,
            own_groups,
            block,
        },
    );
    let bucket = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(only, retained, named)| Closed {
        only,
        retained,
        named,
    });
    (option::weighted(0.8, network), vec(bucket, 0..3), any::<bool>(), any::<bool>())
        .prop_map(|(network, buckets, bedrock, sagemaker)| Wanted { network, buckets, bedrock, sagemaker })
}

/// Something that others do, or AWS.
#[derive(Clone, Debug)]
enum Drift {
    EndpointGone(Index),
    EndpointFailed(Index),
    EndpointOpened(Index),
    RulesGone,
    DenialStale(Index),
    BucketTaken(Index),
    Slow(Vec<(Kind, usize)>),
}

fn drift() -> impl Strategy<Value = Drift> {
    let kinds = vec![Kind::VpcEndpoint, Kind::SecurityGroup, Kind::Bucket];
    prop_oneof![
        any::<Index>().prop_map(Drift::EndpointGone),
        any::<Index>().prop_map(Drift::EndpointFailed),
        any::<Index>().prop_map(Drift::EndpointOpened),
        Just(Drift::RulesGone),
        any::<Index>().prop_map(Drift::DenialStale),
        any::<Index>().prop_map(Drift::BucketTaken),
        vec((select(kinds), 0..3usize), 0..3).prop_map(Drift::Slow),
    ]
}

/// A run, and the endpoints that not the operator took away.
struct Watched {
    run: Run,
    lost: BTreeSet<String>,
    /// True once others changed something.
    drifted: bool,
}

impl Watched {
    fn new(wanted: &Wanted, strangers: &[Index], remembers: bool) -> Self {
        let mut cloud = FakeCloud::default();
        let names = bucket_names(&wanted.to_object(1));
        for index in strangers.iter().filter(|_| !names.is_empty()) {
            let owner = [("aiplatform.dev/owner".to_string(), THEIRS.to_string())];
            cloud.put(made_by_s3(&names[index.index(names.len())], owner.into()));
        }
        let memory = Memory::new(ACCOUNT, cloud);
        memory.allow([format!("prod-{REGION}-starport-layer-bucket")]);
        let run = Run::new(memory, wanted.to_object(1));
        let session = remembers.then(Session::default);
        Self { run: Run { session, ..run }, lost: BTreeSet::new(), drifted: false }
    }

    fn edit(&mut self, wanted: &Wanted) {
        let generation = self.run.object.metadata.generation.unwrap_or_default() + 1;
        let status = self.run.object.status.take();
        self.run.object = wanted.to_object(generation);
        self.run.object.status = status;
    }

    fn befall(&mut self, drift: &Drift) {
        self.drifted = true;
        let cloud = self.run.memory.cloud();
        let endpoints: Vec<String> = cloud.all::<VpcEndpoint>().map(|endpoint| endpoint.name.clone()).collect();
        let buckets: Vec<String> = cloud.all::<Bucket>().map(|bucket| bucket.name.clone()).collect();
        let one =
            |names: &[String], index: &Index| (!names.is_empty()).then(|| names[index.index(names.len())].clone());
        match drift {
            Drift::EndpointGone(index) => {
                if let Some(name) = one(&endpoints, index) {
                    self.lost.extend(cloud.stored::<VpcEndpoint>(&name).map(Stored::id));
                    self.run.memory.change(|cloud| cloud.remove(&VpcEndpoint::key_of(&name)));
                }
            }
            Drift::EndpointFailed(index) => {
                if let Some(name) = one(&endpoints, index) {
                    self.lost.extend(cloud.stored::<VpcEndpoint>(&name).map(Stored::id));
                    self.run.memory.change(|cloud| {
                        let stored = cloud.stored_mut::<VpcEndpoint>(&name).expect("it is there");
                        stored.state = State::Failed("it broke".into());
                        let facts = EndpointFacts { has_failed: true, ..EndpointFacts::default() };
                        stored.facts = Some(VpcEndpoint::boxed_facts(facts));
                    });
                }
            }
            Drift::EndpointOpened(index) => {
                if let Some(name) = one(&endpoints, index) {
                    let open = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
                    let open = Policy::new(&json!({"Version": "2012-10-17", "Statement": [open]}));
                    self.run.memory.change(|cloud| {
                        cloud.change::<VpcEndpoint>(&name, |endpoint| {
                            endpoint.policies = Some([("policy".to_string(), open)].into());
                        });
                    });
                }
            }
            Drift::RulesGone => {
                self.run.memory.change(|cloud| cloud.change_all::<SecurityGroup>(|group| group.ingress.clear()));
            }
            Drift::DenialStale(index) => {
                if let Some(name) = one(&buckets, index) {
                    self.lost.insert("vpce-stale".into());
                    self.run.memory.change(|cloud| {
                        cloud.change::<Bucket>(&name, |bucket| {
                            if let Some(denial) = bucket.policy.get_mut(VPC_ENDPOINT_ONLY) {
                                denial["Condition"]["StringNotEquals"]["aws:SourceVpce"] = json!("vpce-stale");
                            }
                        });
                    });
                }
            }
            Drift::BucketTaken(index) => {
                if let Some(name) = one(&buckets, index) {
                    self.run.memory.change(|cloud| {
                        cloud.change::<Bucket>(&name, |bucket| {
                            bucket.tags.insert("aiplatform.dev/owner".into(), THEIRS.into());
                        });
                    });
                }
            }
            Drift::Slow(kinds) => self.run.memory.change(|cloud| cloud.slow = kinds.iter().copied().collect()),
        }
    }

    /// No bucket of ours is denied to everybody: one of the endpoints that its policy names is there, unless it was not
    /// the operator that took it away.
    fn assert_nobody_is_locked_out(&self) {
        let cloud = self.run.memory.cloud();
        let there: BTreeSet<String> = endpoint_ids(&cloud).chain(self.lost.iter().cloned()).collect();
        for bucket in cloud.all::<Bucket>() {
            let Some(denial) = bucket.policy.get(VPC_ENDPOINT_ONLY) else { continue };
            if cloud.holder(&Bucket::key_of(&bucket.name), OURS) != Some(Owner::Ours) {
                continue;
            }
            let ids = match &denial["Condition"]["StringNotEquals"]["aws:SourceVpce"] {
                Value::Array(ids) => ids.iter().filter_map(Value::as_str).map(ToString::to_string).collect(),
                one => one.as_str().map(ToString::to_string).into_iter().collect::<Vec<_>>(),
            };
            assert!(
                ids.iter().any(|id| there.contains(id)),
                "{} is denied but through {ids:?}: {there:?}",
                bucket.name
            );
        }
    }

    /// What the endpoints' policies name is ours, but for what a pass is about to find out.
    fn assert_policies_name_what_is_ours(&self) {
        let beyond = self.run.memory.granted_beyond(OURS);
        assert!(beyond.is_empty(), "{beyond:#?}");
    }

    /// A few passes, of which each leaves nobody locked out, and no policy that names what is not attained: what a pass
    /// itself takes away follows in the next one that nothing fails in.
    fn passes(&mut self, passes: usize) {
        let mut went = BTreeSet::new();
        for _ in 0..passes {
            let before = self.run.memory.cloud().holders(OURS);
            let failed_before = self.run.memory.failed_calls();
            self.run.pass();
            self.assert_nobody_is_locked_out();
            let now = self.run.memory.cloud().holders(OURS);
            if self.run.memory.failed_calls() == failed_before {
                went.clear();
            }
            let ours = before.into_iter().filter(|(key, holder)| *holder == Owner::Ours && !now.contains_key(key));
            went.extend(ours.map(|(key, _)| key));
            let beyond = self.run.memory.granted_beyond(OURS);
            let beyond: Vec<_> =
                beyond.iter().filter(|it| !it.key.as_ref().is_some_and(|key| went.contains(key))).collect();
            // What is being deleted is not written any more.
            let is_ending = self.run.object.metadata.deletion_timestamp.is_some();
            assert!(beyond.is_empty() || self.drifted || is_ending, "{beyond:#?}");
        }
    }
}

fn endpoint_ids(cloud: &FakeCloud) -> impl Iterator<Item = String> {
    cloud.resources.iter().filter(|(key, _)| key.kind == Kind::VpcEndpoint).map(|(_, stored)| stored.id())
}

fn bucket_names(object: &AIPlatform) -> Vec<String> {
    wanted(object).into_iter().map(|bucket| bucket.name).collect()
}

fn any_failure() -> impl Strategy<Value = Fault> {
    prop_oneof![fault(), crash()]
}

#[test]
fn any_network_is_reached_and_left_and_no_bucket_is_locked_on_the_way() {
    let drifts = || vec(drift(), 0..4);
    let specs = (any_wanted(), any_wanted(), vec(any::<Index>(), 0..2), any::<bool>());
    check(
        &(specs, drifts(), any_failure(), any_failure()),
        |((old, new, strangers, remembers), drifts, first, last)| {
            let mut watched = Watched::new(&old, &strangers, remembers);
            watched.run.memory.fail(first);
            watched.passes(6);
            watched.run.memory.recover();
            converge(&mut watched.run);
            watched.assert_nobody_is_locked_out();
            watched.assert_policies_name_what_is_ours();

            for drift in &drifts {
                watched.befall(drift);
            }
            watched.edit(&new);
            watched.run.memory.fail(last);
            watched.passes(6);
            watched.run.memory.recover();
            let end = converge(&mut watched.run);
            watched.assert_nobody_is_locked_out();
            watched.assert_policies_name_what_is_ours();
            watched.run.assert_at_rest();
            watched.run.assert_nothing_is_forgotten();
            let taken = watched.run.memory.cloud().all::<Bucket>().any(|bucket| {
                watched.run.memory.cloud().holder(&Bucket::key_of(&bucket.name), OURS) != Some(Owner::Ours)
            });
            let is_ready = end.status.phase == Some(Phase::Ready);
            assert!(is_ready || taken, "{:#?}", end.status);

            let mut watched = Watched { run: watched.run.ending(), ..watched };
            watched.run.memory.fail(last);
            watched.passes(4);
            watched.run.memory.recover();
            assert!(converge(&mut watched.run).finished, "{:#?}", watched.run.object.status);
            let cloud = watched.run.memory.cloud();
            for (key, _) in cloud.holders(OURS).into_iter().filter(|(_, holder)| *holder == Owner::Ours) {
                assert!(key.kind.info().removal == Removal::Retain, "{key} is left");
            }
            let denied = cloud.all::<Bucket>().filter(|bucket| bucket.policy.contains_key(VPC_ENDPOINT_ONLY));
            let denied: Vec<Key> = denied.map(|bucket| Bucket::key_of(&bucket.name)).collect();
            let denied = denied.into_iter().filter(|key| cloud.holder(key, OURS) == Some(Owner::Ours));
            assert_eq!(denied.collect::<Vec<_>>(), [], "nobody keeps their ids up to date any more");
            watched.run.assert_only_ours_was_written(&BTreeSet::new());
        },
    );
}
