//! `GET /healthz` and `GET /readyz`

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{Options, send};
use crate::support::{Store, TestApp};

on_every_store! {
    async fn a_running_process_is_healthy_for_every_caller(app) {
        let answer = send(app.anonymous(Method::GET, "/healthz")).await;
        answer.expect_status(200);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.bytes, b"ok\n");
    }

    async fn readiness_names_each_part_to_every_caller(app) {
        let answer = send(app.anonymous(Method::GET, "/readyz")).await.expect(200);
        assert_eq!(answer["ready"], true);
        assert_eq!(answer.get("reason"), None);
        let checks = answer["checks"].as_array().unwrap();
        assert!(checks.len() >= 2, "{answer}");
        assert!(checks.iter().all(|check| check["ok"] == true && check["name"].is_string()), "{answer}");
    }

    async fn a_node_that_is_about_to_stop_is_not_ready_but_runs(app) {
        app.drain();
        let answer = send(app.anonymous(Method::GET, "/readyz")).await.expect(503);
        assert_eq!((&answer["ready"], &answer["reason"]), (&json!(false), &json!("draining")));
        send(app.anonymous(Method::GET, "/healthz")).await.expect_status(200);
        // Requests that still come are served, each on a connection of its own: the next one needs another node.
        for path in ["/api/chat/sessions", "/nowhere", "/docs/"] {
            let answer = app.get("alice", path).await;
            assert_eq!(answer.header("connection"), "close", "{path}");
        }
        app.get("alice", "/api/chat/sessions").await.expect(200);
    }
}

/// A part that is out of order.
struct Broken;

#[async_trait]
impl HealthProbe for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn check(&self) -> Result<(), String> {
        Err("canary: password=hunter2".to_owned())
    }
}

/// A part that works, but not for everything.
struct Full;

#[async_trait]
impl HealthProbe for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn degraded(&self) -> Option<&'static str> {
        Some("no room for files")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_full_store_is_ready_and_says_what_it_cannot_do() {
    let options = Options { more_probes: vec![Arc::new(Full)], ..Options::default() };
    let app = TestApp::with(Store::Memory, options).await;
    let readiness = send(app.anonymous(Method::GET, "/readyz")).await.expect(200);
    assert_eq!(readiness["ready"], true);
    let checks = readiness["checks"].as_array().unwrap();
    assert!(checks.contains(&json!({ "name": "full", "ok": true, "degraded": "no room for files" })), "{readiness}");
    assert!(checks.iter().any(|check| check.get("degraded").is_none()), "{readiness}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_check_is_named_without_its_cause() {
    let options = Options { more_probes: vec![Arc::new(Broken)], ..Options::default() };
    let app = TestApp::with(Store::Memory, options).await;
    let answer = send(app.anonymous(Method::GET, "/readyz")).await;
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("canary"));
    let readiness = answer.expect(503);
    assert_eq!(readiness["ready"], false);
    let checks = readiness["checks"].as_array().unwrap();
    assert!(checks.contains(&json!({ "name": "broken", "ok": false })), "{readiness}");
    assert!(checks.iter().any(|check| check["ok"] == true), "{readiness}");
    app.stop().await;
}
