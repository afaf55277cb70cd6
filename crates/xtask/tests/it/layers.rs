//! Which crate may depend on which.
//!
//! Everything points at the domain: adapters know it and not each other, and only the server knows the adapters. The one
//! exception is `chat-redis`, which connects the hubs of `chat-realtime` and implements the ports that it defines.

use std::collections::BTreeSet;
use std::fs;

use cargo_metadata::DependencyKind;

use crate::support::{assert_none, files, metadata, read, relative, root};
use crate::tokens::{idents, parse};

/// What a crate may depend on among the crates of the workspace.
struct Layer {
    name: &'static str,
    /// In what is shipped, build scripts included.
    normal: &'static [&'static str],
    /// In its tests only.
    dev: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    // It starts the programs that it measures, and no crate of theirs.
    Layer { name: "chat-bench", normal: &["test-servers"], dev: &[] },
    Layer { name: "chat-domain", normal: &[], dev: &["chat-testkit"] },
    Layer {
        name: "chat-http",
        normal: &["chat-domain", "chat-identity", "chat-websocket"],
        // Its tests speak HTTP to real adapters.
        dev: &[
            "chat-postgres",
            "chat-realtime",
            "chat-sqlite",
            "chat-storage",
            "chat-testkit",
            "chat-thumbnails",
            "test-servers",
        ],
    },
    // Tokens and keys. It knows no HTTP server; it is a client of the identity provider.
    Layer { name: "chat-identity", normal: &["chat-domain"], dev: &["chat-testkit", "test-servers"] },
    // A client of the public API: it knows nothing of what is behind it.
    Layer { name: "chat-loadgen", normal: &[], dev: &[] },
    Layer { name: "chat-postgres", normal: &["chat-domain", "chat-sql"], dev: &["chat-testkit", "test-servers"] },
    // Once more with the mocks of the ports.
    Layer { name: "chat-realtime", normal: &["chat-domain"], dev: &["chat-domain", "chat-testkit"] },
    // An adapter of the hub's peer ports, which it implements and calls.
    Layer { name: "chat-redis", normal: &["chat-domain", "chat-realtime"], dev: &["chat-testkit", "test-servers"] },
    Layer {
        name: "chat-server",
        normal: &[
            "chat-domain",
            "chat-http",
            "chat-identity",
            "chat-postgres",
            "chat-realtime",
            "chat-redis",
            "chat-sqlite",
            "chat-storage",
            "chat-thumbnails",
            "chat-web",
        ],
        dev: &["chat-loadgen", "chat-testkit", "test-servers"],
    },
    // What the stores on SQL databases share. It knows no driver; the server knows only the stores.
    Layer { name: "chat-sql", normal: &["chat-domain"], dev: &["chat-testkit"] },
    Layer { name: "chat-sqlite", normal: &["chat-domain", "chat-sql"], dev: &["chat-testkit"] },
    Layer { name: "chat-storage", normal: &["chat-domain"], dev: &["chat-testkit", "test-servers"] },
    Layer { name: "chat-thumbnails", normal: &["chat-domain"], dev: &["chat-testkit"] },
    // A dev-dependency wherever it is used: no row names it under `normal`.
    Layer { name: "chat-testkit", normal: &["chat-domain"], dev: &[] },
    // Pages and files for browsers, which use the public API. The HTTP server and it do not know each other: chat-server
    // puts its files behind the routes.
    Layer { name: "chat-web", normal: &[], dev: &[] },
    // A protocol and nothing else: it knows no chat.
    Layer { name: "chat-websocket", normal: &[], dev: &[] },
    // A dev-dependency too, except that `xtask` starts the PostgreSQL server that all tests share, and `chat-bench` those
    // that it measures.
    Layer { name: "test-servers", normal: &[], dev: &[] },
    Layer { name: "xtask", normal: &["chat-bench", "test-servers"], dev: &[] },
];

/// The crates under the domain's ports, as they are named in code, and the one module of the server that may name them, with
/// its children.
const ADAPTERS: &[&str] =
    &["chat_postgres", "chat_realtime", "chat_redis", "chat_sqlite", "chat_storage", "chat_thumbnails"];
const COMPOSITION_ROOT: &str = "crates/chat-server/src/wire.rs";
const COMPOSITION_CHILDREN: &str = "crates/chat-server/src/wire/";
/// Re-exports the adapters' types and defaults of configuration.
const CONFIGURATION_TYPES: &str = "crates/chat-server/src/adapters.rs";

