//! What becomes of the fields: order, names, types, dimensions, addresses.

use chat_http::HttpSettings;
use serde_json::{Value, json};

use crate::support::app::{Options, send};
use crate::support::{Form, Store, TestApp, plain};

fn a_public_url() -> Options {
    let public_url = Some("https://chat.example".to_owned());
    Options { http: HttpSettings { public_url, ..HttpSettings::default() }, ..Options::default() }
}

/// A PNG header with an empty body.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    file.extend(width.to_be_bytes());
    file.extend(height.to_be_bytes());
    file.extend(b"\x08\x06\0\0\0\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82");
    file
}

/// One second of silence.
fn wav() -> Vec<u8> {
    let mut file = b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend(4_000_u32.to_le_bytes());
    file.extend(8_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(8_000_u32.to_le_bytes());
    file.extend(vec![0; 8_000]);
    file
}

/// Sends a file as alice and returns its description.
async fn sent_as(app: &TestApp, name: &str, media_type: &str, bytes: &[u8]) -> Value {
    let session = app.open_session("alice").await;
    let form = Form::new().file(0, name, media_type, bytes);
    send(form.to(app, "alice", &session)).await.expect(201)["attachments"][0].clone()
}

fn names(message: &Value) -> Vec<&str> {
    message["attachments"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect()
}

on_every_store! {
    async fn files_are_ordered_by_their_index_with_gaps(app) {
        let session = app.open_session("alice").await;
        let form = Form::new()
            .file(9_999, "last", "text/plain", b"4")
            .file(2, "second", "text/plain", b"2")
            .file(10, "third", "text/plain", b"3")
            .text("content", "in order")
            .file(0, "first", "text/plain", b"1");
        let message = send(form.to(app, "alice", &session)).await.expect(201);
        assert_eq!(names(&message), ["first", "second", "third", "last"]);
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        assert_eq!(page["messages"][0], message);
    }

    async fn files_without_an_index_are_taken_in_their_order(app) {
        let session = app.open_session("alice").await;
        for field in ["attachments", "attachments[]"] {
            let form = ["c", "a", "b"].into_iter().fold(Form::new(), |form, name| {
                form.file_as(field, name, "text/plain", name.as_bytes())
            });
            let message = send(form.to(app, "alice", &session)).await.expect(201);
            assert_eq!(names(&message), ["c", "a", "b"], "{field}");
        }
        let mixed = Form::new().file(4, "a", "text/plain", b"1").file_as("attachments[]", "b", "text/plain", b"2");
        let message = send(mixed.file(0, "first", "text/plain", b"0").to(app, "alice", &session)).await.expect(201);
        assert_eq!(names(&message), ["first", "a", "b"]);
    }

    async fn files_without_an_index_come_after_all_numbered_files(app) {
        let session = app.open_session("alice").await;
        let unnumbered = |form: Form, name: &str| form.file_as("attachments[]", name, "text/plain", b"x");
        let form = unnumbered(Form::new(), "c").file(1, "b", "text/plain", b"1");
        let form = unnumbered(form.file(0, "a", "text/plain", b"0"), "d").file(2, "b2", "text/plain", b"2");
        let message = send(unnumbered(form, "e").to(app, "alice", &session)).await.expect(201);
        assert_eq!(names(&message), ["a", "b", "b2", "c", "d", "e"]);
        let twice = Form::new().file(0, "a", "text/plain", b"0").file(0, "b", "text/plain", b"0");
        send(twice.to(app, "alice", &session)).await.expect_invalid("attachments[0]");
    }

    async fn a_wrong_file_without_an_index_is_named_by_its_place_in_the_form(app) {
        let session = app.open_session("alice").await;
        let form = Form::new().file_as("attachments", "a", "text/plain", b"x");
        let form = form.file_as("attachments", "empty", "text/plain", b"");
        send(form.to(app, "alice", &session)).await.expect_invalid("attachments[1]");
    }

    async fn beside_a_file_the_content_may_be_missing_or_blank(app) {
        let session = app.open_session("alice").await;
        let file = || Form::new().file(0, "a.txt", "text/plain", b"hello");
        assert_eq!(send(file().to(app, "alice", &session)).await.expect(201)["content"], "");
        assert_eq!(send(file().text("content", "").to(app, "alice", &session)).await.expect(201)["content"], "");
        for content in [" ", "\n\t"] {
            send(file().text("content", content).to(app, "alice", &session)).await.expect(201);
        }
    }

    async fn a_form_without_files_is_a_message_like_any_other(app) {
        let session = app.open_session("alice").await;
        let message = send(Form::new().text("content", "just text").to(app, "alice", &session)).await.expect(201);
        assert_eq!(message["content"], "just text");
        assert!(message.get("attachments").is_none());
        send(Form::new().text("content", " ").to(app, "alice", &session)).await.expect_invalid("content");
        send(Form::new().text("content", "a\0b").to(app, "alice", &session)).await.expect_invalid("content");
        send(Form::new().text("content", &"x".repeat(10_000)).to(app, "alice", &session)).await.expect(201);
        for length in [10_001, 70_000] {
            let form = Form::new().text("content", &"x".repeat(length));
            send(form.to(app, "alice", &session)).await.expect_invalid("content");
        }
    }

    async fn the_address_is_the_one_that_the_request_was_sent_to(app) {
        let session = app.open_session("alice").await;
        let form = || Form::new().file(0, "a.txt", "text/plain", b"x");
        let url_for = async |host: &str| {
            let request = form().to(app, "alice", &session).header("host", host).header("x-forwarded-host", "evil.example");
            let message = send(request).await.expect(201);
            let file = &message["attachments"][0];
            let id = file["id"].as_str().unwrap().to_owned();
            file["url"].as_str().unwrap().strip_suffix(&format!("/api/chat/attachments/{id}")).unwrap().to_owned()
        };
        assert_eq!(url_for("chat.example").await, "http://chat.example");
        assert_eq!(url_for("[::1]:8080").await, "http://[::1]:8080");
        // A host that is no valid authority is not used.
        assert_eq!(url_for("user@evil.example").await, "");
    }
}

on_every_store! {
    with a_public_url;

    async fn the_public_address_is_used_whatever_host_the_request_names(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        let form = Form::new().file(0, "a.txt", "text/plain", b"x");
        let message = send(form.to(app, "alice", &session).header("host", "evil.example")).await.expect(201);
        let file = &message["attachments"][0];
        assert_eq!(file["url"], format!("https://chat.example/api/chat/attachments/{}", file["id"].as_str().unwrap()));
        assert_eq!(socket.next().await["data"], plain(&message));
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        assert_eq!(page["messages"][0], message);
    }
}

/// Looking at the bytes is the disk store's work; the memory store believes the sender.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_type_is_detected_from_the_bytes_and_not_from_the_claim() {
    let app = TestApp::start(Store::Sqlite).await;
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    for (name, claimed, bytes, kind) in [
        ("photo.exe", "application/x-msdownload", &png(640, 480)[..], "image/png"),
        ("photo.png", "image/png", b"<html><script>alert(1)</script></html>", "text/html"),
        ("photo.png", "image/png", svg, "image/svg+xml"),
        ("photo.png", "image/png", b"%PDF-1.7\n", "application/pdf"),
        ("notes.csv", "text/csv", b"a,b\n1,2\n", "text/csv"),
        ("notes.html", "text/html", b"a,b\n1,2\n", "text/plain"),
        ("noise.bin", "image/png", b"\x01\x02\x03\xff\xfe\x00", "application/octet-stream"),
        ("wrong", "not a type", b"hello", "text/plain"),
    ] {
        let file = sent_as(&app, name, claimed, bytes).await;
        assert_eq!((&file["type"], &file["size"]), (&json!(kind), &json!(bytes.len())), "{name} as {claimed}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dimensions_and_durations_are_read_from_file_headers() {
    let app = TestApp::start(Store::Sqlite).await;
    let image = sent_as(&app, "photo.png", "image/png", &png(640, 480)).await;
    assert_eq!(image["metadata"], json!({ "width": 640, "height": 480 }));
    let sound = sent_as(&app, "silence.wav", "audio/wav", &wav()).await;
    assert_eq!(sound["metadata"], json!({ "duration": 1.0 }));
    let text = sent_as(&app, "a.txt", "text/plain", b"hello").await;
    assert!(text.get("metadata").is_none(), "{text}");
    app.stop().await;
}
