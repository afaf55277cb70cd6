//! `healthcheck`: the health check of a container or a supervisor, without any other program.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{Finished, PATIENCE, TestServer, chat_server, eventually, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Runs the command as a supervisor does: with the node's listen address, and without its other options.
fn healthcheck(listen: &str, arguments: &[&str]) -> Finished {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let finished = run(chat_server(&data_dir).env("CHAT_LISTEN", listen).arg("healthcheck").args(arguments));
    assert!(!data_dir.exists(), "it writes nothing");
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_succeeds_until_the_node_is_gone() {
    let server = TestServer::start().await;
    let listen = server.addr.to_string();
    let ready = healthcheck(&listen, &[]);
    assert_eq!((ready.code, ready.stderr.as_str()), (0, ""));
    assert!(ready.stdout.contains("\"ready\":true") && ready.stdout.contains("database"), "{}", ready.stdout);
    assert_eq!(healthcheck(&listen, &["--alive"]).stdout, "ok\n");

    server.kill();
    for arguments in [[].as_slice(), &["--alive"]] {
        let gone = healthcheck(&listen, arguments);
        assert_eq!((gone.code, gone.stdout.as_str()), (1, ""));
        assert!(gone.stderr.contains(&listen) && gone.stderr.contains("cannot connect"), "{}", gone.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_reports_the_part_that_is_unreachable() {
    let server = TestServer::start().await;
    let attachments = server.data_dir().join("attachments");
    fs::rename(&attachments, server.data_dir().join("elsewhere")).unwrap();
    let listen = server.addr.to_string();
    // The checks behind it run once a second.
    eventually("the node is not ready", async || healthcheck(&listen, &[]).code == 1).await;
    let refused = healthcheck(&listen, &[]);
    assert!(refused.stderr.contains("returned 503") && refused.stderr.contains("attachments"), "{}", refused.stderr);
    assert_eq!(healthcheck(&listen, &["--alive"]).code, 0, "the process runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_reaches_a_node_that_listens_on_all_addresses() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_JWT_SECRET", SECRET).env("CHAT_LISTEN", "0.0.0.0:0");
    })
    .await;
    let checked = healthcheck(&format!("0.0.0.0:{}", server.addr.port()), &[]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
}

#[test]
fn healthcheck_gives_up_after_its_timeout() {
    // Connections wait in the kernel, and no process accepts them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let late = healthcheck(&silent.local_addr().unwrap().to_string(), &["--timeout", "200ms"]);
    assert_eq!(late.code, 1);
    assert!(late.stderr.contains("did not respond within 200ms"), "{}", late.stderr);
    assert!((Duration::from_millis(200)..PATIENCE).contains(&start.elapsed()));
}

#[test]
fn healthcheck_refuses_a_port_that_names_no_node() {
    let refused = healthcheck("127.0.0.1:0", &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--listen (CHAT_LISTEN)") && refused.stderr.contains("127.0.0.1:8080"));
}
