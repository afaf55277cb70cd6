//! What every manifest of the workspace has in common: versions, lints and licence come from the root.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::support::{assert_none, members, root, table};

const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// The tables of dependencies of a manifest, those for single platforms included.
fn dependency_tables(manifest: &Table) -> Vec<&Table> {
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let owners = platforms.filter_map(Value::as_table).chain([manifest]);
    owners.flat_map(|owner| KINDS.iter().filter_map(|kind| owner.get(*kind)?.as_table())).collect()
}

fn at<'a>(manifest: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(manifest.get(*first)?, |value, name| value.get(name))
}

#[test]
fn versions_are_named_in_the_root_only() {
    let mut problems = Vec::new();
    for member in members() {
        for (name, value) in dependency_tables(&member.manifest).into_iter().flatten() {
            let inherited = value.get("workspace") == Some(&Value::Boolean(true));
            let own = ["version", "path", "git", "registry"].iter().any(|key| value.get(key).is_some());
            if !inherited || own {
                problems.push(format!("{}: {name} = {value}", member.name));
            }
        }
    }
    assert_none(
        &problems,
        "name the version in [workspace.dependencies] of the root and write `name.workspace = true`",
    );
}

#[test]
fn every_shared_version_is_used() {
    let manifest = table(&root().join("Cargo.toml"));
    let shared = at(&manifest, &["workspace", "dependencies"]).unwrap().as_table().unwrap();
    let members = members();
    let used: BTreeSet<&String> =
        members.iter().flat_map(|member| dependency_tables(&member.manifest)).flat_map(Table::keys).collect();
    let unused: Vec<String> = shared.keys().filter(|name| !used.contains(name)).cloned().collect();
    assert_none(&unused, "no crate uses this: take it out of [workspace.dependencies], or use it");
}

#[test]
fn every_crate_takes_lints_and_package_data_from_the_root() {
    let mut problems = Vec::new();
    for member in members() {
        if at(&member.manifest, &["lints", "workspace"]) != Some(&Value::Boolean(true)) {
            problems.push(format!("{}: `[lints] workspace = true` is missing", member.name));
        }
        for field in ["version", "edition", "rust-version", "license", "publish"] {
            if at(&member.manifest, &["package", field, "workspace"]) != Some(&Value::Boolean(true)) {
                problems.push(format!("{}: `{field}.workspace = true` is missing", member.name));
            }
        }
        if at(&member.manifest, &["package", "description"]).is_none() {
            problems.push(format!("{}: a description is missing", member.name));
        }
    }
    assert_none(&problems, "copy the head of another crate's manifest");
}

#[test]
fn the_workspace_forbids_unsafe_code_and_publishing() {
    let manifest = table(&root().join("Cargo.toml"));
    let text = |path: &[&str]| at(&manifest, path).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(text(&["workspace", "lints", "rust", "unsafe_code"]).as_deref(), Some("forbid"));
    assert_eq!(text(&["workspace", "package", "license"]).as_deref(), Some("MIT OR Apache-2.0"));
    assert_eq!(at(&manifest, &["workspace", "package", "publish"]), Some(&Value::Boolean(false)));
}

#[test]
fn the_lints_that_the_style_rests_on_are_on() {
    // Warnings: `cargo xtask lint` makes them errors, and work in progress still compiles.
    const CLIPPY: &[&str] = &[
        "allow_attributes",
        "allow_attributes_without_reason",
        "dbg_macro",
        "expect_used",
        "indexing_slicing",
        "panic",
        "print_stderr",
        "print_stdout",
        "todo",
        "unimplemented",
        "unwrap_used",
    ];
    let manifest = table(&root().join("Cargo.toml"));
    let level = |lint: &str| at(&manifest, &["workspace", "lints", "clippy", lint]).and_then(Value::as_str);
    let off: Vec<String> = CLIPPY.iter().filter(|lint| level(lint) != Some("warn")).map(ToString::to_string).collect();
    assert_none(
        &off,
        "set it to `warn` in [workspace.lints.clippy]; a single exception is an `#[expect(…, reason = …)]`",
    );
}
