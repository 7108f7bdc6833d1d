//! `crd`, `plan` and `diff` as users run them.

use std::process::Output;

use serde_json::Value;

use crate::support::operator::command;
use crate::support::test_env::{TestEnv, environment};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/storage.yaml");

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_definition_in_the_repository_is_the_one_the_code_makes() {
    let kept =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/crds/aiplatform.yaml")).expect("it is there");
    assert_eq!(text(&run(&["crd"]).stdout), kept, "run: make generate");
}

#[test]
fn every_example_can_be_planned() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).expect("examples") {
        let path = entry.expect("an example").path();
        if path.is_dir() {
            continue;
        }
        let output = run(&["plan", "-o", "json", "-f", path.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), text(&output.stderr));
        let plans: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for plan in plans["platforms"].as_array().expect("platforms") {
            let steps = plan["steps"].as_array().expect("steps");
            // What is borrowed from another platform is taken to be there.
            let borrowed =
                steps.iter().filter(|step| step["kind"] == "VpcEndpoint" && step["action"] == "Keep").count();
            assert_eq!(plan["summary"]["create"], steps.len() - borrowed);
            for (index, step) in steps.iter().enumerate() {
                for need in step["needs"].as_array().expect("needs") {
                    let earlier = &steps[..index];
                    assert!(earlier.iter().any(|step| step["kind"] == need["kind"] && step["name"] == need["name"]));
                }
            }
        }
    }
}

#[test]
fn the_example_for_many_teams_is_within_its_guardrails_and_they_hold_others_back() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let guardrails = format!("{folder}/guardrails/multi-tenant.yaml");
    let plan = |file: &str| run(&["plan", "--guardrails", &guardrails, "-f", &format!("{folder}/{file}")]);
    let within = plan("multi-tenant.yaml");
    assert_eq!(within.status.code(), Some(0), "{}", text(&within.stderr));
    let without_a_rule = plan("storage.yaml");
    let complaint = text(&without_a_rule.stderr);
    assert_eq!(without_a_rule.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("namespace"), "{complaint}");
}

#[test]
fn a_plan_is_the_same_every_time() {
    let plan = || run(&["plan", "-o", "json", "-f", EXAMPLE]).stdout;
    assert_eq!(plan(), plan());
}

