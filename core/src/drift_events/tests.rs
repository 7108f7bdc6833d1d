use serde_json::{Value, json};

use super::flow::{Flow, PROOF, Proof};
use super::inbox::{self, Inbox, Listener, Observed, ObservedQueue, ObservedRule, Step};
use super::origin::{Operator, RecentIds};
use super::pattern::DeliveryRegion;
use super::record::Record;
use super::report::{self, Standing};
use super::*;
use crate::api::status::AIPlatformStatus;
use crate::kind::{Backend, Service};
use crate::tags;
use crate::testing::at;

fn place(region: &str) -> Place {
    Place { account_id: "123456789012".into(), region: region.into() }
}

fn event(source: &str, call: &str, parameters: Value) -> Value {
    let mut event = json!({
        "version": "0",
        "id": "of-eventbridge",
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{source}"),
        "account": "123456789012",
        "time": "2026-01-01T00:00:07Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROA:jane",
                "arn": "arn:aws:sts::123456789012:assumed-role/admin/jane",
                "accountId": "123456789012",
            },
            "eventTime": "2026-01-01T00:00:05Z",
            "eventSource": format!("{source}.amazonaws.com"),
            "eventName": call,
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "203.0.113.7",
            "userAgent": "[aws-cli/2.31 md/Botocore]",
            "responseElements": null,
            "requestID": "request-1",
            "eventID": "event-1",
            "readOnly": false,
            "recipientAccountId": "123456789012",
        },
    });
    event["detail"]["requestParameters"] = parameters;
    event
}

fn parsed(event: &Value) -> Record {
    Record::parse(&event.to_string()).unwrap()
}

fn resource(kind: &str, name: &str, id: Option<&str>, arn: Option<&str>) -> ResourceStatus {
    let mut resource = json!({"kind": kind, "name": name, "state": "Ready"});
    if let Some(id) = id {
        resource["id"] = json!(id);
    }
    if let Some(arn) = arn {
        resource["arn"] = json!(arn);
    }
    serde_json::from_value(resource).unwrap()
}

/// A platform with one resource of each kind in AWS.
fn resources() -> Vec<ResourceStatus> {
    let regional = |service: &str, rest: &str| format!("arn:aws:{service}:eu-west-1:123456789012:{rest}");
    let sagemaker = |rest: &str| regional("sagemaker", rest);
    let ec2 = |rest: &str| regional("ec2", rest);
    vec![
        resource("Bucket", "n-p-b-1", None, Some("arn:aws:s3:::n-p-b-1")),
        resource("Role", "n-p-r-1", None, Some("arn:aws:iam::123456789012:role/aiplatform/n-p-r-1")),
        resource(
            "PodIdentityAssociation",
            "main/n/api",
            None,
            Some(&regional("eks", "podidentityassociation/main/a-1")),
        ),
        resource("SageMakerModel", "n-p-m-1-2", None, Some(&sagemaker("model/n-p-m-1-2"))),
        resource("SageMakerEndpointConfig", "n-p-m-1-3", None, Some(&sagemaker("endpoint-config/n-p-m-1-3"))),
        resource("SageMakerEndpoint", "n-p-m-1", None, Some(&sagemaker("endpoint/n-p-m-1"))),
        resource(
            "ScalableTarget",
            "endpoint/n-p-m-1/variant/main",
            None,
            Some(&regional("application-autoscaling", "scalable-target/1")),
        ),
        resource("ScalingPolicy", "n-p-m-1/invocations", None, None),
        resource("ScheduledAction", "n-p-m-1/night", None, None),
        resource("LogGroup", "/aws/sagemaker/Endpoints/n-p-m-1", None, None),
        resource("VpcEndpoint", "n-p-s3", Some("vpce-1"), Some(&ec2("vpc-endpoint/vpce-1"))),
        resource("SecurityGroup", "n-p-endpoints", Some("sg-1"), Some(&ec2("security-group/sg-1"))),
    ]
}

fn touched(source: &str, call: &str, parameters: Value) -> Vec<String> {
    let mut event = event(source, call, parameters);
    if source == "iam" {
        event["region"] = json!("us-east-1");
    }
    touches(&parsed(&event), resources().iter()).into_iter().map(|touch| touch.key.to_string()).collect()
}

