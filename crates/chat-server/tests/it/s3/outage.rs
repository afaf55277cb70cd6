//! Outages of S3: files are refused in words that clients understand, and texts go on.

use serde_json::{Value, json};
use test_servers::s3::{S3Fault, S3RequestFilter, S3Server};

use super::{on, send_file, try_file};
use crate::support::{PATIENCE, Person, TestServer, eventually};

/// What `/readyz` says of the attachments; the node must be ready.
async fn degraded(server: &TestServer) -> Option<String> {
    let ready = reqwest::get(server.url("/readyz")).await.unwrap();
    let body: Value = Person::json(ready, 200).await;
    let checks = body["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "attachments").unwrap();
    check["degraded"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_on_while_s3_is_unreachable_slow_full_or_refuses() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), on(&s3)).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("an outage").await;
    let messages = format!("/api/chat/sessions/{session}/messages");
    let kept = send_file(&alice, &session, "kept.txt", "kept").await;
    let faults = [
        (S3Fault::Disconnects, "UNAVAILABLE", 503),
        (S3Fault::Silent, "UNAVAILABLE", 503),
        (S3Fault::Status(503, "SlowDown"), "UNAVAILABLE", 503),
        (S3Fault::Status(403, "AccessDenied"), "UNAVAILABLE", 503),
        (S3Fault::Status(507, "XMinioStorageFull"), "STORAGE_FULL", 503),
    ];
    for (number, (fault, code, download)) in faults.into_iter().enumerate() {
        s3.fail(S3RequestFilter::ALL, fault);
        let refused = try_file(&alice, &session, "lost.txt", "lost").await;
        assert!(refused.headers().contains_key("retry-after"), "{fault:?}");
        let body = Person::json(refused, 503).await;
        assert_eq!(body["error"]["code"], code, "{fault:?}: {body}");
        Person::json(alice.post(&messages, &json!({ "content": format!("text {number}") })).await, 201).await;
        assert_eq!(alice.get(&kept).await.status(), download, "{fault:?}");
        eventually("readiness says it", async || degraded(&server).await.is_some()).await;
        s3.heal();
        eventually("readiness takes it back", async || degraded(&server).await.is_none()).await;
        assert_eq!(alice.get(&kept).await.text().await.unwrap(), "kept");
    }
    let (sent, _) = alice.all_messages(&session).await;
    let texts: Vec<&str> =
        sent.iter().filter_map(|message| message["content"].as_str()).filter(|text| !text.is_empty()).collect();
    assert_eq!(texts, ["text 0", "text 1", "text 2", "text 3", "text 4"]);
    let away = |line: &&String| line.contains("the attachment store cannot be used");
    let lines = server.stderr.wait_for(PATIENCE, |lines| Some(lines.iter().filter(away).count()));
    assert!((1..=5).contains(&lines), "a line a minute, not {lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_without_s3_and_serves_files_as_soon_as_it_answers() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, on(&s3)).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("a restart").await;
    let path = send_file(&alice, &session, "kept.txt", "kept").await;
    server.signal("TERM");
    assert!(server.ended().await.0.success());

    s3.fail(S3RequestFilter::ALL, S3Fault::Disconnects);
    let server = TestServer::start_on(&data_dir, on(&s3)).await;
    let alice = alice.at(server.addr);
    let messages = format!("/api/chat/sessions/{session}/messages");
    Person::json(alice.post(&messages, &json!({ "content": "a text" })).await, 201).await;
    assert_eq!(alice.get(&path).await.status(), 503);
    s3.heal();
    // An attempt that began before may take some seconds to fail.
    eventually("files are served", async || alice.get(&path).await.status() == 200).await;
    assert_eq!(alice.get(&path).await.text().await.unwrap(), "kept");
    send_file(&alice, &session, "again.txt", "again").await;
}
