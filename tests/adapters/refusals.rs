//! Each call of each adapter refused in turn: every other part is written in the same pass, nothing is ready, each
//! refusal is told in AWS's words, and it heals by itself.

use std::collections::BTreeSet;

use aiplatform::plan::{Action, Plan};
use aiplatform::resource::Kind;
use aiplatform::schedule::Next;

use super::drifts::{ready_run, spoil};
use super::{Run, condition, message, ready};

/// What AWS says when it refuses, and whether a person has to act.
const REFUSALS: [(&str, u16, bool); 4] = [
    ("AccessDenied", 403, true),
    ("ValidationException", 400, true),
    ("SomeConflict", 409, true),
    ("ServiceUnavailable", 503, false),
];

/// Calls that write one part, with the parts that stay as they are when the call is refused.
const WRITES: [(&str, &[(Kind, &str)]); 17] = [
    ("PutPublicAccessBlock", &[(Kind::Bucket, "publicAccessBlock")]),
    ("PutBucketPolicy", &[(Kind::Bucket, "policy")]),
    ("PutBucketOwnershipControls", &[(Kind::Bucket, "objectOwnership")]),
    ("PutBucketTagging", &[(Kind::Bucket, "tags")]),
    ("PutBucketEncryption", &[(Kind::Bucket, "encryption")]),
    ("PutBucketVersioning", &[(Kind::Bucket, "versioning")]),
    ("PutBucketLifecycleConfiguration", &[(Kind::Bucket, "lifecycle")]),
    ("DeleteRolePermissionsBoundary", &[(Kind::Role, "permissionsBoundary")]),
    ("UpdateAssumeRolePolicy", &[(Kind::Role, "trust")]),
    ("PutRolePolicy", &[(Kind::Role, "policies")]),
    ("DeleteRolePolicy", &[(Kind::Role, "policies")]),
    ("TagRole", &[(Kind::Role, "tags")]),
    ("UntagRole", &[(Kind::Role, "tags")]),
    ("UpdatePodIdentityAssociation", &[(Kind::PodIdentityAssociation, "roleArn")]),
    ("RegisterScalableTarget", &[(Kind::ScalableTarget, "minCapacity"), (Kind::ScalableTarget, "maxCapacity")]),
    (
        "AddTags",
        &[(Kind::SageMakerModel, "tags"), (Kind::SageMakerEndpointConfig, "tags"), (Kind::SageMakerEndpoint, "tags")],
    ),
    (
        "DeleteTags",
        &[(Kind::SageMakerModel, "tags"), (Kind::SageMakerEndpointConfig, "tags"), (Kind::SageMakerEndpoint, "tags")],
    ),
];

/// What a plan still has to change.
fn open(plan: &Plan) -> BTreeSet<(Kind, String)> {
    let changes = plan.steps.iter().flat_map(|step| match &step.action {
        Action::Update(changes) => changes.iter().map(|it| (step.key.kind, it.field().to_string())).collect(),
        Action::Keep => Vec::new(),
        other => panic!("{}: {other:?}", step.key),
    });
    changes.collect()
}

async fn is_reported_and_heals(run: &mut Run, operation: &str, (code, status, is_stuck): (&str, u16, bool)) {
    let words = format!("refused because {code}");
    let case = format!("{operation} {status} {code}");
    run.refuse(operation, code, status, &words);
    let pass = run.pass().await;
    assert_ne!(ready(&pass), "True", "{case}");
    assert!(message(&pass).contains(&words), "{case}: {}", message(&pass));
    let stalled = condition(&pass, "Stalled").is_some();
    assert_eq!(
        (stalled, pass.next),
        (is_stuck, if is_stuck { Next::Slow } else { Next::Retry }),
        "{case}: {:#?}",
        pass.status
    );
    run.refuse_nothing();
}

#[tokio::test]
async fn a_refused_write_holds_up_no_other_part_of_anything() {
    let mut run = ready_run().await;
    for (operation, parts) in WRITES {
        for refusal in REFUSALS {
            spoil(&run).await;
            // What stands on a role waits for it, so that only the role itself is drawn into it.
            let waits = |kind: &Kind| *kind == Kind::PodIdentityAssociation && operation.contains("Role");
            is_reported_and_heals(&mut run, operation, refusal).await;
            let left = open(&run.plan().await);
            let expected: BTreeSet<(Kind, String)> =
                parts.iter().map(|(kind, part)| (*kind, (*part).to_string())).collect();
            let others: Vec<_> = left.difference(&expected).filter(|(kind, _)| !waits(kind)).collect();
            assert!(others.is_empty(), "{operation} {refusal:?} held up {others:?}");
            assert!(expected.is_subset(&left), "{operation} {refusal:?}: {left:?}");
            run.settle_ready().await;
        }
    }
}