#[test]
fn every_kind_in_aws_is_known_by_the_calls_that_change_it() {
    let in_aws = Kind::ALL.iter().filter(|kind| matches!(kind.info().backend, Backend::Aws(_)));
    for kind in Kind::ALL {
        let is_in_aws = matches!(kind.info().backend, Backend::Aws(_));
        assert_eq!(is_in_aws, !kind.info().changed_by.is_empty(), "{}", kind.info().name);
    }
    let known: Vec<Kind> = resources().iter().filter_map(|resource| Kind::named(&resource.kind)).collect();
    for kind in in_aws {
        assert!(known.contains(kind), "the tests below lack {}", kind.info().name);
    }
}

#[test]
fn an_event_names_the_resource_that_its_call_changed() {
    let scaled = || {
        json!({"serviceNamespace": "sagemaker", "resourceId": "endpoint/n-p-m-1/variant/main",
        "scalableDimension": "sagemaker:variant:DesiredInstanceCount", "policyName": "invocations",
        "scheduledActionName": "night"})
    };
    let tagged = |arn: &str| json!({"resourceArn": arn, "tags": [{"key": "a", "value": "b"}]});
    let sagemaker = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/n-p-m-1";
    let group = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/Endpoints/n-p-m-1";
    for (source, call, parameters, expected) in [
        ("s3", "PutBucketPolicy", json!({"bucketName": "n-p-b-1", "policy": ""}), "Bucket n-p-b-1"),
        ("s3", "DeleteBucketPublicAccessBlock", json!({"bucketName": "n-p-b-1"}), "Bucket n-p-b-1"),
        ("iam", "PutRolePolicy", json!({"roleName": "n-p-r-1", "policyName": "access"}), "Role n-p-r-1"),
        (
            "eks",
            "DeletePodIdentityAssociation",
            json!({"name": "main", "associationId": "a-1"}),
            "PodIdentityAssociation main/n/api",
        ),
        ("sagemaker", "DeleteModel", json!({"modelName": "n-p-m-1-2"}), "SageMakerModel n-p-m-1-2"),
        (
            "sagemaker",
            "DeleteEndpointConfig",
            json!({"endpointConfigName": "n-p-m-1-3"}),
            "SageMakerEndpointConfig n-p-m-1-3",
        ),
        ("sagemaker", "UpdateEndpoint", json!({"endpointName": "n-p-m-1"}), "SageMakerEndpoint n-p-m-1"),
        ("sagemaker", "AddTags", tagged(sagemaker), "SageMakerEndpoint n-p-m-1"),
        ("autoscaling", "RegisterScalableTarget", scaled(), "ScalableTarget endpoint/n-p-m-1/variant/main"),
        ("application-autoscaling", "PutScalingPolicy", scaled(), "ScalingPolicy n-p-m-1/invocations"),
        ("autoscaling", "DeleteScheduledAction", scaled(), "ScheduledAction n-p-m-1/night"),
        (
            "logs",
            "DeleteRetentionPolicy",
            json!({"logGroupName": "/aws/sagemaker/Endpoints/n-p-m-1"}),
            "LogGroup /aws/sagemaker/Endpoints/n-p-m-1",
        ),
        ("logs", "TagResource", tagged(group), "LogGroup /aws/sagemaker/Endpoints/n-p-m-1"),
        (
            "ec2",
            "DeleteVpcEndpoints",
            json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"tag": 1, "content": "vpce-1"}}}),
            "VpcEndpoint n-p-s3",
        ),
        ("ec2", "AuthorizeSecurityGroupIngress", json!({"groupId": "sg-1"}), "SecurityGroup n-p-endpoints"),
        (
            "ec2",
            "DeleteTags",
            json!({"resourcesSet": {"items": [{"resourceId": "i-1"}, {"resourceId": "sg-1"}]}}),
            "SecurityGroup n-p-endpoints",
        ),
    ] {
        assert_eq!(touched(source, call, parameters), [expected], "{source} {call}");
    }
}

