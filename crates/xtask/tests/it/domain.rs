//! What keeps the domain pure: what it is built from, where it compiles, and what clippy forbids in it.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use cargo_metadata::DependencyKind;
use toml::Value;

use crate::support::{assert_none, cargo, metadata, root, table};

const DOMAIN: &str = "chat-domain";

/// Everything the domain is built from, directly. Each is free of I/O and of a runtime.
const DEPENDENCIES: &[&str] =
    &["async-trait", "bytes", "mockall", "sha2", "thiserror", "time", "unicode-segmentation", "uuid"];

/// What must not come with those either, and why. A name ending in `*` stands for every name that begins like it.
const KEPT_OUT: &[(&str, &str)] = &[
    ("actix*", "the domain knows no transport"),
    ("diesel*", "the domain knows no database"),
    ("fastrand", "chance enters through ports"),
    ("getrandom", "chance enters through ports"),
    ("mio", "the domain does no I/O"),
    ("rand*", "chance enters through ports"),
    ("reqwest", "the domain does no I/O"),
    ("serde*", "only edge crates serialise"),
    ("tokio*", "the domain chooses no runtime"),
    ("tracing*", "the domain reports through its return values"),
    ("utoipa*", "only edge crates describe wire formats"),
];

/// What `crates/chat-domain/clippy.toml` forbids.
const BANS: &[(&str, &[&str])] = &[
    (
        "disallowed-methods",
        &[
            "time::OffsetDateTime::now_utc",
            "std::time::SystemTime::now",
            "std::time::Instant::now",
            "uuid::Uuid::now_v7",
            "uuid::Uuid::new_v4",
            "std::env::var",
            "std::env::var_os",
            "std::thread::spawn",
        ],
    ),
    ("disallowed-macros", &["std::println", "std::eprintln"]),
];

#[test]
fn the_domain_is_built_from_a_short_list() {
    let package = metadata().workspace_packages().into_iter().find(|package| package.name.as_str() == DOMAIN).unwrap();
    let mut problems = Vec::new();
    for dependency in package.dependencies.iter().filter(|found| found.kind != DependencyKind::Development) {
        if !DEPENDENCIES.contains(&dependency.name.as_str()) {
            problems.push(format!("{DOMAIN} depends on {}", dependency.name));
        }
        if dependency.name == "mockall" && !dependency.optional {
            problems.push("mockall is not optional".to_owned());
        }
    }
    for (feature, enables) in &package.features {
        if feature != "mock" && enables.iter().any(|enabled| enabled.contains("mockall")) {
            problems.push(format!("the feature {feature} brings mockall"));
        }
    }
    assert_none(
        &problems,
        "put what needs the library behind a port and into an adapter. The mocks belong to the feature `mock` alone",
    );
}

#[test]
fn nothing_impure_comes_with_the_domains_dependencies() {
    // `cargo tree`, because `cargo metadata` mixes in the features that other crates of the workspace switch on.
    let arguments = ["tree", "--package", DOMAIN, "--edges=normal,no-proc-macro", "--target=all", "--prefix=none"];
    let output = cargo().args(arguments).args(["--format={p}"]).output().unwrap();
    assert!(output.status.success(), "cargo tree failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let closure: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(closure.contains("uuid"), "cargo tree said something unexpected:\n{text}");

    let mut problems = Vec::new();
    for name in closure {
        for (kept_out, reason) in KEPT_OUT {
            if kept_out.strip_suffix('*').map_or(name == *kept_out, |prefix| name.starts_with(prefix)) {
                problems.push(format!("{name} is among what {DOMAIN} is built from, but {reason}"));
            }
        }
    }
    assert_none(
        &problems,
        "switch off the feature that brings it; `cargo tree -p chat-domain -e normal -i NAME` shows which",
    );
}

#[test]
fn the_domain_compiles_where_there_is_no_operating_system() {
    const TARGET: &str = "wasm32-unknown-unknown";
    let libraries = Command::new("rustc").args(["--print=target-libdir", "--target", TARGET]).output().unwrap();
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    if !Path::new(libraries.trim()).is_dir() {
        // Past the capture of test output on purpose, so that it is seen.
        writeln!(
            io::stderr(),
            "NOT CHECKED: {DOMAIN} on {TARGET}, which is not installed (rustup target add {TARGET}). Here its list of \
             dependencies and the bans of its clippy.toml carry the rule alone."
        )
        .unwrap();
        return;
    }
    // A directory of its own, so that it waits for no other build.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("domain-on-wasm");
    let arguments = ["check", "--quiet", "--package", DOMAIN, "--target", TARGET, "--target-dir"];
    let output = cargo().args(arguments).arg(directory).output().unwrap();
    assert!(
        output.status.success(),
        "{DOMAIN} does not compile for {TARGET}; what it lacks there belongs behind a port:\n{}",
        String::from_utf8_lossy(&output.stderr),
    );
}

#[test]
fn clippy_forbids_the_domain_time_chance_and_environment() {
    let settings = table(&root().join("crates/chat-domain/clippy.toml"));
    let mut problems = Vec::new();
    for (list, paths) in BANS {
        let entries = settings.get(*list).and_then(Value::as_array).cloned().unwrap_or_default();
        for path in *paths {
            let entry = entries.iter().find(|entry| entry.get("path").and_then(Value::as_str) == Some(path));
            match entry.and_then(|entry| entry.get("reason")).and_then(Value::as_str) {
                Some(reason) if !reason.is_empty() => {}
                _ => problems.push(format!("{list} has no entry for {path} with a reason")),
            }
        }
    }
    assert_none(&problems, "put it into crates/chat-domain/clippy.toml: such things enter through ports");
}

#[test]
fn a_crates_clippy_settings_repeat_the_workspaces() {
    let shared = table(&root().join("clippy.toml"));
    let mut problems = Vec::new();
    for package in metadata().workspace_packages() {
        let directory = package.manifest_path.parent().unwrap().as_std_path();
        let own = directory.join("clippy.toml");
        if !own.is_file() {
            continue;
        }
        let own = table(&own);
        for (name, value) in &shared {
            if own.get(name) != Some(value) {
                problems.push(format!("{} does not have `{name} = {value}`", package.name));
            }
        }
    }
    assert_none(&problems, "repeat the setting: a crate's clippy.toml replaces the workspace's and adds nothing to it");
}
