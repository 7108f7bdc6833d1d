//! The documentation speaks of what is there.

use std::path::Path;

use aiplatform::kind::Reads;
use aiplatform::resource::Kind;

/// The text of every file below a folder whose name ends so.
fn strings(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            strings(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            found.push_str(&std::fs::read_to_string(&path).expect("text"));
        }
    }
}

#[test]
fn every_test_that_the_security_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["core", "src", "tests"] {
        strings(&root.join(folder), &mut code);
    }
    let model = std::fs::read_to_string(root.join("docs/security.md")).expect("the security model");
    let is_name = |word: &&str| {
        let letters =
            word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
        letters && word.matches('_').count() >= 3 && !word.starts_with("aiplatform_")
    };
    let named: Vec<&str> = model.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(named.len() > 40, "{}", named.len());
    let is_missing = |name: &&str| !code.contains(&format!("fn {name}(")) && !code.contains(&format!("def {name}("));
    assert_eq!(named.into_iter().filter(is_missing).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_documentation_says_when_drift_of_each_kind_is_noticed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = std::fs::read_to_string(page).expect("the page");
    for kind in Kind::ALL {
        let row = text.lines().find_map(|line| line.strip_prefix(&format!("| `{kind}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {kind}"));
        let (at_resync, hourly) = row.split_once('|').expect("a column for each");
        let hourly = hourly.trim_end_matches('|').trim();
        let parts: Vec<&str> = hourly.split('`').skip(1).step_by(2).collect();
        let reads = kind.info().reads;
        assert_eq!(parts, reads.hourly_parts(), "{kind}");
        let is_hourly = matches!(reads, Reads::Hourly | Reads::HourlyAsFixed);
        assert_eq!(hourly.starts_with("everything"), is_hourly, "{kind}");
        assert_eq!(hourly.contains("only its tags can change"), reads == Reads::HourlyAsFixed, "{kind}");
        assert_eq!(hourly.is_empty(), matches!(reads, Reads::Resync | Reads::Always), "{kind}");
        assert_eq!(at_resync.trim().is_empty(), is_hourly, "{kind}");
        assert_eq!(at_resync.contains("in each pass"), reads == Reads::Always, "{kind}");
    }
}

#[test]
fn every_path_that_the_documentation_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).expect("the documentation").map(|entry| entry.expect("it").path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut missing = Vec::new();
    for page in pages.chain([root.join("README.md")]) {
        let text = std::fs::read_to_string(&page).expect("a page");
        let is_path = |word: &&str| {
            ["src/", "core/", "tests/", "examples/", "manifests/"].iter().any(|folder| word.starts_with(folder))
                && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter))
        };
        let named = text.split('`').skip(1).step_by(2).filter(is_path);
        missing
            .extend(named.filter(|path| !root.join(path).exists()).map(|path| format!("{}: {path}", page.display())));
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// The fragments that GitHub makes of the headings of a page.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if is_code || heading.len() == line.len() {
            continue;
        }
        let letters = heading.trim().to_lowercase().replace(' ', "-");
        found.push(letters.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect());
    }
    found
}

#[test]
fn every_link_within_the_documentation_leads_to_something() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).expect("the documentation").map(|entry| entry.expect("it").path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let (mut followed, mut broken) = (0, Vec::new());
    for page in pages.chain([root.join("README.md")]) {
        let text = std::fs::read_to_string(&page).expect("a page");
        let prose: String = text.split('`').step_by(2).collect();
        let links = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        for link in links.filter(|link| !link.contains("://") && !link.contains(char::is_whitespace)) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            let leads = if fragment.is_empty() {
                target.exists()
            } else {
                std::fs::read_to_string(&target).is_ok_and(|text| anchors(&text).iter().any(|found| found == fragment))
            };
            followed += 1;
            if !leads {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(followed > 100, "{followed}");
}

/// A command of a page, and what the page says that it prints.
pub fn commands(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let mut steps = block.split("\n$ ").map(|step| step.strip_prefix("$ ").unwrap_or(step));
        found.extend(steps.by_ref().map(|step| {
            let (command, output) = step.split_once('\n').unwrap_or((step, ""));
            (command.to_string(), output.trim_end().to_string())
        }));
    }
    found
}

/// A shell for a command of a page: it runs in the repository and finds the program.
pub fn shell(command: &str) -> std::process::Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_aiplatform")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", command]).current_dir(env!("CARGO_MANIFEST_DIR")).env("PATH", path);
    shell
}

#[test]
fn what_commands_without_a_cluster_print_is_what_the_documentation_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).expect("the documentation").map(|entry| entry.expect("it").path());
    let pages = pages.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    let mut checked = 0;
    for page in pages.chain([root.join("README.md")]) {
        let text = std::fs::read_to_string(&page).expect("a page");
        let offline = |command: &str| command.starts_with("aiplatform plan -f examples/");
        for (command, output) in commands(&text).into_iter().filter(|(command, _)| offline(command)) {
            let output_of_shell = shell(&command).output().expect("a shell");
            let printed = String::from_utf8_lossy(&output_of_shell.stdout);
            assert_eq!(printed.trim_end(), output, "{}: {command}", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked}");
}