#[test]
fn what_is_not_ours_is_touched_by_nothing() {
    for (source, call, parameters) in [
        ("s3", "PutBucketPolicy", json!({"bucketName": "n-p-b-12"})),
        ("s3", "PutBucketPolicy", json!({"bucketName": "b-1"})),
        ("iam", "PutRolePolicy", json!({"roleName": "somebody-s", "policyName": "n-p-r-1"})),
        ("iam", "GetRole", json!({"roleName": "n-p-r-1"})),
        ("sagemaker", "UpdateEndpointWeightsAndCapacities", json!({"endpointName": "n-p-m-1"})),
        ("autoscaling", "PutScalingPolicy", json!({"autoScalingGroupName": "n-p-m-1", "policyName": "invocations"})),
        ("lambda", "TagResource", json!({"resource": "n-p-m-1"})),
        ("s3", "PutBucketPolicy", Value::Null),
        ("s3", "PutBucketPolicy", json!("n-p-b-1")),
    ] {
        assert!(touched(source, call, parameters.clone()).is_empty(), "{source} {call} {parameters}");
    }
    let mut elsewhere = event("sagemaker", "DeleteModel", json!({"modelName": "n-p-m-1-2"}));
    elsewhere["region"] = json!("eu-west-2");
    assert!(touches(&parsed(&elsewhere), resources().iter()).is_empty(), "another region's model of that name");
    let mut failed = event("s3", "DeleteBucket", json!({"bucketName": "n-p-b-1"}));
    failed["detail"]["errorCode"] = json!("AccessDenied");
    assert!(touches(&parsed(&failed), resources().iter()).is_empty(), "it changed nothing");
}

#[test]
fn an_event_says_who_and_when() {
    let record = parsed(&event("s3", "PutBucketPolicy", json!({"bucketName": "n-p-b-1"})));
    let touch = touches(&record, resources().iter()).remove(0);
    assert_eq!(touch.by, "arn:aws:sts::123456789012:assumed-role/admin/jane");
    assert_eq!((touch.at.to_string().as_str(), touch.call.as_str()), ("2026-01-01T00:00:05Z", "PutBucketPolicy"));
    for (identity, expected) in [
        (json!({"type": "AWSService", "invokedBy": "sagemaker.amazonaws.com"}), "sagemaker.amazonaws.com"),
        (json!({"type": "AWSAccount", "accountId": "210987654321", "principalId": "AIDA"}), "AIDA"),
        (json!({"type": "Unknown"}), "Unknown"),
        (json!({"arn": "a\nb"}), "a\\nb"),
        (Value::Null, "somebody unknown"),
    ] {
        let mut event = event("s3", "PutBucketPolicy", json!({}));
        event["detail"]["userIdentity"] = identity;
        assert_eq!(parsed(&event).by, expected);
    }
    let mut long = event("s3", "PutBucketPolicy", json!({}));
    long["detail"]["userIdentity"] = json!({"arn": "é".repeat(1000)});
    assert!(parsed(&long).by.chars().count() < 300);
}

#[test]
fn what_is_no_record_is_an_error_and_never_a_panic() {
    let whole = event("s3", "PutBucketPolicy", json!({"bucketName": "n-p-b-1"}));
    for lacking in ["id", "account", "region", "detail"] {
        let mut event = whole.clone();
        event.as_object_mut().unwrap().remove(lacking);
        assert!(Record::parse(&event.to_string()).is_err(), "{lacking}");
    }
    for text in ["", "{", "null", "[]", "\"x\"", "{\"detail\": 1}"] {
        assert_eq!(Record::parse(text).unwrap_err().reason(), "Malformed", "{text}");
    }
    let mut odd = whole;
    odd["detail"]["eventTime"] = json!("yesterday");
    assert!(Record::parse(&odd.to_string()).is_err());
}

#[test]
fn a_duplicate_that_eventbridge_made_has_the_same_id() {
    let mut event = event("s3", "PutBucketPolicy", json!({}));
    let first = parsed(&event).id;
    event["id"] = json!("another");
    assert_eq!(parsed(&event).id, first);
}

#[test]
fn the_id_of_the_request_says_whose_call_it_was() {
    const ARN: &str = "arn:aws:sts::123456789012:assumed-role/operator/aiplatform";
    let mut requests = RecentIds::default();
    requests.note("request-1", at(0));
    let record = |by: &str, agent: &str, request: Option<&str>, second: i64| {
        let mut event = event("s3", "PutBucketPolicy", json!({}));
        event["detail"]["userIdentity"] = json!({"arn": by});
        event["detail"]["userAgent"] = json!(agent);
        event["detail"]["requestID"] = json!(request);
        let mut record = parsed(&event);
        record.at = at(second);
        record
    };
    let made = |record: &Record| {
        Operator { arn: ARN, application: "aiplatform", began: at(100), requests: &requests }.made(record)
    };
    let ours = "[aws-sdk-rust/1.3 os/linux lang/rust/1.95 app/aiplatform]";
    assert!(made(&record(ARN, ours, Some("request-1"), 200)));
    assert!(!made(&record(ARN, ours, Some("request-2"), 200)), "another process with our role and our user agent");
    assert!(!made(&record(ARN, ours, None, 200)));
    assert!(made(&record(ARN, ours, Some("request-2"), 50)), "the process before this one");
    assert!(
        !made(&record("arn:aws:iam::123456789012:user/jane", ours, Some("request-2"), 50)),
        "a user agent is anybody's"
    );
    assert!(!made(&record(ARN, "[aws-cli/2.31 app/aiplatform-2]", Some("request-2"), 50)), "a role may be others' too");
}