#[test]
fn missing_things_are_named_in_one_line() {
    for (arguments, part) in [
        (vec!["diff", "-f", EXAMPLE], "KUBECONFIG"),
        (vec!["run"], "KUBECONFIG"),
        (vec!["plan", "-f", "no-such-file.yaml"], "no-such-file.yaml"),
    ] {
        let output = run(&arguments);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert_eq!(complaint.trim_end().lines().count(), 1, "{complaint}");
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[test]
fn a_clusters_name_that_would_be_a_pattern_is_refused_by_every_command() {
    for subcommand in
        [vec!["run"], vec!["operator-policy"], vec!["diff", "-f", EXAMPLE], vec!["audit", "--live", "-f", EXAMPLE]]
    {
        for name in ["*", "p*", "${aws:username}", "prod/ml", ""] {
            let output = run(&[subcommand.clone(), vec!["--cluster-name", name]].concat());
            let complaint = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{subcommand:?} {name}: {complaint}");
            assert!(complaint.contains("--cluster-name") && complaint.contains("owner tags"), "{complaint}");
            assert!(output.stdout.is_empty());
        }
    }
}

#[tokio::test]
async fn diff_reports_what_would_change_and_changes_nothing() {
    let env = TestEnv::new("diff").await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let example = std::fs::read_to_string(EXAMPLE).expect("the example");
    std::fs::write(file.path(), example.replace("namespace: support", &format!("namespace: {}", env.namespace)))
        .expect("written");
    let path = file.path().to_str().expect("a path");
    let diff = || {
        let arguments = ["diff", "--s3-path-style", "--cluster-name", "tests", "-o", "json", "-f", path];
        command().args(arguments).envs(environment(env.cluster, &env.aws)).output().expect("it runs")
    };
    let before = diff();
    assert_eq!(before.status.code(), Some(1), "{}", text(&before.stderr));
    assert_eq!(env.aws.writes_since(0), Vec::<String>::new());

    env.cluster.kubectl(&["apply", "-f", path], "").expect("applied");
    let object = env.wait_ready("assistant").await;
    let after = diff();
    assert_eq!(after.status.code(), Some(0), "{}", text(&after.stderr));

    let bucket = &object.status.expect("a status").resources[0].name;
    env.aws.s3().delete_bucket_lifecycle().bucket(bucket).send().await.expect("it goes");
    let drifted = diff();
    assert_eq!(drifted.status.code(), Some(1));
    let plans: Value = serde_json::from_slice(&drifted.stdout).expect("JSON");
    assert_eq!(plans["platforms"][0]["summary"]["update"], 1);
    let fields = plans["platforms"][0]["steps"][0]["fields"].to_string();
    assert!(fields.contains("lifecycle.drop-old-versions"), "{fields}");

    env.aws.control("deny", serde_json::json!({"action": "s3:GetBucketTagging"}));
    let denied = diff();
    assert_eq!(denied.status.code(), Some(2));
    assert!(text(&denied.stderr).contains("s3:GetBucketTagging"), "{}", text(&denied.stderr));
}

#[tokio::test]
async fn diff_without_credentials_says_what_to_set() {
    let env = TestEnv::new("no-credentials").await;
    let output = command()
        .args(["diff", "--cluster-name", "tests", "-f", EXAMPLE])
        .envs([("KUBECONFIG", env.cluster.kubeconfig()), ("AWS_ENDPOINT_URL", env.aws.url())])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(complaint.contains("AWS_PROFILE"), "{complaint}");
    assert_eq!(complaint.trim_end().lines().count(), 1, "{complaint}");
}

#[test]
fn output_that_cannot_be_written_is_an_error_whatever_the_command() {
    let audit = |format: &'static str| vec!["audit", "-f", EXAMPLE, "-o", format];
    for arguments in [
        vec!["crd"],
        vec!["plan", "-f", EXAMPLE],
        vec!["plan", "-f", EXAMPLE, "-o", "json"],
        audit("text"),
        audit("json"),
        audit("html"),
        vec!["operator-policy"],
        vec!["operator-policy", "-f", EXAMPLE],
        vec!["--help"],
        vec!["--version"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
        let output = command().args(&arguments).stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let reported = text(&output.stderr);
        assert_eq!(reported.matches("the output cannot be written").count(), 1, "{arguments:?}: {reported}");
        assert!(reported.contains("No space left on device"), "{arguments:?}: {reported}");

        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command().args(&arguments).stdout(writer).output().expect("it runs");
        let reported = text(&output.stderr);
        assert!(!reported.contains("written"), "{arguments:?}: a reader that went away is no error: {reported}");
        assert_ne!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_difference_that_cannot_be_written_is_an_error() {
    let env = TestEnv::new("full").await;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let arguments = ["diff", "--s3-path-style", "--cluster-name", "tests", "-f", EXAMPLE];
    let run = command().args(arguments).envs(environment(env.cluster, &env.aws)).stdout(full).output();
    let output = run.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("the output cannot be written"), "{}", text(&output.stderr));
}

/// A kubeconfig whose user has these credentials.
fn kubeconfig(user: &Value) -> tempfile::TempPath {
    let text = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{"name": "away", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "somebody"}}],
        "users": [{"name": "somebody", "user": user}],
    });
    crate::support::test_env::file(&text.to_string())
}

#[test]
fn credentials_that_no_header_can_hold_are_bad_input() {
    let answer =
        r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "a\\nb"}}"#;
    let plugin = serde_json::json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "printf",
        "args": ["%s", answer.replace("\\\\", "\\")], "interactiveMode": "Never"}});
    let users = [serde_json::json!({"token": "abc\n"}), serde_json::json!({"token": "a\u{1b}c"}), plugin];
    for user in users {
        let path = kubeconfig(&user);
        for arguments in [vec!["run", "--cluster-name", "x"], vec!["diff", "--cluster-name", "x", "-f", EXAMPLE]] {
            let output = command().args(&arguments).env("KUBECONFIG", &path).output().expect("it runs");
            let reported = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?} {user}: {reported}");
            let lines: Vec<&str> = reported.lines().filter(|line| line.starts_with("aiplatform: ")).collect();
            assert!(lines.len() == 1 && lines[0].contains("control character"), "{reported}");
            assert!(!reported.contains("panicked"), "{reported}");
        }
    }
}

