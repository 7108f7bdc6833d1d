use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

/// A model with these fields beside its engine and a repository on the Hub.
fn spec(engine: &str, fields: Value) -> Kubernetes {
    let mut spec = json!({"engine": engine, "source": {"huggingFace": {"repo": "Qwen/Qwen3-8B"}}});
    let Value::Object(fields) = fields else { panic!("fields are an object: {fields}") };
    for (field, value) in fields {
        spec[field] = value;
    }
    serde_json::from_value(spec).expect("the spec parses")
}

fn contained(spec: &Kubernetes) -> Container {
    let hub = spec.source.as_ref().and_then(|source| source.hugging_face.as_ref());
    let weights = match hub {
        Some(hub) => Weights::Hub { repo: &hub.repo, revision: hub.revision.as_deref() },
        None if spec.source.is_none() => Weights::InImage,
        None => Weights::Folder(MODEL_FOLDER),
    };
    container(&Input { spec, model: "chat", weights })
}

fn args(engine: &str, fields: Value) -> String {
    contained(&spec(engine, fields)).args.join(" ")
}

fn found(engine: &str, fields: Value) -> Vec<String> {
    let found = problems(&spec(engine, fields), "spec.models[2].kubernetes");
    found.iter().map(ToString::to_string).collect()
}

mod vllm_tests {
    use super::*;

    #[test]
    fn vllm_splits_the_model_among_all_gpus_unless_the_arguments_say_otherwise() {
        let cases: [(i32, &[&str], Option<&str>); 16] = [
            (0, &[], None),
            (1, &[], None),
            (4, &[], Some("4")),
            (4, &["--max-model-len", "8192"], Some("4")),
            (4, &["--tensor-parallel-size", "2"], None),
            (4, &["--tensor-parallel-size=2"], None),
            (4, &["--tensor_parallel_size", "2"], None),
            (4, &["--tensor_parallel-size=2"], None),
            (4, &["--tensor-par", "2"], None),
            (4, &["-tp", "2"], None),
            (4, &["-tp=2"], None),
            (4, &["-pp", "2"], Some("2")),
            (8, &["--pipeline-parallel-size=2", "--data_parallel_size", "2"], Some("2")),
            (4, &["-dp", "4"], None),
            (4, &["--data-parallel-size", "8", "--data-parallel-size-local", "2"], None),
            (4, &["--seed", "-1", "--kv-cache-dtype", "fp8"], Some("4")),
        ];
        for (gpus, user, expected) in cases {
            let args = args("VLLM", json!({"resources": {"gpus": gpus}, "args": user}));
            let ours = args.strip_suffix(&user.join(" ")).expect("the user's arguments come last");
            let found = ours.split(' ').skip_while(|word| *word != "--tensor-parallel-size").nth(1);
            assert_eq!(found, expected, "{gpus} {user:?}: {args}");
        }
    }

    #[test]
    fn vllm_refuses_arguments_that_are_not_the_users_to_set_in_every_spelling() {
        let cases: [(&[&str], usize, &str); 24] = [
            (&["--served-model-name", "x"], 0, "use servedName"),
            (&["--enforce-eager", "--served_model_name=x"], 1, "use servedName"),
            (&["--served", "x"], 0, "\"--served\" can stand for --served-model-name, which is set by aiplatform"),
            (&["--port", "9"], 0, "the port is 8000"),
            (&["--por=9"], 0, "can stand for --port"),
            (&["--model", "x"], 0, "name the model in source"),
            (&["other/model"], 0, "vLLM would take it for the model"),
            (&["--seed=1", "other/model"], 1, "vLLM would take it for the model"),
            (&["--", "other/model"], 0, "positional"),
            (&["--api-key", "sk-1"], 0, "apiKeySecretRef"),
            (&["--api_key=sk-1"], 0, "\"--api_key\" would show"),
            (&["--hf-token", "hf_1"], 0, "tokenSecretRef"),
            (&["--hf-token=hf_1"], 0, "\"--hf-token\" would show"),
            (&["--download-dir=/x"], 0, "/cache"),
            (&["--download_dir", "/x"], 0, "/cache"),
            (&["--revision", "main"], 0, "source.huggingFace.revision"),
            (&["--config", "c.yaml"], 0, "write its settings as args"),
            (&["--conf=c.yaml"], 0, "write its settings as args"),
            (&["--shutdown-timeout", "9"], 0, "grace period"),
            (&["--uds", "/x"], 0, "without the HTTP server"),
            (&["--headless"], 0, "without the HTTP server"),
            (&["--grpc"], 0, "without the HTTP server"),
            (&["--ssl-certfile", "/x"], 0, "plain HTTP"),
            (&["--served-model-name.x", "y"], 0, "use servedName"),
        ];
        for (user, index, message) in cases {
            let found = found("VLLM", json!({"args": user}));
            let path = format!("spec.models[2].kubernetes.args[{index}]: ");
            assert!(
                found.iter().any(|problem| problem.starts_with(&path) && problem.contains(message)),
                "{user:?}: {found:?}"
            );
            assert!(found.iter().all(|problem| !problem.contains("sk-1") && !problem.contains("hf_1")), "{found:?}");
        }
    }

