//! Whose something is, when somebody else was faster by a moment: between the look on which a plan stands and its steps.

use std::collections::BTreeMap;

use aiplatform::execute::execute;
use aiplatform::leadership::Authority;
use aiplatform::outcome::{Applied, Outcome, Outcomes};
use aiplatform::plan::{Action, Plan};
use aiplatform::resource::{Key, Kind};
use aiplatform::scope::Scope;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, CreateBucketConfiguration, Tag, Tagging, VersioningConfiguration};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Run, buckets, condition, here, message, put_role, spec};

const NAME: &str = "wanted-by-two";
const RIVAL: &str = "tests/support/rival";

fn scope(run: &Run) -> Scope {
    Scope {
        region: run.object.spec.region.clone(),
        account_id: "123456789012".into(),
        owner: "tests/support/assistant".into(),
        uid: "0a1b2c3d-0000-4000-8000-000000000001".into(),
        assume_role: None,
    }
}

/// Carries out a plan that was made earlier.
pub async fn carry_out(run: &Run, plan: &Plan) -> (Plan, Outcomes) {
    let authority = Authority::unelected(CancellationToken::new());
    Box::pin(execute(&run.provider, &scope(run), plan, &authority)).await
}

fn bucket() -> Key {
    Key { kind: Kind::Bucket, name: NAME.into() }
}

fn tag(owner: &str) -> Tag {
    Tag::builder().key("aiplatform.dev/owner").value(owner).build().expect("a tag")
}

/// A run with a bucket that has rules of its own, and a consumer of it.
async fn run_in(region: &str, fields: Value) -> Run {
    let mut run = Run::new(buckets(json!([]))).await;
    let consumer = put_role(&run, "consumer").await;
    let mut bucket = json!({"name": "runs", "bucketName": NAME, "deletionPolicy": "DeleteWithContents",
        "lifecycle": {"rules": [{"id": "expire", "expiration": {"days": 7}}]}});
    for (field, value) in fields.as_object().expect("fields") {
        bucket[field] = value.clone();
    }
    let mut wanted = spec(json!({
        "storage": {"buckets": [bucket]},
        "access": [{"name": "api", "principalArns": [consumer], "buckets": [{"name": "runs"}]}],
    }));
    wanted["region"] = json!(region);
    run.object.spec = serde_json::from_value(wanted).expect("the spec parses");
    run
}

/// What the roles of the platform allow, as one text.
async fn granted(run: &Run) -> String {
    let iam = run.aws.iam();
    let mut text = String::new();
    for role in iam.list_roles().path_prefix("/aiplatform/").send().await.expect("roles").roles {
        let listed = iam.list_role_policies().role_name(&role.role_name).send().await.expect("policies").policy_names;
        for policy in listed {
            let read = iam.get_role_policy().role_name(&role.role_name).policy_name(policy).send().await;
            text +=
                &percent_encoding::percent_decode_str(read.expect("a policy").policy_document()).decode_utf8_lossy();
        }
    }
    text
}

async fn owner(run: &Run) -> Option<String> {
    let region = &run.object.spec.region;
    let s3 = run.aws.s3_in(region);
    s3.head_bucket().bucket(NAME).send().await.expect("it is there");
    // Without any tags the answer is an error.
    let found = s3.get_bucket_tagging().bucket(NAME).send().await.ok()?.tag_set;
    let found: BTreeMap<String, String> = found.into_iter().map(|tag| (tag.key, tag.value)).collect();
    found.get("aiplatform.dev/owner").cloned()
}

async fn take(run: &Run, holder: Option<&str>) {
    let tags = Tagging::builder().set_tag_set(Some(holder.map(tag).into_iter().collect())).build().expect("tags");
    run.aws.s3().put_bucket_tagging().bucket(NAME).tagging(tags).send().await.expect("put");
}

async fn make(run: &Run, region: &str, holder: Option<&str>) {
    let place = if region == "us-east-1" { CreateBucketConfiguration::builder().build() } else { here() };
    let tags = holder.map(|holder| vec![tag(holder)]);
    let configuration =
        CreateBucketConfiguration::builder().set_location_constraint(place.location_constraint).set_tags(tags).build();
    let call = run.aws.s3_in(region).create_bucket().bucket(NAME).create_bucket_configuration(configuration);
    call.send().await.expect("made");
}

