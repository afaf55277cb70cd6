//! The generated reference documents are those that are checked in.

use std::path::PathBuf;

/// Compares a document with its file under `docs/reference/`, or writes the file when `UPDATE_DOCS=1` is set.
fn check(name: &str, rendered: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    if std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, rendered).unwrap();
        return;
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == rendered, "docs/reference/{name} is out of date: run `cargo xtask docs`");
}

#[test]
fn reference_document_of_the_api_is_current() {
    let mut document = chat_http::openapi_json(None);
    document.push('\n');
    check("openapi.json", &document);
}

#[test]
fn reference_document_of_the_socket_for_tools_is_current() {
    let mut document = chat_http::asyncapi_json(None);
    document.push('\n');
    check("asyncapi.json", &document);
}

#[test]
fn reference_document_of_the_errors_is_current() {
    check("errors.md", &chat_http::errors_reference());
}

#[test]
fn reference_document_of_files_is_current() {
    check("files.md", &chat_http::files_reference(chat_storage::RECOGNISED_TYPES));
}

#[test]
fn reference_document_of_the_socket_is_current() {
    check("websocket.md", &chat_http::websocket_reference());
}

#[test]
fn every_route_is_described_in_the_api_document() {
    let document: serde_json::Value = serde_json::from_str(&chat_http::openapi_json(None)).unwrap();
    for route in chat_http::routes() {
        // HEAD is GET without the body, and the documents do not describe themselves.
        if route.method == "HEAD" || matches!(route.path, "/openapi.json" | "/asyncapi.json") {
            continue;
        }
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert!(operation.is_object(), "{} {} is missing from the document", route.method, route.path);
    }
}