#[test]
fn every_crate_has_a_layer() {
    let crates: BTreeSet<&str> = metadata().workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let layers: BTreeSet<&str> = LAYERS.iter().map(|layer| layer.name).collect();
    let problems: Vec<String> = crates.symmetric_difference(&layers).map(ToString::to_string).collect();
    assert_none(&problems, "give each crate one row in LAYERS (crates/xtask/tests/it/layers.rs), and each row a crate");
}

#[test]
fn workspace_crates_depend_on_each_other_only_as_the_layers_allow() {
    let mut problems = Vec::new();
    for package in metadata().workspace_packages() {
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == package.name.as_str()) else { continue };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let (allowed, kind) = match dependency.kind {
                DependencyKind::Development => (layer.dev, "dev-dependency"),
                _ => (layer.normal, "dependency"),
            };
            // A crate may name itself in its tests, to switch on a feature of its own.
            let itself = dependency.kind == DependencyKind::Development && dependency.name == layer.name;
            if !itself && !allowed.contains(&dependency.name.as_str()) {
                problems.push(format!("{} has {} as a {kind}", package.name, dependency.name));
            }
        }
    }
    assert_none(
        &problems,
        "let the crate use a port of chat-domain, and wire the adapter in chat-server; an adapter needs no other adapter. \
         A change of the layers themselves is a decision: record it in docs/adr and in LAYERS",
    );
}

#[test]
fn chat_testkit_is_shipped_in_nothing() {
    let users: Vec<String> = LAYERS
        .iter()
        .filter(|layer| layer.normal.contains(&"chat-testkit"))
        .map(|layer| layer.name.to_owned())
        .collect();
    assert_none(&users, "chat-testkit is made of fakes: name it under `dev` only");
}

#[test]
fn throwaway_servers_are_shipped_in_nothing() {
    let users: Vec<String> = LAYERS
        .iter()
        .filter(|layer| layer.normal.contains(&"test-servers") && !["chat-bench", "xtask"].contains(&layer.name))
        .map(|layer| layer.name.to_owned())
        .collect();
    assert_none(&users, "name test-servers under `dev` only, except for developers' tools (chat-bench, xtask)");
}

#[test]
fn only_the_composition_root_names_adapters() {
    assert!(root().join(COMPOSITION_ROOT).is_file(), "the composition root is {COMPOSITION_ROOT}");
    let mut problems = Vec::new();
    for path in files("crates/chat-server/src", "rs") {
        let path_in_project = relative(&path);
        let may_name = [COMPOSITION_ROOT, CONFIGURATION_TYPES].contains(&path_in_project.as_str());
        if may_name || path_in_project.starts_with(COMPOSITION_CHILDREN) {
            continue;
        }
        for (name, line) in idents(&parse(&path)) {
            if ADAPTERS.contains(&name.as_str()) {
                problems.push(format!("{}:{line} names {name}", relative(&path)));
            }
        }
    }
    assert_none(&problems, "hand the value through a port of chat-domain, or through a type of wire");
}

#[test]
fn the_module_of_the_adapters_configuration_types_only_re_exports() {
    let source = read(&root().join(CONFIGURATION_TYPES));
    let others: Vec<String> = source
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("//!") && !line.starts_with("pub(crate) use "))
        .map(str::to_owned)
        .collect();
    assert_none(&others, "make what needs an adapter in wire; this module hands types and constants to config");
}

#[test]
fn every_adapter_crate_is_known_to_the_rule_about_the_composition_root() {
    // Crates that the server may use, and that are neither under a port nor adapters of a driver's kind.
    let others = ["chat-domain", "chat-http", "chat-identity", "chat-web"];
    let server = LAYERS.iter().find(|layer| layer.name == "chat-server").unwrap();
    let adapters: BTreeSet<String> =
        server.normal.iter().filter(|name| !others.contains(name)).map(|name| name.replace('-', "_")).collect();
    assert_eq!(adapters, ADAPTERS.iter().map(ToString::to_string).collect(), "add the adapter's crate to ADAPTERS");
}

#[test]
fn the_composition_root_decides_every_configuration_by_name() {
    let problems: Vec<String> = crate::tokens::catch_all_arms(&parse(&root().join(COMPOSITION_ROOT)))
        .into_iter()
        .map(|line| format!("{COMPOSITION_ROOT}:{line} has an arm that catches everything"))
        .collect();
    assert_none(&problems, "name each variant, so that a new one does not compile until someone decides what it means");
}

#[test]
fn the_programs_entry_points_are_short() {
    let mut problems = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let main = entry.unwrap().path().join("src/main.rs");
        if main.is_file() && read(&main).lines().count() >= 50 {
            problems.push(format!("{} has 50 lines or more", relative(&main)));
        }
    }
    assert_none(&problems, "an entry point starts what lives in modules; move the rest there");
}