/// Tags are written by calls of the same name in two services.
#[tokio::test]
async fn tags_that_are_refused_hold_up_no_binding_and_no_bounds() {
    let mut run = ready_run().await;
    for operation in ["TagResource", "UntagResource"] {
        for refusal in REFUSALS {
            spoil(&run).await;
            is_reported_and_heals(&mut run, operation, refusal).await;
            let left = open(&run.plan().await);
            let tags = |(_, field): &&(Kind, String)| field != "tags";
            assert_eq!(left.iter().filter(tags).count(), 0, "{operation} {refusal:?}: {left:?}");
            assert_eq!(left.len(), 2, "{operation} {refusal:?}: {left:?}");
            run.settle_ready().await;
        }
    }
}

/// Calls that read one part, with the part that is unknown when the call is refused.
const READS: [(&str, Kind, &str); 12] = [
    ("GetPublicAccessBlock", Kind::Bucket, "publicAccessBlock"),
    ("GetBucketPolicy", Kind::Bucket, "policy"),
    ("GetBucketOwnershipControls", Kind::Bucket, "objectOwnership"),
    ("GetBucketEncryption", Kind::Bucket, "encryption"),
    ("GetBucketVersioning", Kind::Bucket, "versioning"),
    ("GetBucketLifecycleConfiguration", Kind::Bucket, "lifecycle"),
    ("ListRolePolicies", Kind::Role, "policies"),
    ("GetRolePolicy", Kind::Role, "policies"),
    ("ListAttachedRolePolicies", Kind::Role, "attachedPolicies"),
    ("ListModels", Kind::SageMakerEndpoint, "revisions"),
    ("ListEndpointConfigs", Kind::SageMakerEndpoint, "revisions"),
    ("DescribeScheduledActions", Kind::ScalableTarget, "scheduledActions"),
];

#[tokio::test]
async fn a_refused_read_hides_no_other_part_of_anything() {
    let mut run = ready_run().await;
    for (operation, kind, part) in READS {
        for refusal in REFUSALS {
            spoil(&run).await;
            is_reported_and_heals(&mut run, operation, refusal).await;
            let left = open(&run.plan().await);
            // What stands on a role whose policies are unknown waits for it.
            let waits = part == "policies";
            let others = left.iter().filter(|(left_kind, field)| {
                let is_same = *left_kind == kind && field == part;
                let stands_on_it = waits && *left_kind != Kind::Bucket && *left_kind != Kind::Role;
                !is_same && !stands_on_it
            });
            assert_eq!(others.collect::<Vec<_>>(), Vec::<&(Kind, String)>::new(), "{operation} {refusal:?}");
            run.settle_ready().await;
        }
    }
}

/// Calls that write one part of something that was just made.
const PARTS_OF_CREATION: [&str; 5] = [
    "PutPublicAccessBlock",
    "PutBucketPolicy",
    "PutBucketVersioning",
    "PutBucketLifecycleConfiguration",
    "PutRolePolicy",
];

#[tokio::test]
async fn a_part_refused_at_creation_holds_up_no_other_part() {
    for operation in PARTS_OF_CREATION {
        let mut run = Run::new(super::drifts::of_all_kinds()).await;
        run.aws.control("eks/cluster", serde_json::json!({"name": "prod", "region": "eu-west-1"}));
        run.announce().await;
        run.refuse(operation, "AccessDenied", 403, "not this one");
        let pass = run.pass().await;
        assert_ne!(ready(&pass), "True", "{operation}");
        assert!(message(&pass).contains("not this one"), "{operation}: {}", message(&pass));
        run.refuse_nothing();
        let plan = run.plan().await;
        let of_made = plan.steps.iter().filter(|step| matches!(step.key.kind, Kind::Bucket | Kind::Role));
        for step in of_made {
            let Action::Update(changes) = &step.action else { continue };
            let fields: BTreeSet<&str> = changes.iter().map(aiplatform::diff::Change::field).collect();
            assert_eq!(fields.len(), 1, "{operation} on {}: {fields:?}", step.key);
        }
        run.settle_ready().await;
        assert!(run.plan().await.is_settled(), "{operation}");
    }
}