/// What the operator logs first on a terminal.
fn logged_on_a_terminal(environment: &[(&str, &str)]) -> String {
    const READ: &str = "import os, pty, signal, sys\n\
        child, terminal = pty.fork()\n\
        if child == 0: os.execv(sys.argv[1], sys.argv[1:])\n\
        text = b''\n\
        while text.count(b'\\n') < 2: text += os.read(terminal, 4096)\n\
        os.kill(child, signal.SIGKILL)\n\
        sys.stdout.buffer.write(text)\n";
    let path = kubeconfig(&serde_json::json!({"token": "none"}));
    let output = std::process::Command::new("python3")
        .args([
            "-c",
            READ,
            env!("CARGO_BIN_EXE_aiplatform"),
            "run",
            "--http-addr",
            "127.0.0.1:0",
            "--cluster-name",
            "x",
        ])
        .env_remove("NO_COLOR")
        .env("KUBECONFIG", &path)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied())
        .output()
        .expect("python runs");
    text(&output.stdout)
}

#[test]
fn the_log_is_coloured_on_a_terminal_unless_that_is_unwanted() {
    let coloured = logged_on_a_terminal(&[]);
    assert!(coloured.contains("\u{1b}[") && coloured.contains("INFO"), "{coloured:?}");
    let plain = logged_on_a_terminal(&[("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}') && plain.contains("INFO"), "{plain:?}");
}

#[test]
fn every_command_and_option_is_completed_in_each_shell() {
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef aiplatform"), ("fish", "complete -c aiplatform")] {
        let output = run(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let script = text(&output.stdout);
        for part in [mark, "operator-policy", "install-check", "role-arn", "guardrails", "transition-poll", "html"] {
            assert!(script.contains(part), "{part} in the script for {shell}");
        }
        // Where the shell is there, it is the judge.
        let checked = std::process::Command::new(shell)
            .args(["-n", "/dev/stdin"])
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn();
        let Ok(mut process) = checked else { continue };
        let mut input = process.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut input, script.as_bytes()).expect("it reads");
        drop(input);
        let output = process.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
    }
    let output = run(&["completion", "tcsh"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("bash, zsh, fish"), "{}", text(&output.stderr));
}

#[test]
fn every_help_has_examples_of_options_that_there_are() {
    let commands = ["run", "crd", "plan", "diff", "audit", "operator-policy", "install-check", "completion"];
    for command in commands {
        let help = text(&run(&[command, "--help"]).stdout);
        let (options, examples) = help.split_once("\nExample").unwrap_or_else(|| panic!("{command} has no examples"));
        let lines = examples.lines().filter(|line| line.contains(&format!("aiplatform {command}")));
        let mut words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        assert!(!words.is_empty(), "{command}");
        words.retain(|word| word.starts_with("--") && !["--server-side"].contains(word));
        for word in words {
            assert!(options.contains(word), "{command} {word}");
        }
    }
    let help = text(&run(&["--help"]).stdout);
    assert!(commands.iter().all(|command| help.contains(command)), "{help}");
    assert!(help.contains("Examples:"), "{help}");
}

#[tokio::test]
async fn as_a_plugin_of_kubectl_it_is_called_as_people_call_it() {
    let env = TestEnv::new("plugin").await;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("kubectl-aiplatform");
    std::os::unix::fs::symlink(command().get_program(), &plugin).expect("a link");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a path"));
    let output = env.cluster.kubectl_with(&[("PATH", &path)], &["aiplatform", "plan", "-f", EXAMPLE]);
    assert!(output.expect("it runs").contains("2 to create"));
    let complaint = env.cluster.kubectl_with(&[("PATH", &path)], &["aiplatform", "plan"]).expect_err("no file");
    assert!(complaint.contains("Usage: kubectl aiplatform plan"), "{complaint}");
}