    #[test]
    fn a_flag_that_a_variable_names_is_refused() {
        for user in ["$(FLAG)", "--$(FLAG)", "--po$(REST)=9", "-$(FLAG)"] {
            let found = found("VLLM", json!({"args": ["--enforce-eager", user]}));
            assert!(found.len() == 1 && found[0].contains("args[1]: ") && found[0].contains("any flag"), "{found:?}");
        }
        assert_eq!(
            found("VLLM", json!({"args": ["--chat-template=$(TEMPLATE)", "--x", "a$(Y)"]})),
            Vec::<String>::new()
        );
    }

    #[test]
    fn vllm_takes_arguments_that_only_resemble_those_that_are_refused() {
        for user in [
            &["--config-format", "hf"][..],
            &["--model-impl", "auto"],
            &["--tokenizer-revision", "main", "--code-revision=main"],
            &["--lora-modules", "a=/x", "b=/y"],
            &["--max-model-len", "8192", "--seed", "-1"],
            &["--chat-template", "{{ port }} --port"],
            &["--host", "::"],
            &["-O3", "-q", "awq"],
            &["--disable-log-stats"],
        ] {
            assert_eq!(found("VLLM", json!({"args": user})), Vec::<String>::new(), "{user:?}");
        }
    }

    #[test]
    fn vllm_keeps_the_metrics_that_autoscaling_follows() {
        let scaling = |target: Value| json!({"minReplicas": 1, "maxReplicas": 2, "target": target});
        let fields = |target| json!({"args": ["--disable-log-stats"], "autoscaling": scaling(target)});
        assert_eq!(found("VLLM", fields(json!({"cpuPercent": 70}))), Vec::<String>::new());
        for target in [json!({"queueDepth": 5}), json!({"concurrentRequests": 5})] {
            let found = found("VLLM", fields(target));
            assert!(found.len() == 1 && found[0].contains("scale by cpuPercent"), "{found:?}");
        }
    }

    #[test]
    fn vllm_needs_a_gpu_for_each_rank() {
        let cases: [(i32, &[&str], Option<&str>); 9] = [
            (1, &["-tp", "2"], Some("1 is less than the 2 GPUs")),
            (4, &["-tp", "4", "-pp", "2"], Some("4 is less than the 8 GPUs")),
            (4, &["-pp", "3"], Some("4 cannot be divided by the 3 ranks")),
            (4, &["-dp", "8"], Some("4 cannot be divided by the 8 ranks")),
            (4, &["-dp", "2", "--pipeline-parallel-size", "2"], None),
            (4, &["-tp", "2"], None),
            (4, &["-tp", "many"], None),
            (0, &["-tp", "2"], None),
            (4, &["-dp", "8", "-dpl", "4"], None),
        ];
        for (gpus, user, expected) in cases {
            let found = found("VLLM", json!({"resources": {"gpus": gpus}, "args": user}));
            let path = "spec.models[2].kubernetes.resources.gpus: ";
            match expected {
                Some(message) => assert!(
                    found.len() == 1 && found[0].starts_with(path) && found[0].contains(message),
                    "{user:?}: {found:?}"
                ),
                None => assert_eq!(found, Vec::<String>::new(), "{user:?}"),
            }
        }
    }

