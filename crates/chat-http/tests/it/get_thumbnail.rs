//! `GET` and `HEAD /api/chat/attachments/{attachmentId}/thumbnail`

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::model::{Attachment, Color, ThumbnailOutcome, ThumbnailSize, UserId};
use chat_domain::ports::ThumbnailMaker;
use chat_domain::service::Ports;
use chat_domain::{ChatError, Result};
use chat_http::{HttpSettings, RateLimit, RateSettings};
use chat_testkit::fixtures;
use chat_testkit::media::{png, zeros_png};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Options, send};
use crate::support::{Answer, Form, Store, TestApp};

/// The types of colours of a PNG.
const RGB: u8 = 2;
const TRANSPARENT: u8 = 6;

/// Sends a file as alice and returns its attachment.
async fn sent(app: &TestApp, session: &str, media_type: &str, bytes: &[u8]) -> Value {
    let form = Form::new().file(0, "a file", media_type, bytes);
    let message = send(form.to(app, "alice", session)).await.expect(201);
    message["attachments"][0].clone()
}

/// Sends a picture as alice and returns the path of its thumbnail.
async fn sent_picture(app: &TestApp, session: &str, bytes: &[u8]) -> String {
    let attachment = sent(app, session, "image/png", bytes).await;
    attachment["thumbnailUrl"].as_str().unwrap().strip_prefix(&app.base).unwrap().to_owned()
}

async fn ask(app: &TestApp, who: &str, method: Method, path: &str, header: (&str, &str)) -> Answer {
    send(app.request(who, method, path).header(header.0, header.1)).await
}

/// Width and height.
#[track_caller]
fn dimensions(answer: &Answer) -> (usize, usize) {
    answer.expect_status(200);
    let size = imagesize::blob_size(&answer.bytes).unwrap();
    (size.width, size.height)
}

