//! A server on a primary with a standby, both in its URL, as a load balancer sees it.

use reqwest::StatusCode;
use test_servers::postgres::{PrivatePostgres, StopMode};

use crate::support::{PATIENCE, TestServer, eventually};

/// How often readiness has failed so far.
fn failures(server: &TestServer) -> usize {
    let failed = |line: &&String| line.contains("not ready: database");
    server.stderr.wait_for(PATIENCE, |lines| Some(lines.iter().filter(failed).count()))
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
    eventually("the standby has caught up", async || standby.sql("postgres", &caught_up).unwrap() == "t").await;

    primary.stop(StopMode::Immediate).unwrap();
    eventually("the server is not ready", async || ready().await != StatusCode::OK).await;
    // The first failure may be that of a connection that was cut. It stays so with new ones.
    let first = failures(&server);
    let fails_on = async || {
        assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
        failures(&server) >= first + 3
    };
    eventually("three more failures are logged", fails_on).await;
    standby.promote().unwrap();
    eventually("the server is ready", async || ready().await == StatusCode::OK).await;
}