#[test]
fn ids_are_forgotten_in_the_end() {
    let mut requests = RecentIds::default();
    requests.note("first", at(0));
    requests.note("later", at(3600 * 5));
    assert!(requests.has("first") && requests.has("later"));
    requests.note("last", at(3600 * 7));
    assert!(!requests.has("first") && requests.has("later"));
    for number in 0..100_000 {
        requests.note(&number.to_string(), at(3600 * 7));
    }
    assert!(!requests.has("last") && !requests.has("0") && requests.has("99999"));
}

#[test]
fn our_own_writes_prove_that_events_come() {
    let hour = i64::try_from(PROOF.as_secs()).unwrap();
    let mut proof = Proof::default();
    assert_eq!(proof.flow(at(10 * hour)), Flow::Unproven, "nothing was written");
    proof.wrote(at(0));
    proof.wrote(at(hour / 2));
    assert_eq!(proof.flow(at(hour - 1)), Flow::Unproven);
    assert_eq!(proof.flow(at(hour)), Flow::Silent(at(0)));
    proof.received();
    assert_eq!(proof.flow(at(hour)), Flow::Flowing);
    assert_eq!(proof.flow(at(100 * hour)), Flow::Flowing, "silence is no sign where nothing is written");
    proof.wrote(at(100 * hour));
    assert_eq!(proof.flow(at(101 * hour)), Flow::Silent(at(100 * hour)));
}

#[test]
fn the_events_of_iam_come_in_one_region_of_a_partition() {
    for (region, global) in [
        ("eu-west-1", "us-east-1"),
        ("us-east-1", "us-east-1"),
        ("cn-northwest-1", "cn-north-1"),
        ("us-gov-east-1", "us-gov-west-1"),
        ("eusc-de-east-1", "eusc-de-east-1"),
    ] {
        assert_eq!(place(region).of_global_services().region, global);
    }
    let sources = |region: &str, has_platforms: bool| {
        pattern::pattern(&place(region), has_platforms)["detail"]["eventSource"].as_array().unwrap().len()
    };
    assert_eq!(sources("us-east-1", false), 3, "IAM, and the queue and the rule themselves");
    assert_eq!(sources("us-east-1", true), Service::ALL.len() + 3, "Application Auto Scaling has two names");
    assert_eq!(sources("eu-west-1", true), Service::ALL.len() + 2);
}

#[test]
fn a_pattern_is_within_the_quota_and_sorted() {
    for region in ["eu-west-1", "us-east-1"] {
        let text = pattern::pattern(&place(region), true).to_string();
        assert!(text.len() <= pattern::LIMIT, "{}: {text}", text.len());
    }
    insta::assert_json_snapshot!(pattern::pattern(&place("us-east-1"), false));
}

#[test]
fn changes_of_networks_come_where_platforms_are() {
    let matched =
        |has_platforms| pattern::pattern(&place("eu-west-1"), has_platforms)["detail"]["eventName"].to_string();
    assert!(matched(true).contains("ModifyVpcAttribute") && !matched(false).contains("ModifyVpcAttribute"));
    let mut told = event("ec2", "ModifyVpcAttribute", json!({"vpcId": "vpc-1", "enableDnsSupport": {"value": false}}));
    let record = parsed(&told);
    assert!(record.network.is_some() && record.concerns.is_empty(), "it is nobody's resource");
    told["detail"]["errorCode"] = json!("Client.UnauthorizedOperation");
    assert_eq!(parsed(&told).network, None, "it changed nothing");
}

