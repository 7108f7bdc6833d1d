//! Platforms of one VPC share what they read.

use std::time::Duration;

use aiplatform::api::AIPlatform;
use aiplatform::leadership::Authority;
use aiplatform::reconcile::{Pass, reconcile};
use aiplatform::resource::Freshness;
use aiplatform::session::PassInput;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Network, Run, from, group, group_id, in_place, one_of_several, ready};

/// The most calls of EC2 that a steady pass makes.
const OF_ONE: usize = 4;

/// The most that ten platforms of one VPC make together.
const OF_TEN: usize = 8;

fn calls_of_ec2(run: &Run, start: usize) -> Vec<String> {
    let calls = run.aws.calls().into_iter().skip(start).filter(|call| call["service"] == "ec2");
    calls.map(|call| call["operation"].as_str().unwrap_or_default().to_string()).collect()
}

/// A pass as the resync interval asks for it.
async fn resync(run: &Run, object: &mut AIPlatform, clock: i64) -> Pass {
    pass_of(run, object, clock, Freshness::SHARED).await
}

/// A pass of an object, of which there may be several.
pub(super) async fn pass_of(run: &Run, object: &mut AIPlatform, clock: i64, freshness: Freshness) -> Pass {
    let input = PassInput { thorough: false, freshness, ..PassInput::default() };
    let now = Timestamp::from_second(1_800_000_000 + clock).expect("the time exists");
    let authority = Authority::unelected(CancellationToken::new());
    let pass = Box::pin(reconcile(&run.provider, object, run.context(), &input, now, &authority)).await;
    object.status = Some(pass.status.clone());
    pass
}

fn platforms(run: &Run, network: &Network, number: usize) -> Vec<AIPlatform> {
    // One VPC has one endpoint for a service with its name: the others use that.
    let shared = network.fields(json!({"endpoints": {"onConflict": "Adopt"}}));
    (0..number).map(|index| one_of_several(run, index, shared.clone())).collect()
}

#[tokio::test]
async fn a_steady_pass_makes_few_calls() {
    let (run, _) = in_place().await;
    let mut object = run.object.clone();
    for clock in 0..3 {
        let start = run.aws.call_count();
        let pass = resync(&run, &mut object, clock * 600).await;
        assert_eq!(ready(&pass), "True", "{:#?}", pass.status);
        let calls = calls_of_ec2(&run, start);
        assert!(calls.len() <= OF_ONE, "{calls:?}");
    }
}

#[tokio::test]
async fn ten_platforms_of_one_vpc_share_what_they_read() {
    let (run, network) = in_place().await;
    let mut objects = platforms(&run, &network, 10);
    for object in &mut objects {
        for clock in 0..20 {
            if ready(&resync(&run, object, clock).await) == "True" {
                break;
            }
        }
    }
    let start = run.aws.call_count();
    let passes = join_all(objects.iter_mut().map(|object| resync(&run, object, 600))).await;
    for pass in &passes {
        assert_eq!(ready(pass), "True", "{:#?}", pass.status);
    }
    let calls = calls_of_ec2(&run, start);
    assert!(calls.len() <= OF_TEN, "{}: {calls:?}", calls.len());
}

#[tokio::test]
async fn what_a_network_is_made_of_is_read_anew_when_somebody_changed_it() {
    let (run, network) = in_place().await;
    let mut object = run.object.clone();
    let mut lookups = async || {
        let start = run.aws.call_count();
        let covered = Freshness::Shared { covered: Duration::from_hours(1) };
        assert_eq!(ready(&pass_of(&run, &mut object, 600, covered).await), "True");
        let calls = calls_of_ec2(&run, start);
        calls.into_iter().filter(|call| ["DescribeVpcs", "DescribeSubnets"].contains(&call.as_str())).count()
    };
    assert_eq!(lookups().await, 0);
    run.provider.aws.forget_networks("us-east-1", |_| true);
    assert_eq!(lookups().await, 0, "it is in another region");
    run.provider.aws.forget_networks("eu-west-1", |id| id == "vpc-0f0f0f0f");
    assert_eq!(lookups().await, 0, "it is another VPC");
    run.provider.aws.forget_networks("eu-west-1", |id| id == network.subnets[0]);
    assert_eq!(lookups().await, 1, "the parts of the VPC");
    run.provider.aws.forget_networks("eu-west-1", |id| id == network.vpc);
    assert_eq!((lookups().await, lookups().await), (2, 0));
}

#[tokio::test]
async fn what_a_user_asks_for_is_read_anew_and_so_is_what_was_written() {
    let (mut run, _) = in_place().await;
    let mut object = run.object.clone();
    resync(&run, &mut object, 600).await;
    let found = group(&run).await;
    let open = run.aws.ec2().authorize_security_group_ingress().group_id(group_id(&found));
    open.ip_permissions(from("0.0.0.0/0")).send().await.expect("opened");
    let pass = run.pass().await;
    assert_eq!(pass.plan.steps.iter().filter(|step| step.is_taken()).count(), 1, "{:#?}", pass.plan);
    let start = run.aws.call_count();
    let pass = resync(&run, &mut object, 601).await;
    assert_eq!(ready(&pass), "True");
    assert!(calls_of_ec2(&run, start).contains(&"DescribeSecurityGroups".to_string()));
}
