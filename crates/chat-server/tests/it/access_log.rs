//! The access log: one line for each request, with what it may say and nothing else.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{PATIENCE, Person, TestServer, close_code, connect, try_connect};

/// What no line may have.
const CANARY: &str = "canary";

async fn server(home: &std::path::Path, switch: &str) -> TestServer {
    TestServer::start_on(&home.join("data"), |command| {
        command.env("CHAT_ACCESS_LOG", switch);
    })
    .await
}

/// The line of the request with this id, once it is there.
fn line_of(server: &TestServer, request_id: &str) -> Value {
    let parse = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    let find = |lines: &[String]| lines.iter().map(parse).find(|line| line["request_id"] == request_id);
    server.stdout.wait_for(PATIENCE, find)
}

fn id(response: &reqwest::Response) -> String {
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_a_line_with_its_route_status_bytes_and_person() {
    let home = tempfile::tempdir().unwrap();
    let server = server(home.path(), "on").await;
    let alice = server.person("alice", "user");
    let session = alice.open_session(CANARY).await;
    let path = format!("/api/chat/sessions/{session}/messages");

    let sent = alice.post(&format!("{path}?{CANARY}=1"), &json!({ "content": CANARY })).await;
    let (request_id, status) = (id(&sent), sent.status().as_u16());
    let body = sent.bytes().await.unwrap();
    let mut line = line_of(&server, &request_id);
    assert!(line["ms"].take().as_f64().unwrap() > 0.0);
    assert!(line["time"].take().as_str().unwrap().ends_with('Z'));
    assert_eq!(
        line,
        json!({
            "time": null, "method": "POST", "route": "/api/chat/sessions/{sessionId}/messages", "path": path,
            "status": status, "bytes": body.len(), "ms": null, "client": "127.0.0.1", "request_id": request_id,
            "person": "alice",
        })
    );

    let nowhere = reqwest::get(server.url("/nowhere")).await.unwrap();
    let line = line_of(&server, &id(&nowhere));
    assert_eq!((&line["status"], &line["path"]), (&json!(404), &json!("/nowhere")));
    assert!(line.get("person").is_none() && line.get("route").is_none(), "{line}");
    let refused = Person::new(server.addr, CANARY).get(&path).await;
    let line = line_of(&server, &id(&refused));
    assert_eq!((&line["status"], line.get("person")), (&json!(401), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_has_a_token_a_ticket_a_text_or_a_file_name() {
    let home = tempfile::tempdir().unwrap();
    let server = server(home.path(), "on").await;
    let alice = server.person("alice", "user");
    let session = alice.open_session(CANARY).await;
    let file = Part::bytes(CANARY.as_bytes().to_vec()).file_name("canary.txt");
    let form = Form::new().text("content", CANARY).part("attachments[0]", file);
    let path = format!("/api/chat/sessions/{session}/messages");
    Person::json(alice.request(Method::POST, &path).multipart(form).send().await.unwrap(), 201).await;
    let ticket = alice.post(&format!("/api/chat/sessions/{session}/ws-ticket"), &json!({})).await;
    let ticket = Person::json(ticket, 201).await["ticket"].as_str().unwrap().to_owned();
    let nameless = Person::new(server.addr, "no token");
    let mut sockets = vec![connect(&alice, &session, "").await];
    // Its header comes with the wrong token, so that this is refused; the query is what must not be seen.
    assert!(try_connect(&nameless, &session, &format!("?ticket={ticket}")).await.is_err());
    server.signal("TERM");
    for socket in &mut sockets {
        assert_eq!(close_code(socket).await, 1001);
    }
    let stdout = server.stdout.clone();
    assert!(server.ended().await.0.success());

    let lines = stdout.all();
    let sockets: Vec<&String> = lines.iter().filter(|line| line.contains("/ws/chat/{sessionId}")).collect();
    assert_eq!(sockets.len(), 2, "{lines:#?}");
    assert!(sockets.iter().any(|line| line.contains("\"status\":101") && line.contains("\"person\":\"alice\"")));
    for line in &lines {
        for secret in [CANARY, alice.token.as_str(), ticket.as_str()] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_loses_lines_and_delays_no_request() {
    use std::process::Stdio;

    let home = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_ACCESS_LOG", "on");
        // The pipe is full after 64 KiB, and no process reads it.
        command.stdout(Stdio::from(writer));
    })
    .await;
    let client = reqwest::Client::new();
    let dropped = async || crate::support::Scrape::of(&server).await.number("chat_access_log_dropped_total");
    let mut sent = 0;
    while dropped().await < 1.0 {
        for _ in 0..500 {
            assert_eq!(client.get(server.url("/healthz")).send().await.unwrap().status(), 200);
        }
        sent += 500;
        assert!(sent < 20_000, "lines are dropped");
    }
    assert_eq!(reqwest::get(server.url("/readyz")).await.unwrap().status(), 200);
    server.signal("TERM");
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log:#?}");
    drop(reader);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_for_a_reader_that_is_gone_are_counted() {
    use std::process::Stdio;

    let home = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_ACCESS_LOG", "on");
        command.stdout(Stdio::from(writer));
    })
    .await;
    drop(reader);
    // The line of the request that waited for the server may be unwritten too.
    let mut sent = 1.0;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let dropped = async || crate::support::Scrape::of(&server).await.number("chat_access_log_dropped_total");
    while dropped().await < 3.0 {
        assert_eq!(reqwest::get(server.url("/healthz")).await.unwrap().status(), 200);
        sent += 1.0;
        assert!(tokio::time::Instant::now() < deadline, "of {sent} lines {} are counted", dropped().await);
    }
    assert!(dropped().await <= sent, "each line is counted once");
    server
        .stderr
        .wait_for(PATIENCE, |log| log.iter().find(|line| line.contains("the access log cannot be written")).map(drop));
}

#[tokio::test(flavor = "multi_thread")]
async fn invisible_characters_stand_as_numbers_and_tokens_in_paths_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_ACCESS_LOG", "on").env("CHAT_LOG", "debug");
    })
    .await;
    let alice = server.person("al\u{202e}ice", "user");
    let answer = alice.get(&format!("/nowhere/{}/%E2%80%A8?access_token={0}", alice.token)).await;
    let line = line_of(&server, &id(&answer));
    assert_eq!(line["path"], "/nowhere/[redacted]/%E2%80%A8");
    let session = alice.open_session("any").await;
    let listed = alice.get(&format!("/api/chat/sessions/{session}")).await;
    assert_eq!(line_of(&server, &id(&listed))["person"], "al\u{202e}ice", "the same text for who reads it as JSON");
    server.signal("TERM");
    let stdout = server.stdout.clone();
    let log = server.ended().await.1;
    let access = stdout.all();
    for line in access.iter().chain(&log) {
        assert!(!line.contains('\u{202e}') && !line.contains(&alice.token), "{line}");
    }
    assert!(access.iter().any(|line| line.contains("al\\u202eice")), "{access:#?}");
    assert!(log.iter().any(|line| line.contains("/nowhere/[redacted]/")), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_no_line_is_written() {
    let home = tempfile::tempdir().unwrap();
    let server = server(home.path(), "off").await;
    server.person("alice", "user").open_session("unseen").await;
    server.signal("TERM");
    let stdout = server.stdout.clone();
    assert!(server.ended().await.0.success());
    assert_eq!(stdout.all(), Vec::<String>::new());
}