    #[test]
    fn vllm_refuses_variables_that_are_not_the_users_to_set() {
        let refused = [
            "HOME",
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_HOME",
            "HF_HUB_CACHE",
            "VLLM_API_KEY",
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
            "VLLM_NO_USAGE_STATS",
            "VLLM_USE_MODELSCOPE",
        ];
        for name in refused {
            let env = json!([{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}, {"name": name, "value": "hf_1"}]);
            let found = found("VLLM", json!({"env": env}));
            let path = format!("spec.models[2].kubernetes.env[1].name: \"{name}\" ");
            assert!(found.len() == 1 && found[0].starts_with(&path) && !found[0].contains("hf_1"), "{found:?}");
        }
    }
}

/// The flags and variables of vLLM's release as it lists them, written by `tests/engines/oracles/vllm_release.py`.
#[derive(serde::Deserialize)]
struct Release {
    version: String,
    flags: Vec<ReleaseFlag>,
    metrics: Vec<String>,
    routes: Vec<String>,
    variables: Vec<String>,
}

#[derive(serde::Deserialize)]
struct ReleaseFlag {
    names: Vec<String>,
    nargs: Option<Value>,
}

impl Release {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../../../tests/engines/vllm.json")).expect("the vector parses")
    }

    fn flag(&self, name: &str) -> Option<&ReleaseFlag> {
        self.flags.iter().find(|flag| flag.names.iter().any(|known| known == name))
    }
}

#[test]
fn the_release_of_vllm_knows_every_flag_that_is_set_and_every_one_that_is_refused() {
    let release = Release::read();
    for image in [vllm::IMAGE, vllm::CPU_IMAGE] {
        let tag = image.split('@').next().expect("an image").rsplit(':').next();
        assert_eq!(tag, Some(format!("v{}", release.version).as_str()), "the vector is of the image's release");
    }
    for (name, container) in containers("VLLM", &json!({"apiKeySecretRef": {"name": "keys", "key": "chat"}})) {
        let mut args = container.args.iter().skip(1);
        while let Some(flag) = args.next() {
            let known = release.flag(flag).unwrap_or_else(|| panic!("{name}: {flag}"));
            assert_ne!(known.nargs, Some(json!(0)), "{name}: {flag} takes a value");
            assert!(args.next().is_some_and(|value| !value.starts_with('-')), "{name}: {flag}");
        }
        for variable in container.env.iter().filter(|variable| variable.name.starts_with("VLLM_")) {
            assert!(release.variables.contains(&variable.name), "{name}: {}", variable.name);
        }
    }
    for flag in vllm::known_flags() {
        assert!(release.flag(flag).is_some(), "{flag}");
    }
    for variable in vllm::REFUSED_VARIABLES {
        assert!(release.variables.iter().any(|known| known == variable.name), "{}", variable.name);
    }
}

#[test]
fn no_other_flag_of_vllm_is_taken_for_one_that_is_refused() {
    let refused = vllm::refused_flags();
    for flag in Release::read().flags.iter().flat_map(|flag| &flag.names).filter(|name| name.starts_with("--")) {
        let user = format!("{flag}=1");
        let found = found("VLLM", json!({"args": [user], "resources": {"gpus": 64}}));
        assert_eq!(found.is_empty(), !refused.contains(&flag.as_str()), "{flag}: {found:?}");
    }
}

#[test]
fn the_release_of_vllm_has_the_routes_and_metrics_that_are_relied_on() {
    let release = Release::read();
    let container = contained(&spec("VLLM", json!({})));
    let Check::Path(health) = container.liveness.check else { panic!("vLLM is asked over HTTP") };
    let metrics = container.metrics.expect("vLLM has metrics").path;
    let api = container.api_path;
    for route in [
        format!("GET {health}"),
        format!("GET {metrics}"),
        format!("GET {api}/models"),
        format!("POST {api}/chat/completions"),
    ] {
        assert!(release.routes.contains(&route), "{route}");
    }
    for name in [vllm::QUEUE_METRICS.waiting, vllm::QUEUE_METRICS.running] {
        assert!(release.metrics.iter().any(|metric| metric == name), "{name}");
    }
}