/// The step for the bucket came too late: it changed nothing, waits for the next look and opens nothing.
async fn assert_too_late(run: &Run, plan: &Plan, allowed: &[&str]) {
    let calls = run.aws.call_count();
    let (_, outcomes) = carry_out(run, plan).await;
    let Some(Outcome::Failed(failures)) = outcomes.get(&bucket()) else { panic!("{outcomes:#?}") };
    assert_eq!((failures.reason(), failures.is_owned()), ("Conflict", false), "{failures}");
    let written = run.aws.writes_since_call(calls);
    let of_roles = |call: &String| call.contains("Role");
    let written: Vec<String> = written.into_iter().filter(|call| !of_roles(call)).collect();
    assert_eq!(written, allowed);
    assert!(!granted(run).await.contains(NAME), "{}", granted(run).await);
}

#[tokio::test]
async fn two_that_make_one_bucket_at_once_do_not_both_have_it_in_any_region() {
    // In the oldest region the second is told that it succeeded.
    for region in ["us-east-1", "eu-west-1"] {
        for (holder, reason) in [(Some(RIVAL), RIVAL), (None, "adopt: true")] {
            let mut run = run_in(region, json!({})).await;
            let plan = run.plan().await;
            assert!(plan.steps.iter().any(|step| step.key == bucket() && step.action == Action::Create));
            make(&run, region, holder).await;
            assert_too_late(&run, &plan, &["CreateBucket"]).await;
            let pass = run.settle().await;
            assert_eq!(condition(&pass, "Stalled").map(|stalled| stalled.reason.as_str()), Some("NotOwned"));
            assert!(message(&pass).contains(reason), "{}", message(&pass));
            assert_eq!(owner(&run).await.as_deref(), holder);
            run.delete();
            assert!(run.settle().await.finished);
            assert_eq!(owner(&run).await.as_deref(), holder, "it is still there, and theirs");
        }
    }
}

#[tokio::test]
async fn a_bucket_in_the_oldest_region_is_ours_when_we_made_it_whatever_became_of_the_answer() {
    for lost in ["CreateBucket", "GetBucketTagging"] {
        let mut run = run_in("us-east-1", json!({})).await;
        run.announce().await;
        // The look before the plan is answered; what follows the creation is not.
        let plan = run.plan().await;
        let fault = json!({"service": "s3", "operation": lost, "when": "after", "times": 1, "error": "reset"});
        run.aws.control("faults", fault);
        let (_, outcomes) = carry_out(&run, &plan).await;
        assert!(matches!(outcomes[&bucket()], Outcome::Failed(_)), "{lost}: {outcomes:#?}");
        assert!(!granted(&run).await.contains(NAME), "{lost}");
        run.settle_ready().await;
        assert_eq!(owner(&run).await.as_deref(), Some("tests/support/assistant"));
        assert!(granted(&run).await.contains(NAME));
    }
}

#[tokio::test]
async fn a_bucket_that_somebody_took_over_a_moment_ago_stays_theirs() {
    let mut run = run_in("eu-west-1", json!({"adopt": true})).await;
    make(&run, "eu-west-1", None).await;
    let plan = run.plan().await;
    assert!(plan.steps.iter().any(|step| step.key == bucket() && step.adopts()), "{plan:#?}");
    take(&run, Some(RIVAL)).await;
    assert_too_late(&run, &plan, &[]).await;
    let pass = run.settle().await;
    assert!(message(&pass).contains(RIVAL), "{}", message(&pass));
    assert_eq!(owner(&run).await.as_deref(), Some(RIVAL));
}

#[tokio::test]
async fn what_is_taken_over_is_ours_before_anything_in_it_is_changed() {
    let mut run = run_in("eu-west-1", json!({"adopt": true})).await;
    make(&run, "eu-west-1", None).await;
    let before = run.aws.call_count();
    for error in
        [json!("reset"), json!({"code": "AccessDenied", "status": 403}), json!({"code": "SlowDown", "status": 503})]
    {
        let fault =
            json!({"service": "s3", "operation": "PutBucketTagging", "when": "before", "times": null, "error": error});
        run.aws.control("faults", fault);
        for _ in 0..4 {
            run.pass().await;
        }
        let written = run.aws.writes_since_call(before);
        let others: Vec<&String> =
            written.iter().filter(|call| call.contains("Bucket") && *call != "PutBucketTagging").collect();
        assert!(others.is_empty(), "{error}: {others:?}");
        assert!(!granted(&run).await.contains(NAME), "{error}");
        run.refuse_nothing();
    }
    let before = run.aws.call_count();
    run.settle_ready().await;
    let written: Vec<String> =
        run.aws.calls_since(before).into_iter().skip_while(|call| !call.starts_with("PutBucket")).collect();
    assert_eq!(written[..2], ["PutBucketTagging", "GetBucketTagging"], "it is read back: {written:?}");
    assert!(granted(&run).await.contains(NAME));
}