on_every_store! {
    async fn a_picture_has_a_thumbnail_of_each_size(app) {
        let session = app.open_session("alice").await;
        let path = sent_picture(app, &session, &zeros_png(800, 600, RGB, 0)).await;
        for (query, expected) in [("", (640, 480)), ("?size=640", (640, 480)), ("?size=160", (160, 120))] {
            let answer = app.get("alice", &format!("{path}{query}")).await;
            assert_eq!(dimensions(&answer), expected, "{query}");
            assert_eq!(answer.header("content-type"), "image/jpeg", "{query}");
            assert_eq!(answer.header("content-length"), answer.bytes.len().to_string(), "{query}");
        }
        let path = sent_picture(app, &session, &zeros_png(200, 300, TRANSPARENT, 0)).await;
        let answer = app.get("alice", &format!("{path}?size=160")).await;
        assert_eq!((dimensions(&answer), answer.header("content-type")), ((106, 160), "image/webp"));
        assert_eq!(dimensions(&app.get("alice", &path).await), (200, 300));
    }

    async fn the_headers_are_those_of_a_download_that_is_shown(app) {
        let session = app.open_session("alice").await;
        let path = sent_picture(app, &session, &zeros_png(200, 100, RGB, 0)).await;
        let answer = app.get("alice", &path).await;
        for (name, value) in [
            ("content-disposition", "inline"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "private, no-cache"),
            ("referrer-policy", "no-referrer"),
            ("accept-ranges", ""),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        // It is small enough to be sent whole.
        let whole = ask(app, "alice", Method::GET, &path, ("range", "bytes=0-1")).await;
        assert_eq!((whole.status.as_u16(), &whole.bytes), (200, &answer.bytes));
    }

    async fn head_returns_the_headers_of_get_without_a_body(app) {
        let session = app.open_session("alice").await;
        let path = sent_picture(app, &session, &zeros_png(200, 100, RGB, 0)).await;
        let mut head = send(app.request("alice", Method::HEAD, &path)).await;
        let mut get = app.get("alice", &path).await;
        assert_eq!((head.status.as_u16(), &head.bytes[..]), (200, &b""[..]));
        for answer in [&mut get, &mut head] {
            assert!(answer.headers.remove("x-request-id").is_some());
            answer.headers.remove("date");
        }
        assert_eq!(head.headers, get.headers);
    }

    async fn a_caller_with_the_current_etag_gets_304(app) {
        let session = app.open_session("alice").await;
        let path = sent_picture(app, &session, &zeros_png(800, 600, RGB, 0)).await;
        let (large, small) = (app.get("alice", &path).await, app.get("alice", &format!("{path}?size=160")).await);
        let tag = large.header("etag");
        assert_ne!(tag, small.header("etag"));
        assert_eq!(tag, app.get("alice", &path).await.header("etag"));
        for known in [tag, &format!("W/{tag}"), "*", &format!("\"other\", {tag}")] {
            for method in [Method::GET, Method::HEAD] {
                let answer = ask(app, "alice", method, &path, ("if-none-match", known)).await;
                assert_eq!((answer.status.as_u16(), &answer.bytes[..]), (304, &b""[..]), "{known}");
                for name in ["etag", "cache-control", "content-security-policy", "x-content-type-options"] {
                    assert_eq!(answer.header(name), large.header(name), "{name}");
                }
            }
        }
        let other = ask(app, "alice", Method::GET, &path, ("if-none-match", small.header("etag"))).await;
        assert_eq!((other.status.as_u16(), &other.bytes), (200, &large.bytes));
    }

    async fn another_size_is_refused_with_the_name_of_the_field(app) {
        let session = app.open_session("alice").await;
        let path = sent_picture(app, &session, &zeros_png(200, 100, RGB, 0)).await;
        for query in [
            "size=0", "size=161", "size=-160", "size=160.0", "size=0xa0", "size=1e2", "size=", "size=large",
            "size=99999999999999999999", "size=160&size=640",
        ] {
            app.get("alice", &format!("{path}?{query}")).await.expect_invalid("size");
        }
        app.get("alice", &format!("{path}?Size=160")).await.expect_invalid("Size");
        // Nothing of the kind to those who may not know that it is there.
        app.get("mallory", &format!("{path}?size=0")).await.expect_error(403, "FORBIDDEN");
    }

    async fn of_what_is_no_picture_there_is_no_thumbnail(app) {
        let session = app.open_session("alice").await;
        let text = sent(app, &session, "text/plain", b"hello").await;
        assert!(text.get("thumbnailUrl").is_none(), "{text}");
        let of_text = format!("/api/chat/attachments/{}/thumbnail", text["id"].as_str().unwrap());
        let damaged = sent_picture(app, &session, &png(40, 30)).await;
        for path in [&of_text, &damaged] {
            // The second time it is known.
            for query in ["", "", "?size=160"] {
                app.get("alice", &format!("{path}{query}")).await.expect_error(404, "NO_THUMBNAIL");
            }
            assert_eq!(ask(app, "alice", Method::HEAD, path, ("if-none-match", "*")).await.status, 404);
            app.get("mallory", path).await.expect_error(403, "FORBIDDEN");
        }
        let unknown = format!("/api/chat/attachments/{}/thumbnail", fixtures::attachment_id(9));
        app.get("alice", &unknown).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
    }

    async fn a_thumbnail_belongs_to_those_who_may_download_the_picture(app) {
        let session = app.open_session("alice").await;
        let path = sent_picture(app, &session, &zeros_png(200, 100, RGB, 0)).await;
        let tag = app.get("alice", &path).await.header("etag").to_owned();
        app.put("bob", &format!("/api/chat/sessions/{session}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        for (who, status) in [("alice", 200), ("root", 200), ("bob", 200), ("carol", 403), ("mallory", 403)] {
            assert_eq!(app.get(who, &path).await.status, status, "{who}");
        }
        for header in [("if-none-match", "*"), ("if-none-match", &tag), ("range", "bytes=0-0")] {
            let refused = ask(app, "mallory", Method::GET, &path, header).await;
            assert_eq!((refused.header("etag"), refused.header("content-disposition")), ("", ""), "{header:?}");
            refused.expect_error(403, "FORBIDDEN");
        }
        let anonymous = send(app.anonymous(Method::GET, &path)).await;
        anonymous.expect_error(401, "UNAUTHENTICATED");
        for method in [Method::PUT, Method::POST, Method::DELETE] {
            let answer = send(app.request("alice", method, &path)).await;
            assert_eq!(answer.header("allow"), "GET, HEAD");
            answer.expect_error(405, "METHOD_NOT_ALLOWED");
        }
    }

    async fn a_download_ticket_opens_a_thumbnail_of_either_size(app) {
        let session = app.open_session("alice").await;
        let path = sent_picture(app, &session, &zeros_png(800, 600, RGB, 0)).await;
        let ticket = app.post("alice", "/api/chat/download-ticket", json!(null)).await.expect(201);
        let ticket = ticket["ticket"].as_str().unwrap();
        for (query, expected) in [(String::new(), (640, 480)), ("size=160&".to_owned(), (160, 120))] {
            let query = format!("{path}?{query}ticket={ticket}");
            assert_eq!(dimensions(&send(app.anonymous(Method::GET, &query)).await), expected);
            send(app.anonymous(Method::HEAD, &query)).await.expect_status(200);
        }
        send(app.anonymous(Method::GET, &format!("{path}?ticket=other"))).await.expect_error(401, "UNAUTHENTICATED");
        send(app.anonymous(Method::GET, &format!("{path}?size=1&ticket={ticket}"))).await.expect_invalid("size");
    }

    async fn a_message_names_its_thumbnails_wherever_it_is_shown(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        let form = Form::new()
            .file(0, "a.png", "image/png", &zeros_png(200, 100, RGB, 0))
            .file(1, "a.txt", "text/plain", b"hello");
        let message = send(form.to(app, "alice", &session)).await.expect(201);
        let expected = format!("{}/thumbnail", message["attachments"][0]["url"].as_str().unwrap());
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        for shown in [&message, &socket.next().await["data"], &page["messages"][0]] {
            assert_eq!(shown["attachments"][0]["thumbnailUrl"], expected, "{shown}");
            assert!(shown["attachments"][1].get("thumbnailUrl").is_none(), "{shown}");
        }
    }
}

/// A maker that has too much to do.
struct Busy;

#[async_trait]
impl ThumbnailMaker for Busy {
    async fn make(&self, _: &UserId, _: &Attachment, _: ThumbnailSize) -> Result<ThumbnailOutcome> {
        Err(ChatError::unavailable("all slots are taken"))
    }

    async fn dominant_color(&self, _: &UserId, _: &Attachment) -> Result<Option<Color>> {
        Err(ChatError::unavailable("all slots are taken"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_makes_too_many_thumbnails_asks_to_come_again() {
    let replace_ports = |ports: Ports| Ports { thumbnail_maker: Arc::new(Busy), ..ports };
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let path = sent_picture(&app, &session, &zeros_png(200, 100, RGB, 0)).await;
    let answer = app.get("alice", &path).await;
    assert_eq!(answer.header("retry-after"), "1");
    answer.expect_error(503, "UNAVAILABLE");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thumbnail_counts_as_a_download() {
    let downloads = RateLimit::parse("3/h").unwrap();
    let http = HttpSettings { rates: RateSettings { downloads, ..RateSettings::default() }, ..HttpSettings::default() };
    let app = TestApp::with(Store::Memory, Options { http, ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let path = sent_picture(&app, &session, &zeros_png(200, 100, RGB, 0)).await;
    app.get("alice", &path).await.expect_status(200);
    send(app.request("alice", Method::HEAD, &path)).await.expect_status(200);
    app.get("alice", path.strip_suffix("/thumbnail").unwrap()).await.expect_status(200);
    app.get("alice", &path).await.expect_error(429, "RATE_LIMITED");
    app.get("root", &path).await.expect_status(200);
    app.stop().await;
}

/// What a store finds out about a file decides whether a thumbnail is offered; the memory store believes the sender.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thumbnail_is_offered_for_pictures_that_are_not_too_large() {
    let app = TestApp::start(Store::Sqlite).await;
    let session = app.open_session("alice").await;
    for (bytes, offered) in [
        (png(7_000, 7_000), true),
        (png(8_000, 7_000), false),
        (png(30_000, 30_000), false),
        (png(0, 0), false),
        (b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0\x3b".to_vec(), true),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), false),
        (b"hello".to_vec(), false),
    ] {
        let file = sent(&app, &session, "image/png", &bytes).await;
        assert_eq!(file.get("thumbnailUrl").is_some(), offered, "{file}");
        let path = format!("/api/chat/attachments/{}/thumbnail", file["id"].as_str().unwrap());
        if !offered {
            app.get("alice", &path).await.expect_error(404, "NO_THUMBNAIL");
        }
    }
    app.stop().await;
}
