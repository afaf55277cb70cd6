//! The reference document is what the options' definition says.

use std::fs;
use std::path::Path;

use crate::support::{chat_server, run};

#[test]
fn reference_document_of_the_configuration_is_current() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    let home = tempfile::tempdir().unwrap();
    let rendered = run(chat_server(home.path()).arg("config-reference")).stdout;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, &rendered).unwrap();
    }
    let written = fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(written, rendered, "docs/reference/configuration.md is out of date: run `cargo xtask docs`");
}
