//! The reference documents are what the definitions of options, limits and metrics say.

use std::fs;
use std::path::Path;

use crate::support::{chat_server, run};

fn compare(command: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(page);
    let home = tempfile::tempdir().unwrap();
    let rendered = run(chat_server(home.path()).arg(command)).stdout;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &rendered).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, rendered, "docs/reference/{page} is out of date: run `cargo xtask docs`");
}

#[test]
fn reference_document_of_the_configuration_is_current() {
    compare("config-reference", "configuration.md");
}

#[test]
fn reference_document_of_the_limits_is_current() {
    compare("limits-reference", "limits.md");
}

#[test]
fn reference_document_of_the_metrics_is_current() {
    compare("metrics-reference", "metrics.md");
}
