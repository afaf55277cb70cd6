//! The admin address and the metrics on it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, Person, Scrape, TestServer, chat_server, connect, eventually, run};

async fn get(url: String) -> Response {
    reqwest::get(url).await.unwrap()
}

/// The names that have a kind.
fn names(scrape: &Scrape) -> BTreeSet<&str> {
    scrape.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

fn requests<'a>(scrape: &'a Scrape, method: &str, route: &str, status: &str) -> &'a str {
    scrape.value(&format!("chat_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"))
}

const MESSAGES: &str = "/api/chat/sessions/{sessionId}/messages";

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_address_serves_metrics_and_health_and_nothing_else() {
    let server = TestServer::start().await;
    let metrics = get(server.admin_url("/metrics")).await;
    let header = |name: &str| metrics.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/plain; version=0.0.4"), "{}", header("content-type"));
    assert_eq!((header("x-content-type-options").as_str(), header("cache-control").as_str()), ("nosniff", "no-store"));
    assert_eq!(get(server.admin_url("/healthz")).await.status(), StatusCode::OK);
    for path in ["/", "/api/chat/stats", "/readyz", "/metrics/"] {
        assert_eq!(get(server.admin_url(path)).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for method in [Method::POST, Method::DELETE, Method::TRACE] {
        let answer = Client::new().request(method.clone(), server.admin_url("/metrics")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD");
    }
    for path in ["/metrics", "/healthz"] {
        let answer = Client::new().head(server.admin_url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.bytes().await.unwrap().len(), 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_address_tells_no_metrics() {
    let server = TestServer::start().await;
    assert_eq!(get(server.url("/metrics")).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_admin_address_off_the_server_serves_all_the_same() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_ADMIN_LISTEN", "off");
    })
    .await;
    server.person("alice", "user").open_session("unmeasured").await;
    server.stderr.wait_for(PATIENCE, |lines| lines.iter().any(|line| line.contains("metrics are off")).then_some(()));
    server.signal("TERM");
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("admin.address")), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_and_timed_by_route_method_and_class_of_status() {
    let server = TestServer::start().await;
    let before = Scrape::of(&server).await;
    assert_eq!(requests(&before, "POST", MESSAGES, "2xx"), "0", "known before it happens");

    let alice = server.person("alice", "user");
    let session = alice.open_session("counted").await;
    let path = format!("/api/chat/sessions/{session}/messages");
    for content in ["one", "two", ""] {
        let _answer = alice.post(&path, &json!({ "content": content })).await;
    }
    assert_eq!(alice.get(&path).await.status(), StatusCode::OK);
    assert_eq!(alice.request(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(alice.get("/nowhere").await.status(), StatusCode::NOT_FOUND);

    let after = Scrape::of(&server).await;
    assert_eq!(requests(&after, "POST", MESSAGES, "2xx"), "2");
    assert_eq!(requests(&after, "POST", MESSAGES, "4xx"), "1");
    assert_eq!(requests(&after, "GET", MESSAGES, "2xx"), "1");
    assert_eq!(requests(&after, "POST", "/api/chat/sessions", "2xx"), "1");
    assert_eq!(requests(&after, "other", "other", "4xx"), "2");
    let labels = format!("{{route=\"{MESSAGES}\",method=\"POST\"");
    assert_eq!(after.value(&format!("chat_http_request_duration_seconds_count{labels}}}")), "3");
    assert_eq!(after.value(&format!("chat_http_request_duration_seconds_bucket{labels},le=\"+Inf\"}}")), "3");
    assert!(after.number(&format!("chat_http_request_duration_seconds_sum{labels}}}")) > 0.0);
    assert_eq!(after.value("chat_http_requests_in_flight"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_sockets_are_counted_until_they_close() {
    let server = TestServer::start().await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("watched").await;
    let sockets = [connect(&alice, &session, "").await, connect(&alice, &session, "").await];
    sockets_become(&server, 2).await;
    drop(sockets);
    sockets_become(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_of_the_desk_and_the_agents_online_are_shown() {
    let server = TestServer::start().await;
    let shown = async |waiting: f64, online: f64| {
        eventually("the desk is counted", async || {
            let scrape = Scrape::of(&server).await;
            let figures = ["chat_sessions_waiting", "chat_agents_online"].map(|name| scrape.number(name));
            figures.map(f64::to_bits) == [waiting, online].map(f64::to_bits)
        })
        .await;
        Scrape::of(&server).await.number("chat_session_longest_wait_seconds")
    };
    assert_eq!(shown(0.0, 0.0).await.to_bits(), 0.0_f64.to_bits());
    let (alice, bob) = (server.person("alice", "user"), server.person("bob", "agent"));
    let opened = Instant::now();
    let (first, second) = (alice.open_session("first").await, alice.open_session("second").await);
    let socket = connect(&bob, &first, "").await;
    let longest = shown(2.0, 1.0).await;
    assert!(longest <= opened.elapsed().as_secs_f64(), "{longest}");
    for session in [&first, &second] {
        assert_eq!(
            alice.request(Method::PUT, &format!("/api/chat/sessions/{session}/close")).send().await.unwrap().status(),
            200
        );
    }
    drop(socket);
    assert_eq!(shown(0.0, 0.0).await.to_bits(), 0.0_f64.to_bits());
}

/// A socket is counted by the task that serves it, which nothing but the count tells about.
async fn sockets_become(server: &TestServer, wanted: u64) {
    let counted = async {
        while Scrape::of(server).await.sum("chat_sockets_open") != wanted {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, counted).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_every_documented_one_is_there() {
    let home = tempfile::tempdir().unwrap();
    let page = run(chat_server(home.path()).arg("metrics-reference")).stdout;
    let documented: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();

    let server = TestServer::start().await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("measured").await;
    let path = format!("/api/chat/sessions/{session}/messages");
    Person::json(alice.post(&path, &json!({ "content": "hello" })).await, 201).await;
    Person::json(alice.get(&path).await, 200).await;
    let scrape = Scrape::of(&server).await;
    let served = names(&scrape);

    let only_elsewhere: BTreeSet<&str> = page
        .lines()
        .filter(|line| {
            let with = ["| `chat_redis_", "| `chat_key_set_"];
            line.contains("PostgreSQL only")
                || line.contains("| With S3: ")
                || with.iter().any(|name| line.starts_with(name))
        })
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    assert_eq!(&served | &only_elsewhere, documented);
    // A description comes with each.
    for name in &served {
        assert!(scrape.0.lines().any(|line| line.starts_with(&format!("# HELP {name} "))), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_tells_its_memory_its_files_its_start_and_its_version() {
    let server = TestServer::start().await;
    let scrape = Scrape::of(&server).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let started = scrape.number("process_start_time_seconds");
    assert!((now - PATIENCE.as_secs_f64() * 2.0..=now).contains(&started), "{started}");
    assert_eq!(scrape.value(&format!("chat_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), "1");
    if cfg!(target_os = "linux") {
        let resident = scrape.number("process_resident_memory_bytes");
        assert!((1e6..1e9).contains(&resident), "{resident}");
        let open = scrape.number("process_open_fds");
        assert!((5.0..1000.0).contains(&open), "{open}");
    }
}