#[tokio::test]
async fn nothing_is_changed_deleted_or_emptied_that_somebody_took_a_moment_ago() {
    for (holder, region) in [(Some(RIVAL), "eu-west-1"), (None, "eu-west-1")] {
        let mut run = run_in(region, json!({})).await;
        run.settle_ready().await;
        let s3 = run.aws.s3();
        s3.put_object().bucket(NAME).key("k").body(ByteStream::from_static(b"x")).send().await.expect("put");
        let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
        s3.put_bucket_versioning().bucket(NAME).versioning_configuration(suspended).send().await.expect("put");
        let changing = run.plan().await;
        assert!(changing.steps.iter().any(|step| matches!(step.action, Action::Update(_))), "{changing:#?}");
        run.delete();
        let deleting = run.plan().await;
        assert!(deleting.steps.iter().any(|step| step.action == Action::Delete { with_contents: true }));
        take(&run, holder).await;
        for plan in [&changing, &deleting] {
            let calls = run.aws.call_count();
            let (_, outcomes) = carry_out(&run, plan).await;
            let Some(Outcome::Failed(failures)) = outcomes.get(&bucket()) else { panic!("{outcomes:#?}") };
            assert_eq!(failures.reason(), "Conflict", "{failures}");
            let written = run.aws.writes_since_call(calls);
            let in_s3: Vec<&String> = written.iter().filter(|call| !call.contains("Role")).collect();
            assert!(in_s3.is_empty(), "{in_s3:?}");
        }
        assert!(run.settle().await.finished);
        assert!(s3.head_object().bucket(NAME).key("k").send().await.is_ok(), "it is left alone");
    }
}

#[tokio::test]
async fn the_owner_of_what_is_ours_is_never_written_again() {
    // What somebody took over in that moment keeps the owner it has; the next look tells.
    let mut run = super::drifts::ready_run().await;
    let tagged = |run: &Run| {
        let mut spec = serde_json::to_value(&run.object.spec).expect("JSON");
        spec["tags"] = json!({"project": "assistant"});
        spec
    };
    run.edit(tagged(&run));
    let plan = run.plan().await;
    let calls = run.aws.call_count();
    let (_, outcomes) = carry_out(&run, &plan).await;
    assert!(outcomes.values().any(|outcome| *outcome == Outcome::Done(Applied::Ready)), "{outcomes:#?}");
    let mut written = 0;
    for call in run.aws.calls().into_iter().skip(calls) {
        let operation = call["operation"].as_str().unwrap_or_default().to_string();
        if ["TagRole", "AddTags", "TagResource"].contains(&operation.as_str()) {
            written += 1;
            let parameters = call["parameters"].to_string();
            assert!(!parameters.contains("aiplatform.dev/owner"), "{operation}: {parameters}");
        }
    }
    assert!(written >= 4, "roles, models, configurations, endpoints and targets: {written}");
}

#[tokio::test]
async fn a_log_group_that_somebody_took_over_a_moment_ago_stays_theirs() {
    let mut run = super::drifts::ready_run().await;
    let (logs, group) = (run.aws.logs(), run.resource("LogGroup").clone());
    let arn = group.arn.clone().expect("an ARN");
    // As a service makes it that logs for the first time.
    logs.delete_log_group().log_group_name(&group.name).send().await.expect("deleted");
    logs.create_log_group().log_group_name(&group.name).send().await.expect("made");
    let plan = run.plan().await;
    assert!(plan.steps.iter().any(|step| step.key.kind == Kind::LogGroup && step.adopts()), "{plan:#?}");
    logs.tag_resource().resource_arn(&arn).tags("aiplatform.dev/owner", RIVAL).send().await.expect("tagged");
    let calls = run.aws.call_count();
    let (_, outcomes) = carry_out(&run, &plan).await;
    let key = Key { kind: Kind::LogGroup, name: group.name };
    let Some(Outcome::Failed(failures)) = outcomes.get(&key) else { panic!("{outcomes:#?}") };
    assert_eq!((failures.reason(), failures.is_owned()), ("Conflict", false), "{failures}");
    assert_eq!(run.aws.writes_since_call(calls), Vec::<String>::new());
    let pass = run.settle().await;
    assert!(message(&pass).contains(RIVAL), "{}", message(&pass));
    let tags = logs.list_tags_for_resource().resource_arn(&arn).send().await.expect("tags").tags.unwrap_or_default();
    assert_eq!(tags["aiplatform.dev/owner"], RIVAL);
}
