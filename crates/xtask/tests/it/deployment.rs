//! The files in `docs/deployment` name options, metrics and files that exist. What checkers of their formats find is the
//! matter of `cargo xtask deployment`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{assert_none, read, relative, root};

const DEPLOYMENT: &str = "docs/deployment";
const WORKFLOWS: &str = ".github/workflows";
const OPTIONS: &str = "docs/reference/configuration.md";
const METRICS: &str = "docs/reference/metrics.md";
/// The kinds of series that a histogram consists of.
const OF_A_HISTOGRAM: [&str; 3] = ["_bucket", "_sum", "_count"];

/// All files below a directory, except secrets that were made to try it out.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            found.push(path);
        } else if path.file_name().is_some_and(|name| name != "secrets") {
            found.extend(files_below(&path));
        }
    }
    found.sort();
    found
}

/// The names in the first column of the tables of a reference document.
fn documented(document: &str) -> BTreeSet<String> {
    let page = read(&root().join(document));
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned));
    names.collect()
}

/// The words that begin so, with the line of each.
fn words<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().enumerate().flat_map(move |(index, line)| {
        let words = line.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
        words.filter(move |word| word.starts_with(prefix)).map(move |word| (index + 1, word))
    })
}

#[test]
fn files_of_the_deployment_name_options_that_exist() {
    let known = documented(OPTIONS);
    assert!(known.contains("CHAT_LISTEN"), "{OPTIONS} lists no options");
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for directory in [DEPLOYMENT, WORKFLOWS] {
        for file in files_below(&root().join(directory)) {
            let text = read(&file);
            for (line, word) in words(&text, "CHAT_") {
                named.insert(word.to_owned());
                if !known.contains(word) {
                    problems.push(format!("{}:{line} names `{word}`, which is no option", relative(&file)));
                }
            }
        }
    }
    assert_none(&problems, "name an option of docs/reference/configuration.md");
    assert!(named.len() > 3, "the files name only {named:?}");
}

#[test]
fn alerts_and_dashboard_name_metrics_that_exist() {
    let known = documented(METRICS);
    let exists = |word: &str| {
        known.contains(word)
            || OF_A_HISTOGRAM.iter().any(|kind| word.strip_suffix(kind).is_some_and(|name| known.contains(name)))
    };
    let mut problems = Vec::new();
    for name in ["prometheus/rules.yml", "prometheus/rules.test.yml", "grafana/dashboard.json"] {
        let text = read(&root().join(DEPLOYMENT).join(name));
        let found: Vec<_> = words(&text, "chat_").chain(words(&text, "process_")).collect();
        assert!(found.len() > 20, "{name} names only {found:?}");
        let unknown = found.into_iter().filter(|(_, word)| !exists(word));
        problems.extend(unknown.map(|(line, word)| format!("{name}:{line} names `{word}`, which is no metric")));
    }
    assert_none(&problems, "name a metric of docs/reference/metrics.md");
}

/// The manual's table says what to watch, and the rules do it.
#[test]
fn every_metric_that_the_manual_alerts_on_has_an_alert() {
    let manual = read(&root().join("docs/operations.md"));
    let table = manual.split("| alert on | because |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let conditions: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(conditions.len() > 10, "{conditions:?}");
    let rules = read(&root().join(DEPLOYMENT).join("prometheus/rules.yml"));
    let problems: Vec<String> = conditions
        .iter()
        .flat_map(|condition| words(condition, "chat_").chain(words(condition, "process_")))
        .filter(|(_, metric)| !rules.contains(metric))
        .map(|(_, metric)| format!("docs/operations.md alerts on {metric}, and no rule does"))
        .collect();
    assert_none(&problems, "add a rule with its case to docs/deployment/prometheus");
}

#[test]
fn the_table_of_deployment_files_has_each_of_them() {
    let readme = read(&root().join(DEPLOYMENT).join("README.md"));
    let missing: Vec<String> = files_below(&root().join(DEPLOYMENT))
        .iter()
        .map(|file| relative(file).replacen("docs/deployment/", "", 1))
        .filter(|file| {
            let directory = file.split_once('/').map(|(directory, _)| format!("{directory}/"));
            !readme.contains(file.as_str()) && !directory.is_some_and(|directory| readme.contains(&directory))
        })
        .filter(|file| !["README.md", "Dockerfile.dockerignore"].contains(&file.as_str()))
        .collect();
    assert_none(&missing, "say in docs/deployment/README.md who takes this file, and what checks it");
}

/// A step that changes under a name that stays would change what is run with the secrets of a release.
#[test]
fn workflows_pin_actions_to_a_commit() {
    let mut problems = Vec::new();
    for file in files_below(&root().join(WORKFLOWS)) {
        for (index, line) in read(&file).lines().enumerate() {
            if let Some((_, action)) = line.split_once("uses: ") {
                let commit = action.split_whitespace().next().and_then(|action| action.split_once('@'));
                let is_commit = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !commit.is_some_and(|(_, commit)| is_commit(commit)) {
                    problems.push(format!("{}:{}: {action}", relative(&file), index + 1));
                }
            }
        }
    }
    assert_none(&problems, "name the commit, with the version in a comment behind it");
}
