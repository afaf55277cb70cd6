//! SIGTERM with people connected.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;

use crate::support::{PATIENCE, Person, TestServer, close_code, connect, next_event};

/// What the server promises; the process is given a little more to be waited for.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_closes_sockets_with_1001_answers_open_requests_and_ends() {
    let server = TestServer::start().await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("before the end").await;
    let mut sockets = [connect(&alice, &session, "").await, connect(&alice, &session, "").await];
    let body = r#"{"content":"sent while the server leaves"}"#;
    let mut request = OpenRequest::begin(&alice, &format!("/api/chat/sessions/{session}/messages"), body).await;

    let asked = Instant::now();
    server.signal("TERM");
    // The sockets' close says that the shutdown is under way; only then does the request go on.
    for socket in &mut sockets {
        assert_eq!(close_code(socket).await, 1001);
    }
    let answer = request.finish(body).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

    let (status, log) = server.ended().await;
    assert!(asked.elapsed() < LIMIT, "it took {:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0), "{log:#?}");
    let messages: Vec<Value> =
        log.iter().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect();
    assert!(messages.iter().any(|line| line["message"] == "stopped"), "{log:#?}");
}

/// Starts a server that serves on for so long after a signal.
async fn draining_server(data_dir: &Path, delay: &str) -> TestServer {
    TestServer::start_on(data_dir, |command| {
        command.env("CHAT_DRAIN_DELAY", delay);
    })
    .await
}

fn wait_for_line(server: &TestServer, part: &str) {
    server.stderr.wait_for(PATIENCE, |lines| lines.iter().any(|line| line.contains(part)).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_node_is_not_ready_and_serves_new_connections() {
    let home = tempfile::tempdir().unwrap();
    let server = draining_server(&home.path().join("data"), "10m").await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("before the signal").await;
    let mut socket = connect(&alice, &session, "").await;
    server.signal("TERM");
    wait_for_line(&server, "the listener closes in 10m");

    // Each of these is a connection of its own.
    let answer = reqwest::get(server.url("/readyz")).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["connection"]), (503, &"close".parse().unwrap()));
    let readiness: Value = answer.json().await.unwrap();
    assert_eq!((&readiness["ready"], &readiness["reason"]), (&false.into(), &"draining".into()), "{readiness}");
    assert_eq!(reqwest::get(server.url("/healthz")).await.unwrap().status(), 200);
    let path = format!("/api/chat/sessions/{session}/messages");
    let late = server.person("alice", "user");
    Person::json(late.post(&path, &serde_json::json!({ "content": "while it drains" })).await, 201).await;
    assert_eq!(next_event(&mut socket).await["data"]["content"], "while it drains");
    connect(&late, &session, "").await;

    server.signal("TERM");
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(130), "a second signal does not wait: {log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_drain_delay_the_node_ends_as_without_one() {
    const DELAY: Duration = Duration::from_secs(2);
    let home = tempfile::tempdir().unwrap();
    let server = draining_server(&home.path().join("data"), "2s").await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("drained").await;
    let mut socket = connect(&alice, &session, "").await;
    let asked = Instant::now();
    server.signal("INT");
    assert_eq!(close_code(&mut socket).await, 1001);
    assert!(asked.elapsed() >= DELAY, "the socket was closed after {:?}", asked.elapsed());
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_acknowledged_before_sigterm_are_there_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("kept").await;
    let path = format!("/api/chat/sessions/{session}/messages");
    let sent = Person::json(alice.post(&path, &serde_json::json!({ "content": "keep me" })).await, 201).await;
    server.signal("INT");
    assert_eq!(server.ended().await.0.code(), Some(0));

    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let page = Person::json(alice.at(server.addr).get(&path).await, 200).await;
    assert_eq!(page["messages"], serde_json::json!([sent]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_does_not_hold_the_process() {
    let server = TestServer::start().await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("stuck").await;
    let _open = OpenRequest::begin(&alice, &format!("/api/chat/sessions/{session}/messages"), "{}").await;
    let asked = Instant::now();
    server.signal("TERM");
    let (status, log) = server.ended().await;
    assert!(asked.elapsed() < LIMIT, "it took {:?}: {log:#?}", asked.elapsed());
    // The rest was still done in order: the store was closed.
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_refused_upload_is_drained_does_not_hold_the_process() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_JWT_SECRET", "0123456789abcdef0123456789abcdef").env("CHAT_TRUSTED_PROXIES", "127.0.0.1");
    })
    .await;
    let mut proxy = TcpStream::connect(server.addr).await.unwrap();
    let head = format!("POST /nothing HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000\r\n\r\n", server.addr);
    proxy.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    // To the end: the node has shut its side down, and waits 20 seconds for the rest of the body.
    timeout(PATIENCE, proxy.read_to_string(&mut response)).await.unwrap().unwrap();
    assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    server.signal("TERM");
    let (status, log) = server.ended().await;
    // A process that takes longer than its limit of 10 seconds ends with 1.
    assert_eq!(status.code(), Some(0), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("connections still open")), "it was not drained any more: {log:#?}");
    drop(proxy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_process_at_once() {
    let server = TestServer::start().await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("in a hurry").await;
    let _open = OpenRequest::begin(&alice, &format!("/api/chat/sessions/{session}/messages"), "{}").await;
    server.signal("TERM");
    server.stderr.wait_for(PATIENCE, |lines| lines.iter().any(|line| line.contains("shutting down")).then_some(()));
    server.signal("TERM");
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(130), "{log:#?}");
}

/// A request whose body has not been sent yet, but which the server is known to be reading.
struct OpenRequest {
    reader: BufReader<tokio::net::tcp::OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl OpenRequest {
    /// Sends the head and waits for `100 Continue` (RFC 9110, 10.1.1).
    async fn begin(person: &Person, path: &str, body: &str) -> Self {
        let (reader, mut writer) = TcpStream::connect(person.addr()).await.unwrap().into_split();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            person.addr(),
            person.token,
            body.len(),
        );
        writer.write_all(head.as_bytes()).await.unwrap();
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        timeout(PATIENCE, reader.read_line(&mut line)).await.unwrap().unwrap();
        assert!(line.starts_with("HTTP/1.1 100 "), "{line}");
        Self { reader, writer }
    }

    async fn finish(&mut self, body: &str) -> String {
        self.writer.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, self.reader.read_to_string(&mut answer)).await.unwrap().unwrap();
        // The empty line that ends the `100 Continue` comes first.
        answer.trim_start().to_owned()
    }
}
