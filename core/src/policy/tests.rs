#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

use super::*;

#[test]
fn spellings_of_the_same_statement_are_equal() {
    let one =
        json!({"Action": ["s3:Get*"], "Resource": ["b", "a"], "Condition": {"Bool": {"aws:SecureTransport": false}}});
    let other = json!({"Action": "s3:Get*", "Resource": ["a", "b", "a"], "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}});
    assert_eq!(canonical(&one), canonical(&other));
}

#[test]
fn a_single_statement_needs_no_list() {
    let one = json!({"Statement": {"Sid": "A"}});
    let many = json!({"Statement": [{"Sid": "A"}]});
    assert_eq!(statements(&one), statements(&many));
    assert!(statements(&json!({})).is_empty());
}

fn policy(statement: Value) -> Policy {
    Policy::new(&json!({"Version": "2012-10-17", "Statement": [statement]}))
}

#[test]
fn documents_are_compared_by_meaning() {
    let base = policy(json!({"Sid": "A", "Effect": "Allow", "Action": ["bedrock:InvokeModel"], "Resource": ["x", "y"],
        "Principal": {"AWS": ["123456789012"]}, "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}));
    let same = policy(json!({"Effect": "Allow", "Action": "BEDROCK:invokemodel", "Resource": ["y", "x"],
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Condition": {"stringequals": {"AWS:SourceAccount": ["1"]}}}));
    assert_eq!(base, same);
    for (field, value) in [
        ("Effect", json!("Deny")),
        ("Action", json!(["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"])),
        ("Resource", json!(["x", "y", "z"])),
        ("Principal", json!({"AWS": "*"})),
        ("Condition", json!({"StringEquals": {"aws:SourceAccount": "2"}})),
    ] {
        let mut changed = same.as_written()["Statement"][0].clone();
        changed[field] = value;
        assert_ne!(base, policy(changed), "{field}");
    }
}

#[test]
fn what_stands_there_twice_in_two_spellings_means_nothing_that_we_know() {
    let deny = |condition: Value| json!({"Sid": "A", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "x", "Condition": condition});
    for (ours, planted) in [
        (
            json!({"StringNotEquals": {"aws:SourceAccount": "1"}}),
            json!({"STRINGNOTEQUALS": {"aws:SourceAccount": "2"}, "StringNotEquals": {"aws:SourceAccount": "1"}}),
        ),
        (
            json!({"StringNotEquals": {"aws:SourceAccount": "1"}}),
            json!({"StringNotEquals": {"aws:SourceAccount": "1"}, "stringNotEquals": {"aws:SourceAccount": "2"}}),
        ),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            json!({"Bool": {"AWS:SECURETRANSPORT": "true", "aws:SecureTransport": "false"}}),
        ),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            json!({"Bool": {"aws:SecureTransport": "false", "aws:securetransport": "true"}}),
        ),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            json!({"Bool": {"aws:SecureTransport": "false", "AWS:securetransport": "false"}}),
        ),
    ] {
        let (ours, planted) = (deny(ours), deny(planted));
        assert_ne!(policy(ours.clone()), policy(planted.clone()), "{planted}");
        assert_ne!(statement_meaning(&ours), statement_meaning(&planted));
        assert!(!policy(planted.clone()).says(&ours), "{planted}");
        assert_eq!(policy(planted.clone()), policy(planted));
    }
}

#[test]
fn a_document_with_something_beside_its_statements_means_something_else() {
    let plain = json!({"Version": "2012-10-17", "Statement": []});
    let mut named = plain.clone();
    named["Id"] = json!("a name");
    assert_eq!(Policy::new(&plain), Policy::new(&named));
    for field in ["statement", "Condition"] {
        let mut planted = plain.clone();
        planted[field] = json!([{"Effect": "Allow"}]);
        assert_ne!(Policy::new(&plain), Policy::new(&planted), "{field}");
    }
}

#[test]
fn everybody_is_everybody_however_written() {
    assert_eq!(policy(json!({"Principal": "*"})), policy(json!({"Principal": {"AWS": ["*"]}})));
}

#[test]
fn the_language_version_means_something() {
    let new = Policy::new(&json!({"Version": "2012-10-17", "Statement": []}));
    let old = Policy::new(&json!({"Statement": []}));
    assert_ne!(new, old);
    assert_eq!(old, Policy::new(&json!({"Version": "2008-10-17", "Statement": []})));
}

fn statement(name: &str, resources: usize) -> Statement {
    let resources = (0..resources).map(|number| format!("arn:aws:s3:::bucket-{number:04}")).collect();
    Statement::allow(name, &["s3:GetObject"], resources, "because")
}

#[test]
fn statements_are_split_only_where_they_must_be() {
    let parts = split(vec![statement("A", 10), statement("B", 10)], POLICY_LIMIT).unwrap();
    assert_eq!(parts.len(), 1);
    let parts = split((0..4).map(|number| statement(&format!("S{number}"), 90)).collect(), POLICY_LIMIT).unwrap();
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert!(parts.iter().all(|part| size(&document(part)) <= POLICY_LIMIT));
    let (sid, size) = split(vec![statement("Huge", 400)], POLICY_LIMIT).unwrap_err();
    assert_eq!(sid, "Huge");
    assert!(size > POLICY_LIMIT);
}

#[test]
fn white_space_does_not_count() {
    assert_eq!(size(&json!({"a": "b c"})), r#"{"a":"bc"}"#.len());
}

#[test]
fn what_iam_takes_no_letters_for_is_written_as_escapes_and_counted_as_such() {
    let document = |resource: &str| json!({"Resource": resource});
    for (resource, written) in [
        ("a/é\u{ff}*", "a/é\u{ff}*"),
        ("a/\u{100}日本/*", "a/\\u0100\\u65e5\\u672c/*"),
        ("😀\"\n", "\\ud83d\\ude00\\\"\\n"),
    ] {
        let document = document(resource);
        let text = text(&document);
        assert_eq!(text, format!("{{\"Resource\":\"{written}\"}}"));
        assert!(text.chars().all(|character| character <= '\u{ff}'));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
        assert_eq!(size(&document), text.chars().count());
    }
}

#[test]
fn the_size_of_statements_is_that_of_their_document() {
    let resources = |resources: &[&str]| resources.iter().map(ToString::to_string).collect::<Vec<String>>();
    let plain = Statement::allow("A", &["s3:GetObject"], resources(&["arn:aws:s3:::b/*"]), "because");
    let odd = resources(&["a b\"\\", "\u{1}\t\n\u{2028}\u{85}é", "日本😀\u{a0}", ""]);
    let statements = [
        plain.clone(),
        Statement::allow("", &[], Vec::new(), ""),
        Statement::allow("B", &["a:B", "a:C"], odd.clone(), "").denying().by("AWS", resources(&["*"])),
        plain.clone().by("Service", odd.clone()).by("AWS", Vec::new()).when("StringEquals", "a:B", odd.clone()),
        plain.when("Bool", "a", resources(&["true"])).when("Bool", "b", odd).when("Null", "c", Vec::new()),
    ];
    for count in 0..=statements.len() {
        for first in 0..=statements.len() - count {
            let some = &statements[first..first + count];
            assert_eq!(size_of(some), size(&document(some)), "{some:?}");
        }
    }
}