#[test]
fn a_call_of_ours_that_becomes_an_event_is_known() {
    assert_eq!(pattern::delivery_region("S3", "PutBucketPolicy"), Some(DeliveryRegion::Own));
    assert_eq!(pattern::delivery_region("IAM", "PutRolePolicy"), Some(DeliveryRegion::Global));
    assert_eq!(pattern::delivery_region("SQS", "TagQueue"), Some(DeliveryRegion::Own));
    assert_eq!(pattern::delivery_region("IAM", "GetRole"), None);
    assert_eq!(pattern::delivery_region("SQS", "DeleteMessageBatch"), None);
}

#[test]
fn changes_of_the_queue_and_the_rule_themselves_are_known() {
    let name = listener().name();
    for (source, call, parameters, is_ours) in [
        ("sqs", "DeleteQueue", json!({"queueUrl": format!("https://sqs.eu-west-1.amazonaws.com/1/{name}")}), true),
        ("events", "DisableRule", json!({"name": name}), true),
        ("events", "RemoveTargets", json!({"rule": "somebody-s"}), false),
        ("sqs", "SendMessage", json!({"queueUrl": name}), false),
        ("s3", "DeleteBucket", json!({"bucketName": name}), false),
    ] {
        assert_eq!(parsed(&event(source, call, parameters)).is_of_inbox(&name), is_ours, "{source} {call}");
    }
}

fn listener() -> Listener {
    Listener { cluster: "c1".into(), namespaces: Vec::new(), label_selector: None }
}

fn desired() -> Inbox {
    inbox::desire(&listener(), &place("eu-west-1"), true)
}

/// Both as they should be.
fn in_sync(desired: &Inbox) -> Observed {
    let tags = desired.tags.clone();
    Observed {
        queue: Some(ObservedQueue {
            url: "https://sqs/1/q".into(),
            attributes: desired.attributes.clone(),
            tags: tags.clone(),
        }),
        rule: Some(ObservedRule {
            pattern: desired.pattern.to_string(),
            is_enabled: true,
            tags,
            targets: [(inbox::TARGET.to_string(), desired.queue_arn.clone())].into(),
        }),
    }
}

#[test]
fn operators_that_watch_other_objects_have_queues_of_their_own() {
    let of = |cluster: &str, namespaces: &[&str], selector: Option<&str>| {
        let namespaces = namespaces.iter().map(ToString::to_string).collect();
        Listener { cluster: cluster.into(), namespaces, label_selector: selector.map(Into::into) }.name()
    };
    let names = [
        of("c1", &[], None),
        of("c2", &[], None),
        of("c1", &["a"], None),
        of("c1", &["a", "b"], None),
        of("c1", &[], Some("team=a")),
        of("arn:aws:eks:eu-west-1:123456789012:cluster/with-a-long-name", &[], None),
    ];
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    for name in &names {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        assert!(name.len() <= 64 && name.bytes().all(is_allowed) && name.starts_with("aiplatform-drift-"), "{name}");
    }
    assert_eq!(of("c1", &["b", "a"], None), of("c1", &["a", "b"], None));
}

#[test]
fn a_queue_takes_what_its_rule_sends_and_nothing_else() {
    insta::assert_json_snapshot!(serde_json::from_str::<Value>(&desired().attributes["Policy"]).unwrap());
}

