//! Grants that are too large for IAM.

use serde_json::{Value, json};

use super::*;

/// A consumer of this many models, each of which it calls through a profile of this many regions.
fn many(models: usize, regions: usize) -> AIPlatform {
    let regions: Vec<String> = (0..regions).map(|number| format!("eu-west-{}", number + 1)).collect();
    let names: Vec<String> = (0..models).map(|number| format!("model-{number}")).collect();
    let models: Vec<Value> = names
        .iter()
        .map(|name| {
            json!({"name": name, "bedrock": {
                "modelId": MODEL, "inferenceProfileId": PROFILE, "destinationRegions": regions,
            }})
        })
        .collect();
    let mut whole = calls(json!({}));
    whole["models"] = models.into();
    whole["access"][0] =
        json!({"name": "api", "principalArns": ["arn:aws:iam::123456789012:role/batch"], "models": names});
    object(whole)
}

#[test]
fn policies_are_split_where_one_would_be_too_long() {
    let platform = validate(&many(8, 4)).unwrap();
    let grant = grants(&platform).unwrap().remove(0);
    let names: Vec<&str> = grant.policies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["access", "access-2"]);
    assert_eq!(grant.policies.iter().map(|(_, statements)| statements.len()).sum::<usize>(), 16);
    for (name, statements) in &grant.policies {
        assert!(crate::policy::size(&document(statements)) <= POLICY_LIMIT, "{name}");
    }
}

#[test]
fn what_fits_into_no_role_is_refused_with_its_size_and_the_way_out() {
    // Too much for all policies of a role together, and for one statement alone.
    for (models, regions, limit) in [(20, 4, INLINE_LIMIT), (1, 99, POLICY_LIMIT)] {
        let problems = validate(&many(models, regions)).unwrap_err();
        let [problem] = problems.as_slice() else { panic!("one problem: {problems:?}") };
        assert_eq!(problem.path, "spec.access[0]");
        let telling = [
            "the policies of consumer \"api\" take",
            &format!("of which IAM allows {limit}"),
            "make two consumers of it, or name fewer models, buckets or destinationRegions",
        ];
        assert!(telling.iter().all(|part| problem.message.contains(part)), "{problem}");
    }
}

#[test]
fn more_principals_than_a_trust_policy_holds_are_refused() {
    let principals: Vec<String> =
        (0..16).map(|number| format!("arn:aws:iam::123456789012:role/{}/{number}", "p".repeat(120))).collect();
    let mut spec = calls(json!({}));
    spec["access"][0] = json!({"name": "api", "principalArns": principals, "models": ["fast"]});
    let problems = validate(&object(spec)).unwrap_err();
    let [problem] = problems.as_slice() else { panic!("one problem: {problems:?}") };
    assert_eq!(problem.path, "spec.access[0]");
    assert!(problem.message.contains("the trust policy of consumer \"api\" takes"), "{problem}");
    assert!(problem.message.contains("IAM allows 2048: name fewer principals"), "{problem}");
}

#[test]
fn every_consumer_that_is_too_large_is_named() {
    let mut object = many(20, 4);
    let mut second = object.spec.access[0].clone();
    second.name = "batch".into();
    object.spec.access.push(second);
    let paths: Vec<String> = validate(&object).unwrap_err().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["spec.access[0]", "spec.access[1]"]);
}
