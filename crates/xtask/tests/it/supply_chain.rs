//! What may come into the graph of dependencies, where cargo-deny has no rule. All other rules are in `deny.toml`.

use crate::support::{assert_none, metadata};

#[test]
fn nothing_in_the_graph_is_a_pre_release() {
    let problems: Vec<String> = metadata()
        .packages
        .iter()
        .filter(|package| !package.version.pre.is_empty())
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    assert_none(&problems, "use a released version");
}