#[test]
fn what_is_missing_is_made_and_what_differs_is_put_right() {
    let desired = desired();
    let planned = |change: &dyn Fn(&mut Observed)| {
        let mut observed = in_sync(&desired);
        change(&mut observed);
        inbox::plan(&desired, &observed).unwrap()
    };
    assert!(planned(&|_| {}).is_empty());
    assert_eq!(planned(&|it| *it = Observed::default()), [Step::CreateQueue, Step::PutRule, Step::PutTarget]);
    assert_eq!(planned(&|it| it.queue = None), [Step::CreateQueue]);
    assert_eq!(planned(&|it| it.rule = None), [Step::PutRule, Step::PutTarget]);
    assert_eq!(planned(&|it| it.rule.as_mut().unwrap().is_enabled = false), [Step::PutRule]);
    assert_eq!(planned(&|it| it.rule.as_mut().unwrap().pattern = "{}".into()), [Step::PutRule]);
    assert_eq!(planned(&|it| it.rule.as_mut().unwrap().targets.clear()), [Step::PutTarget]);
    let same_policy = |it: &mut Observed| {
        let attributes = &mut it.queue.as_mut().unwrap().attributes;
        let policy: Value = serde_json::from_str(&attributes["Policy"]).unwrap();
        attributes.insert("Policy".into(), format!("{policy:#}"));
    };
    assert!(planned(&same_policy).is_empty(), "white space means nothing");
    let opened = |it: &mut Observed| {
        let attributes = &mut it.queue.as_mut().unwrap().attributes;
        attributes.insert("Policy".into(), r#"{"Statement": []}"#.into());
        attributes.insert("SqsManagedSseEnabled".into(), "false".into());
    };
    let [Step::SetAttributes(set)] = &planned(&opened)[..] else { panic!("{:?}", planned(&opened)) };
    assert_eq!(set.keys().collect::<Vec<_>>(), ["Policy", "SqsManagedSseEnabled"]);
}

#[test]
fn a_rule_goes_before_its_queue_and_without_targets() {
    let desired = desired();
    assert!(inbox::removal(&desired, &Observed::default()).unwrap().is_empty());
    assert_eq!(
        inbox::removal(&desired, &in_sync(&desired)).unwrap(),
        [Step::RemoveTargets(vec![inbox::TARGET.into()]), Step::DeleteRule, Step::DeleteQueue]
    );
    let half = Observed { rule: None, ..in_sync(&desired) };
    assert_eq!(inbox::removal(&desired, &half).unwrap(), [Step::DeleteQueue]);
}

#[test]
fn what_others_have_under_our_name_is_left_alone() {
    let desired = desired();
    for holder in [None, Some("c2/drift-events/x")] {
        let set = |tags: &mut tags::Tags| {
            tags.clear();
            tags.extend(holder.map(|holder| (tags::OWNER.to_string(), holder.to_string())));
        };
        let mut queue = in_sync(&desired);
        set(&mut queue.queue.as_mut().unwrap().tags);
        let mut rule = in_sync(&desired);
        set(&mut rule.rule.as_mut().unwrap().tags);
        for observed in [queue, rule] {
            for refused in [inbox::plan(&desired, &observed), inbox::removal(&desired, &observed)] {
                let refused = refused.unwrap_err();
                assert_eq!((refused.reason(), refused.holder.as_deref()), ("NotOwned", holder));
                assert!(refused.to_string().contains("left alone"), "{refused}");
            }
        }
    }
}

#[test]
fn a_condition_says_how_the_operator_hears_of_changes() {
    let at_hand = |standing: &[Standing]| -> Vec<(Place, Standing)> {
        standing.iter().map(|standing| (place("eu-west-1"), standing.clone())).collect()
    };
    let flowing = Standing::Listening(Flow::Flowing);
    let hour = std::time::Duration::from_hours(1);
    let mut said = Vec::new();
    for standing in [
        vec![flowing.clone()],
        vec![flowing.clone(), Standing::Listening(Flow::Unproven)],
        vec![Standing::Listening(Flow::Silent(at(0))), flowing.clone()],
        vec![Standing::Starting, flowing.clone()],
        vec![Standing::Failed("AccessDenied", "AWS denies it".into()), Standing::Starting],
        vec![Standing::Removing],
    ] {
        let places = at_hand(&standing);
        assert_eq!(report::flows(&places), standing == [flowing.clone()]);
        let report = report::report(&places, hour);
        said.push(format!("{} {}: {}", report.status, report.reason, report.message));
    }
    assert!(!report::flows(&[]));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_time_of_the_condition_moves_only_when_it_flips() {
    let flowing = vec![(place("eu-west-1"), Standing::Listening(Flow::Flowing))];
    let unproven = vec![(place("eu-west-1"), Standing::Listening(Flow::Unproven))];
    let hour = std::time::Duration::from_hours(1);
    let put = |before: &AIPlatformStatus, places: &[(Place, Standing)], second: i64| {
        let mut status = before.clone();
        report::put(&mut status, Some(before), Some(report::report(places, hour)), at(second));
        status
    };
    let time = |status: &AIPlatformStatus| status.conditions[0].last_transition_time.0;
    let first = put(&AIPlatformStatus::default(), &unproven, 0);
    assert!(report::is_on(&first));
    let second = put(&first, &unproven, 10);
    assert_eq!(second, first);
    let third = put(&second, &flowing, 20);
    assert_eq!(time(&third), at(20));
    let mut gone = third.clone();
    report::put(&mut gone, Some(&third), None, at(30));
    assert!(gone.conditions.is_empty() && !report::is_on(&gone));
}
