//! Adoption, as its page describes it.

use aws_sdk_ec2::types::VpcEndpointType;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, CreateBucketConfiguration, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
};
use serde_json::json;

use crate::documentation::{commands, shell};
use crate::support::simulator::Simulator;
use crate::support::test_env::{TestEnv, environment};

const BUCKET: &str = "support-artifacts-123456789012";
const VPC: &str = "vpc-0a1b2c3d4e5f60718";
const SUBNET: &str = "subnet-0a1b2c3d4e5f60711";
/// The id that the page has in place of the one that AWS chooses.
const SHOWN: &str = "vpce-0a1b2c3d4e5f60718";

/// A bucket that nobody owns, with a lifecycle rule.
pub(super) async fn make_bucket(aws: &Simulator) {
    let s3 = aws.s3();
    let place = BucketLocationConstraint::from("eu-west-1");
    let configuration = CreateBucketConfiguration::builder().location_constraint(place).build();
    s3.create_bucket().bucket(BUCKET).create_bucket_configuration(configuration).send().await.expect("made");
    let rule = LifecycleRule::builder()
        .id("expire-logs")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("logs/").build())
        .expiration(LifecycleExpiration::builder().days(30).build())
        .build()
        .expect("a rule");
    let rules = BucketLifecycleConfiguration::builder().rules(rule).build().expect("rules");
    s3.put_bucket_lifecycle_configuration().bucket(BUCKET).lifecycle_configuration(rules).send().await.expect("put");
}

/// The VPC of the example, with an endpoint for Bedrock that nobody owns. Returns its id.
async fn make_network(env: &TestEnv) -> String {
    let region = "eu-west-1";
    env.aws.control("ec2/vpc", json!({"region": region, "vpcId": VPC}));
    for (subnet, zone) in [(SUBNET, "eu-west-1a"), ("subnet-0a1b2c3d4e5f60712", "eu-west-1b")] {
        env.aws.control("ec2/subnet", json!({"region": region, "vpcId": VPC, "subnetId": subnet, "zone": zone}));
    }
    let table = "rtb-0a1b2c3d4e5f60718";
    env.aws.control(
        "ec2/route-table",
        json!({"region": region, "vpcId": VPC, "routeTableId": table, "subnetIds": [SUBNET]}),
    );
    make_endpoint(&env.aws).await
}

/// An endpoint for Bedrock in the VPC that nobody owns. Returns its id.
pub(super) async fn make_endpoint(aws: &Simulator) -> String {
    let call = aws.ec2().create_vpc_endpoint().vpc_id(VPC).subnet_ids(SUBNET);
    let call = call.service_name("com.amazonaws.eu-west-1.bedrock-runtime");
    let made = call.vpc_endpoint_type(VpcEndpointType::Interface).send().await.expect("made");
    made.vpc_endpoint.and_then(|endpoint| endpoint.vpc_endpoint_id).expect("an id")
}

#[tokio::test]
async fn diff_shows_of_an_adoption_what_its_page_says() {
    let env = TestEnv::new("adoption").await;
    make_bucket(&env.aws).await;
    let id = make_network(&env).await;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/adoption.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let mut compared = 0;
    for (command, shown) in commands(&page).into_iter().filter(|(command, _)| command.contains("aiplatform diff")) {
        let mut shell = shell(&command);
        shell.envs(environment(env.cluster, &env.aws));
        shell.envs([("AIPLATFORM_CLUSTER_NAME", "prod"), ("AIPLATFORM_S3_PATH_STYLE", "true")]);
        let output = shell.output().expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout).replace(&id, SHOWN);
        assert_eq!(printed.trim_end(), shown, "{command}: {}", String::from_utf8_lossy(&output.stderr));
        compared += 1;
    }
    assert_eq!(compared, 2);
    assert!(!env.aws.operations().iter().any(|call| call == "PutBucketTagging"), "diff writes nothing");
}
