//! A server on a primary with a standby, both in its URL, as a load balancer sees it.

use reqwest::StatusCode;
use test_postgres::{PrivatePostgres, StopMode};

use crate::support::TestServer;

/// How often readiness has failed so far.
fn failures(server: &TestServer) -> usize {
    let failed = |line: &&String| line.contains("not ready: database");
    server.stderr.wait_for(crate::support::PATIENCE, |lines| Some(lines.iter().filter(failed).count()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_server_that_reaches_a_standby_alone_is_not_ready_until_it_takes_over() {
    let primary = PrivatePostgres::start(&[("fsync", "off")]).unwrap();
    primary.sql("postgres", "CREATE DATABASE chat").unwrap();
    let standby = primary.standby().unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/chat", standby.port(), primary.port());
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_DATABASE_URL", &url);
    })
    .await;
    let ready = async || reqwest::get(server.url("/readyz")).await.unwrap().status();
    let position = primary.sql("postgres", "SELECT pg_current_wal_lsn()").unwrap();
    let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    while standby.sql("postgres", &caught_up).unwrap() != "t" {}

    primary.stop(StopMode::Immediate).unwrap();
    while ready().await == StatusCode::OK {}
    // The first failure may be that of a connection that was cut. It stays so with new ones.
    let first = failures(&server);
    while failures(&server) < first + 3 {
        assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    }
    standby.promote().unwrap();
    while ready().await != StatusCode::OK {}
}
