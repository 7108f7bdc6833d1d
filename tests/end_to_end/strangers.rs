//! Files from strangers: no bytes make a command take more memory than its share, hang, or write what is not seen.

use std::fmt::Write;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use aiplatform::printable::{is_hidden, printable_json};
use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::test_env::{TestEnv, condition, file, spec};
use crate::support::{DEADLINE, PERIOD};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/assistant.yaml");

/// What a command may map, in KiB.
const MEMORY: &str = "262144";

const HEAD: &str = "apiVersion: aiplatform.dev/v1alpha1\nkind: AIPlatform\nmetadata: {name: a, namespace: b}\nspec:\n  region: eu-west-1\n  \
                    accountId: \"123456789012\"\n  ownership: {team: a, contact: b, environment: c}\n";

/// Runs a command with as much memory as it may have, and ends it when it does not end.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let binary = command();
    let mut bounded = Command::new("sh");
    bounded.args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")]).arg(binary.get_program()).args(arguments);
    bounded.env_clear().envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = tempfile::tempdir().expect("a folder");
    let stream = |name: &str| std::fs::File::create(output.path().join(name)).expect("a file");
    let input = file(&String::from_utf8_lossy(input));
    bounded.stdin(std::fs::File::open(&input).expect("it is there")).stdout(stream("out")).stderr(stream("err"));
    let mut process = bounded.stdin(Stdio::null()).spawn().expect("it starts");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().expect("its status") {
            break status;
        }
        if began.elapsed() > DEADLINE {
            process.kill().expect("it is ended");
            panic!("{arguments:?} does not end");
        }
        std::thread::sleep(PERIOD);
    };
    let read = |name: &str| std::fs::read(output.path().join(name)).expect("it is there");
    Output { status, stdout: read("out"), stderr: read("err") }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Texts that mean much work to read, and a part of the line that says why they are not.
fn bombs() -> Vec<(String, &'static str)> {
    let too_much = "more than 64 MiB, with what its aliases stand for";
    let many = |text: &str, count: usize| text.repeat(count);
    let numbered = |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<String>();
    let labels = |value: &'static str| {
        let labels = numbered(60_000, &|index| format!("k{index}: {value}, "));
        HEAD.replace("namespace: b", &format!("namespace: b, labels: {{{labels}}}"))
    };
    vec![
        (format!("{HEAD}x: &x {}\nz: [{}]\n", many("y", 100_000), many("*x, ", 60_000)), too_much),
        (format!("a: &a {{b: 1}}\nc:\n{}", many("  <<: *a\n", 400_000)), too_much),
        (format!("[{}]", many("a,", 2_000_000)), too_much),
        (format!("{HEAD}  tags: {{{}}}\n", numbered(800_000, &|index| format!("{index:x}: a,"))), too_much),
        (numbered(100, &|level| format!("&a{level} [")) + &many("x,", 400_000) + &many("]", 100), "not an object"),
        (many("- ", 100_000), "not YAML"),
        (many("[", 100_000), "not YAML"),
        (many("---\n", 1_000_000), "no AIPlatform in"),
        (many("---\nkind: X\napiVersion: v1\n", 100_000), "more than 20000 objects"),
        (many("{\"kind\":\"X\",\"apiVersion\":\"v1\"}", 100_000), "more than 20000 objects"),
        (many("---\n- a\n", 100_000), "more problems"),
        (format!("{HEAD}  tags: {{a: {}}}\n", many("x", 12_000_000)), "more than 8 MiB"),
        (format!("{HEAD}{}", numbered(60_000, &|index| format!("  k{index:x}: 1\n"))), "more problems"),
        (format!("{HEAD}  {}: 1\n", many("k", 2_000_000)), "not YAML"),
        (format!("[{}]", numbered(400_000, &|index| format!("&a{index:x} 1,"))), too_much),
        (format!("[{}]", many("&a 1,", 400_000)), too_much),
        (labels("5"), "more problems"),
        (format!("{HEAD}  access: [{{name: a, models: [{}]}}]\n", many("a, ", 60_000)), "are too many"),
        (format!("{HEAD}  models: [{}]\n", many("{name: a, bedrock: {modelId: b}}, ", 10_000)), "are too many"),
        (many("a:\n  - |\n    \tx\n", 100_000), "begins with a tab"),
        (many(" \t\n", 1_000_000), "no AIPlatform in"),
        (many("a\0", 1_000_000), "not YAML"),
        (many("é", 9_000_000), "at most 16 MiB are read"),
    ]
}

