//! The limits of people and addresses as an operator sets them.

use std::process::Command;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Person, Scrape, TestServer, eventually};

async fn server_with(data_dir: &std::path::Path, configure: impl FnOnce(&mut Command)) -> TestServer {
    TestServer::start_on(data_dir, |command| {
        command.env("CHAT_LOG", "debug");
        configure(command);
    })
    .await
}

/// Lines that an operator is woken by.
fn alarming(log: &[String]) -> Vec<&String> {
    let level = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?.get("level")?.as_str()?.to_owned());
    log.iter().filter(|line| level(line).is_none_or(|level| level == "WARN" || level == "ERROR")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_a_person_opens_thirty_sessions_at_once_and_no_more() {
    let home = tempfile::tempdir().unwrap();
    let server = server_with(&home.path().join("data"), |command| {
        command.env_remove("CHAT_RATE_SESSIONS").env("CHAT_MAX_OPEN_SESSIONS", "off");
    })
    .await;
    let (alice, root) = (server.person("alice", "user"), server.person("root", "admin"));
    // One comes back every two seconds, which a slow machine may take.
    let mut opened = 0;
    let refused = loop {
        let answer = alice.post("/api/chat/sessions", &json!({})).await;
        match answer.status().as_u16() {
            201 => opened += 1,
            _ => break answer,
        }
        assert!(opened < 300, "no limit");
    };
    assert!(opened >= 30, "{opened}");
    assert_eq!(refused.headers()["ratelimit-policy"], "\"sessions\";q=30;w=60");
    assert!(["1", "2"].contains(&refused.headers()["retry-after"].to_str().unwrap()));
    assert_eq!(Person::json(refused, 429).await["error"]["code"], "RATE_LIMITED");
    root.open_session("of another person").await;
    let scrape = Scrape::of(&server).await;
    assert_eq!(scrape.value("chat_rate_limited_total{limit=\"sessions\"}"), "1");
    assert_eq!(scrape.value("chat_rate_limited_total{limit=\"messages\"}"), "0");
    server.signal("TERM");
    let (_, log) = server.ended().await;
    assert_eq!(alarming(&log), Vec::<&String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_as_many_connections_as_the_operator_allows() {
    const MOST: usize = 5;
    let home = tempfile::tempdir().unwrap();
    let server = server_with(&home.path().join("data"), |command| {
        command.env("CHAT_CONNECTIONS_PER_ADDRESS", MOST.to_string());
    })
    .await;
    // The one with which the server was asked whether it is ready.
    let open = async || Scrape::of(&server).await.number("chat_http_connections_open") == 0.0;
    eventually("the first connection is closed", open).await;
    let mut held = Vec::new();
    for _ in 0..MOST {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
        held.push(stream);
    }
    let refused = "chat_http_connections_ended_total{reason=\"too_many_of_address\"}";
    assert_eq!(Scrape::of(&server).await.value(refused), "0");
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    // Closed, by a reset if it has sent something by then.
    assert_eq!(stream.read(&mut [0; 1024]).await.unwrap_or_default(), 0);
    assert_eq!(Scrape::of(&server).await.value(refused), "1");
    drop((held, stream));
    eventually("an address has none open", open).await;
    assert_eq!(reqwest::get(server.url("/healthz")).await.unwrap().status(), 200);
    server.signal("TERM");
    let (_, log) = server.ended().await;
    assert_eq!(alarming(&log), Vec::<&String>::new());
}