/// The rules of an engine as a table.
fn table(flags: &[&arguments::Refused], variables: &[environment::Refused]) -> String {
    let names = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let flags = flags.iter().map(|rule| (names(rule.names), rule.why));
    let variables = variables.iter().map(|rule| (names(&[rule.name]), rule.why));
    let rows = flags.chain(variables).map(|(names, why)| format!("| {names} | {why} |\n"));
    format!("| flag or variable | why, and what to do |\n|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_page_about_engines_says_what_is_set_and_what_is_refused() {
    let page = std::fs::read_to_string(format!("{}/docs/engines.md", crate::testing::REPOSITORY)).expect("the page");
    let refused = |flags: &'static [arguments::Refused]| flags.iter().collect::<Vec<_>>();
    let tables = [
        table(&[], &environment::HUGGING_FACE),
        table(&[&refused(&vllm::REFUSED)[..], &[&vllm::NO_METRICS]].concat(), &vllm::REFUSED_VARIABLES),
        table(&refused(&tgi::REFUSED), &tgi::REFUSED_VARIABLES),
        table(&refused(&torchserve::REFUSED), &torchserve::REFUSED_VARIABLES),
        table(&[], &custom::REFUSED_VARIABLES),
    ];
    let mut parts = tables.to_vec();
    let user = json!({"image": "example.com/server:1", "source": {"pvc": {"claimName": "weights"}}});
    for (engine, name) in [("VLLM", "vLLM"), ("TGI", "TGI"), ("TorchServe", "TorchServe"), ("Custom", "Custom")] {
        let cells = |gpus: i32| {
            let mut spec = spec(engine, user.clone());
            spec.resources.gpus = gpus;
            if engine != "Custom" {
                spec.image = None;
            }
            contained(&spec)
        };
        let (with_gpus, without) = (cells(1), cells(0));
        let image = |container: &Container| match engine {
            "Custom" => "–".into(),
            _ => format!("`{}`", container.image.split('@').next().expect("an image")),
        };
        let account = |container: &Container| match (container.user, container.run_as_non_root) {
            (Some(user), true) => format!("{}:{}", user.uid, user.gid),
            (None, true) => "the image's, not root".into(),
            (_, false) => "the image's".into(),
        };
        let root = |container: &Container| if container.read_only_root { "read-only" } else { "writable" };
        let metrics = with_gpus.metrics.map_or("–".into(), |metrics| format!("`:{}{}`", metrics.port, metrics.path));
        let queue = queue_metrics(engine_named(engine))
            .map_or("–".into(), |queue| format!("`{}`, `{}`", queue.waiting, queue.running));
        let row = format!(
            "| {name} | {} | {} | `:{}{}` | {metrics} | {queue} | {} / {} | {} / {} | {} + {} s |",
            image(&with_gpus),
            image(&without),
            with_gpus.port,
            with_gpus.api_path.replace("chat", "NAME"),
            account(&with_gpus),
            account(&without),
            root(&with_gpus),
            root(&without),
            with_gpus.pre_stop_seconds,
            with_gpus.termination_grace_seconds - with_gpus.pre_stop_seconds,
        );
        parts.push(row);
    }
    parts.retain(|part| !page.contains(part));
    assert!(
        parts.is_empty(),
        "docs/engines.md lacks:
{}",
        parts.join(
            "

"
        )
    );
}

fn engine_named(name: &str) -> Engine {
    serde_json::from_value(json!(name)).expect("an engine")
}

#[test]
fn devices_that_are_not_nvidias_need_an_image_of_their_own() {
    let fields = |resource: &str, gpus: i32| json!({"resources": {"gpus": gpus, "gpuResource": resource}});
    for engine in ["VLLM", "TGI"] {
        let found = found(engine, fields("amd.com/gpu", 1));
        assert!(found.len() == 1 && found[0].starts_with("spec.models[2].kubernetes.image: "), "{found:?}");
    }
    for (resource, gpus) in [("nvidia.com/gpu", 1), ("nvidia.com/mig-1g.5gb", 1), ("amd.com/gpu", 0)] {
        assert_eq!(found("VLLM", fields(resource, gpus)), Vec::<String>::new(), "{resource}");
    }
    let mut own = fields("amd.com/gpu", 1);
    own["image"] = json!("example.com/vllm-rocm:1");
    assert_eq!(found("VLLM", own), Vec::<String>::new());
}

#[test]
fn tgi_makes_one_shard_for_each_gpu_unless_the_user_says_otherwise() {
    let cases: [(i32, &[&str], Value, bool); 7] = [
        (0, &[], json!([]), false),
        (1, &[], json!([]), false),
        (4, &[], json!([]), true),
        (4, &["--num-shard", "2"], json!([]), false),
        (4, &["--num-shard=2"], json!([]), false),
        (4, &["--sharded", "false"], json!([]), false),
        (4, &[], json!([{"name": "NUM_SHARD", "value": "2"}]), false),
    ];
    for (gpus, user, env, expected) in cases {
        let args = args("TGI", json!({"resources": {"gpus": gpus}, "args": user, "env": env}));
        assert_eq!(args.contains(&format!("--num-shard {gpus}")), expected, "{gpus} {user:?}: {args}");
    }
    let found = found("TGI", json!({"resources": {"gpus": 2}, "args": ["--num-shard", "4"]}));
    assert_eq!(
        found,
        [
            "spec.models[2].kubernetes.resources.gpus: 2 is less than the 4 GPUs that --num-shard takes: each shard needs one"
        ]
    );
}

#[test]
fn tgi_listens_on_the_address_that_the_user_names_or_on_all() {
    assert!(args("TGI", json!({})).contains("--hostname 0.0.0.0"));
    assert!(!args("TGI", json!({"args": ["--hostname", "::"]})).contains("0.0.0.0"));
}

#[test]
fn other_engines_refuse_arguments_that_are_not_the_users_to_set() {
    let cases: [(&str, &[&str], &str); 18] = [
        ("TGI", &["--model-id", "x"], "name the model in source"),
        ("TGI", &["--model-id=x"], "name the model in source"),
        ("TGI", &["--port", "9"], "the port is 8000"),
        ("TGI", &["-p", "9"], "the port is 8000"),
        ("TGI", &["-p9"], "the port is 8000"),
        ("TGI", &["--api-key=sk-1"], "apiKeySecretRef"),
        ("TGI", &["--usage-stats", "on"], "statistics"),
        ("TGI", &["--ngrok"], "the whole internet"),
        ("TGI", &["--ngrok-authtoken=sk-1"], "the whole internet"),
        ("TGI", &["--huggingface-hub-cache", "/x"], "/cache"),
        ("TGI", &["x"], "TGI takes none"),
        ("TorchServe", &["--models", "all"], "NAME.mar"),
        ("TorchServe", &["--model-s", "/x"], "NAME.mar"),
        ("TorchServe", &["--ts-config=/x"], "TS_JOB_QUEUE_SIZE"),
        ("TorchServe", &["--stop"], "foreground"),
        ("TorchServe", &["--foreground"], "foreground"),
        ("TorchServe", &["--dt"], "no tokens"),
        ("TorchServe", &["more.mar"], "one more model"),
    ];
    let source = json!({"pvc": {"claimName": "weights"}});
    for (engine, user, message) in cases {
        let found = found(engine, json!({"args": user, "source": source}));
        assert!(found.len() == 1 && found[0].contains(message), "{engine} {user:?}: {found:?}");
        assert!(found[0].starts_with("spec.models[2].kubernetes.args[0]: ") && !found[0].contains("sk-1"), "{found:?}");
    }
    for (engine, user) in [
        ("TGI", &["--max-input-tokens", "1024", "--cuda-graphs=1,2", "--env", "-e"][..]),
        ("TorchServe", &["--log-config", "/x", "--enable-model-api", "--ppath", "/x"]),
        ("Custom", &["anything", "--port", "1", "--model"]),
    ] {
        assert_eq!(found(engine, json!({"args": user, "source": source})), Vec::<String>::new(), "{engine}");
    }
}

#[test]
fn other_engines_refuse_variables_that_are_not_the_users_to_set() {
    let names = [
        ("TGI", &["MODEL_ID", "PORT", "HOSTNAME", "API_KEY", "HF_TOKEN", "USAGE_STATS", "NGROK"][..]),
        ("TorchServe", &["TS_INFERENCE_ADDRESS", "TS_MANAGEMENT_ADDRESS", "TS_CONFIG_FILE", "TEMP", "TS_LOAD_MODELS"]),
        ("Custom", &["PORT", "MODEL_PATH", "API_KEY", "HF_TOKEN", "HOME"]),
    ];
    for (engine, names) in names {
        for name in names {
            let found = found(engine, json!({"env": [{"name": name, "value": "x"}]}));
            let path = format!("spec.models[2].kubernetes.env[0].name: \"{name}\" ");
            assert!(found.len() == 1 && found[0].starts_with(&path), "{engine}: {found:?}");
        }
    }
}

#[test]
fn torchserve_takes_no_name_that_is_no_part_of_a_path() {
    let found = found("TorchServe", json!({"servedName": "team/ranker"}));
    assert!(
        found.len() == 1 && found[0].starts_with("spec.models[2].kubernetes.servedName: \"team/ranker\""),
        "{found:?}"
    );
}

#[test]
fn an_engine_has_as_long_to_start_as_the_spec_gives_it() {
    for (seconds, tries) in [(30, 3), (1800, 180), (1801, 181), (86400, 8640)] {
        let container = contained(&spec("VLLM", json!({"startupTimeoutSeconds": seconds})));
        assert_eq!(container.startup.failure_threshold, tries, "{seconds}");
        assert_eq!(container.startup.period_seconds, 10);
    }
}

/// Models of an engine, by what is particular to each.
fn models(engine: &str, user: &Value) -> BTreeMap<String, Kubernetes> {
    let token = json!({"name": "hf", "key": "token"});
    let sources = [
        ("hub", json!({"huggingFace": {"repo": "Qwen/Qwen3-8B"}})),
        (
            "private-hub",
            json!({"huggingFace": {"repo": "Qwen/Qwen3-8B", "revision": "0123abc", "tokenSecretRef": token}}),
        ),
        ("s3", json!({"s3": {"bucket": "artifacts", "prefix": "models/qwen/"}})),
        ("pvc", json!({"pvc": {"claimName": "weights", "path": "/qwen"}})),
    ];
    let mut models = BTreeMap::new();
    for (name, source) in sources {
        if engine == "TorchServe" && source.get("huggingFace").is_some() {
            continue;
        }
        for gpus in [0, 1, 4] {
            let fields = json!({"source": source, "resources": {"gpus": gpus}});
            models.insert(format!("{name}-{gpus}"), spec(engine, fields));
        }
    }
    models.insert("users".into(), spec(engine, user.clone()));
    models
}

/// The containers of an engine, as `make check-engines` reads them.
fn containers(engine: &str, user: &Value) -> BTreeMap<String, Container> {
    let models = models(engine, user);
    for (name, spec) in &models {
        assert_eq!(problems(spec, "spec"), vec![], "{name}");
    }
    models.into_iter().map(|(name, spec)| (name, contained(&spec))).collect()
}

#[test]
fn containers_of_vllm() {
    let user = json!({
        "apiKeySecretRef": {"name": "keys", "key": "chat"},
        "servedName": "qwen3-8b",
        "args": ["--max-model-len", "8192", "--enable-prefix-caching"],
        "env": [{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}],
    });
    insta::assert_json_snapshot!("vllm", containers("VLLM", &user));
}

#[test]
fn containers_of_tgi() {
    let user = json!({
        "apiKeySecretRef": {"name": "keys", "key": "chat"},
        "args": ["--max-total-tokens", "4096", "--num-shard=1", "--hostname", "::"],
        "env": [{"name": "LOG_LEVEL", "value": "debug"}],
    });
    insta::assert_json_snapshot!("tgi", containers("TGI", &user));
}

#[test]
fn containers_of_torchserve() {
    let user = json!({
        "source": {"pvc": {"claimName": "archives"}},
        "servedName": "ranker",
        "args": ["--log-config", "/mnt/models/log4j2.xml"],
        "env": [{"name": "TS_JOB_QUEUE_SIZE", "value": "500"}],
        "startupTimeoutSeconds": 300,
    });
    insta::assert_json_snapshot!("torchserve", containers("TorchServe", &user));
}

#[test]
fn containers_of_custom() {
    let user = json!({
        "image": "example.com/server:1",
        "source": null,
        "apiKeySecretRef": {"name": "keys", "key": "chat"},
        "args": ["serve", "--port=8000"],
        "env": [{"name": "GREETING", "value": "hello"}],
    });
    insta::assert_json_snapshot!("custom", containers("Custom", &user));
}