#[test]
fn no_file_takes_more_than_its_share() {
    for (bomb, part) in bombs() {
        let bomb = file(&bomb);
        let bomb = bomb.to_str().expect("a path");
        for arguments in [vec!["plan", "-f", bomb], vec!["plan", "-f", EXAMPLE, "--guardrails", bomb]] {
            let output = run(&arguments, b"");
            let complaint = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{part}: {arguments:?}: {complaint}");
            assert!(complaint.starts_with("aiplatform: ") && complaint.lines().count() <= 201, "{complaint}");
            let shown = complaint.get(..2000).unwrap_or(&complaint);
            assert!(arguments.len() > 3 || complaint.contains(part), "{part}: {shown}");
        }
    }
    let bomb = file(&bombs()[0].0);
    for name in ["audit", "operator-policy", "diff"] {
        let output = run(&[name, "-f", bomb.to_str().expect("a path")], b"");
        assert_eq!(output.status.code(), Some(2), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn what_is_no_file_of_text_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let folder = folder.path().to_str().expect("a path").to_string();
    let [pipe, socket] = [pipe, socket].map(|path| path.to_str().expect("a path").to_string());
    for (path, part) in [
        ("/dev/zero", "is a device"),
        ("/dev/null", "is a device"),
        (&pipe, "is a named pipe"),
        (&socket, "is a socket"),
        (&folder, "Is a directory"),
        ("/dev/fd/0", "no AIPlatform in"),
    ] {
        for arguments in [vec!["plan", "-f", path], vec!["plan", "-f", EXAMPLE, "--guardrails", path]] {
            let output = run(&arguments, b"");
            let complaint = text(&output.stderr);
            assert_eq!((output.status.code(), complaint.lines().count()), (Some(2), 1), "{arguments:?}: {complaint}");
            assert!(complaint.contains(part) || path == "/dev/fd/0", "{arguments:?}: {complaint}");
        }
    }
}

#[test]
fn five_hundred_platforms_are_read_together() {
    let example = std::fs::read_to_string(EXAMPLE).expect("the example");
    assert!(example.contains("name: assistant\n"), "{example}");
    let platforms =
        (0..500).map(|index| example.replacen("name: assistant\n", &format!("name: assistant-{index}\n"), 1));
    let all = file(&platforms.collect::<Vec<_>>().join("---\n"));
    let all = all.to_str().expect("a path");
    for arguments in
        [vec!["plan", "-f", all], vec!["plan", "-o", "json", "-f", all], vec!["audit", "-o", "html", "-f", all]]
    {
        let output = run(&arguments, b"");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
        assert!(text(&output.stdout).contains("assistant-499"), "{arguments:?}");
    }
    let plans: Value = serde_json::from_slice(&run(&["plan", "-o", "json", "-f", all], b"").stdout).expect("JSON");
    assert_eq!(plans["platforms"].as_array().map(Vec::len), Some(500));
}

/// Repaints a terminal, makes a line of its own, turns the direction of writing, and hides.
const NASTY: &str =
    "a\u{1b}[2J\u{1b}[31mFAKE\n  + create    Role \u{85}\u{9b}1m\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\r\tz";

/// A platform with that wherever text is free, as JSON: YAML has no way to say it but escapes.
fn hostile() -> Value {
    let mut wanted = spec(json!([{
        "name": "weights",
        "lifecycle": {"rules": [{"id": "a", "filter": {"prefix": NASTY, "tags": {NASTY: NASTY}}, "expiration": {"days": 9}}]},
    }]));
    wanted["models"] = json!([{"name": "rank", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
        "modelData": {"bucket": "weights", "key": format!("{NASTY}.tar.gz")},
        "environment": {"A": NASTY},
        "instance": {"type": "ml.m5.large"},
        "async": {"output": {"bucket": "weights", "prefix": format!("{NASTY}/")}},
        "rollout": {"rollbackAlarms": [NASTY]},
    }}]);
    wanted["access"] = json!([{"name": "people", "principalArns": ["arn:aws:iam::123456789012:role/people"],
        "models": ["rank"], "buckets": [{"name": "weights", "prefix": NASTY}]}]);
    wanted
}

fn object(spec: &Value) -> String {
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": "nasty"}, "spec": spec});
    printable_json(&object.to_string()).into_owned()
}

fn check_seen(what: &str, written: &str) {
    let hidden = written.chars().find(|character| *character != '\n' && is_hidden(*character));
    assert_eq!(hidden, None, "{what}: {written}");
    assert!(!written.contains("\n  + create    Role \\u"), "{what} has a line that a value made: {written}");
}

#[test]
fn everything_that_a_command_writes_is_seen() {
    let hostile = file(&object(&hostile()));
    let path = hostile.to_str().expect("a path");
    for (arguments, code) in [
        (vec!["plan", "-f", path], 0),
        (vec!["plan", "-o", "json", "-f", path], 0),
        (vec!["audit", "-f", path], 0),
        (vec!["audit", "-o", "json", "-f", path], 0),
        (vec!["audit", "-o", "html", "-f", path], 0),
        (vec!["operator-policy", "-f", path], 0),
    ] {
        let output = run(&arguments, b"");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        check_seen(&format!("{arguments:?}"), &text(&output.stdout));
        if !arguments.contains(&"operator-policy") {
            let shown = if arguments.contains(&"json") { "\\u202e" } else { "\\u{202e}" };
            assert!(text(&output.stdout).contains(shown), "{arguments:?} does not show it");
        }
    }
    // JSON says the same all the same.
    let plan: Value = serde_json::from_slice(&run(&["plan", "-o", "json", "-f", path], b"").stdout).expect("JSON");
    assert!(plan.to_string().contains(&json!(NASTY).to_string()[1..20]), "{plan}");

    let mut wrong = String::new();
    for field in ["region", NASTY] {
        let mut spec = hostile_field(field);
        spec["tags"] = json!({NASTY: NASTY});
        writeln!(wrong, "{}\n---", object(&spec)).expect("written");
    }
    let wrong = file(&wrong.replace("\"nasty\"", &json!(NASTY).to_string()));
    let folder = tempfile::tempdir().expect("a folder");
    let nasty_name = folder.path().join("a\u{1b}[2J\u{202e}.yaml");
    std::fs::copy(&wrong, &nasty_name).expect("copied");
    for path in [wrong.to_str().expect("a path"), nasty_name.to_str().expect("a path"), "\u{1b}[2J"] {
        for arguments in [vec!["plan", "-f", path], vec!["plan", "-f", EXAMPLE, "--guardrails", path]] {
            let output = run(&arguments, b"");
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            check_seen(&format!("{arguments:?}"), &text(&output.stderr));
        }
    }
}

/// A platform in which one field is wrong.
fn hostile_field(field: &str) -> Value {
    let mut wanted = hostile();
    wanted[field] = json!(NASTY);
    wanted
}

#[tokio::test]
async fn everything_that_the_operator_writes_is_seen() {
    let env = TestEnv::new("nasty").await;
    let mut wanted = hostile();
    wanted["models"][0]["sagemaker"]["environment"] = json!({NASTY: "value"});
    env.cluster.kubectl(&["create", "-n", &env.namespace, "-f", "-"], &object(&wanted)).expect("it is taken");
    let message = env.wait_stalled("nasty", "InvalidSpec").await;
    assert!(message.contains("is not the name of a variable"), "{message}");
    let status = env.api().get("nasty").await.expect("it").status.expect("a status");
    check_seen("the status", &json!(status).to_string().replace("\\n", "\n"));
    assert!(!condition(&status, "Stalled").expect("it").message.contains('\n'));
    for (reason, note) in env.events("nasty").await {
        check_seen(&reason, &note);
    }

    // What AWS answers is as little to be trusted.
    let error = json!({"code": "InvalidArgument", "status": 400, "message": NASTY});
    env.aws.control("faults", json!({"service": "s3", "operation": "CreateBucket", "times": 50, "error": error}));
    env.apply("other", &spec(json!([{"name": "weights"}]))).await;
    let object =
        env.wait_for("other", "told of", |status| status.resources.iter().any(|it| it.message.is_some())).await;
    check_seen("the status", &json!(object.status).to_string().replace("\\n", "\n"));
    check_seen("the log", &env.operator.log());
}
