//! The program with the machine's libpq, on a PostgreSQL that takes nothing but TLS. It verifies the server's certificate.
//!
//! `cargo xtask tls` builds it with the feature `system-libpq`. Without the feature, the program refuses what these
//! tests set.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use reqwest::Client;
use serde_json::{Value, json};
use test_servers::postgres::{PrivatePostgres, TestDatabase};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The program on this database, with nothing of this process's environment.
fn chat_server(database_url: &str, data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env_clear().env("CHAT_DATABASE_URL", database_url).env("CHAT_DATA_DIR", data_dir);
    command.env("CHAT_JWT_SECRET", SECRET).env("CHAT_LISTEN", "127.0.0.1:0").env("CHAT_ADMIN_LISTEN", "off");
    command
}

/// The error of the migrations' status, which needs nothing but a connection.
fn refusal(database_url: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } =
        chat_server(database_url, home.path()).args(["migrate", "status"]).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    stderr
}

/// A node that is killed when it goes.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_reaped = self.0.wait();
    }
}

/// Starts a node, and waits for its address.
fn start(command: &mut Command) -> (Node, String) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut node = Node(child);
    let mut log = BufReader::new(node.0.stderr.take().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it did not start: {lines:#?}");
        let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = parsed.get("address").and_then(Value::as_str) {
            // What follows is read, so that the node never waits for its reader.
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return (node, format!("http://{address}"));
        }
        lines.push(line);
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_node_keeps_messages_over_verified_tls() {
    let server = PrivatePostgres::start_encrypted(&[]).unwrap();
    let database = TestDatabase::on(&server);
    let home = tempfile::tempdir().unwrap();
    let (_node, url) = start(&mut chat_server(database.url(), home.path()));

    let token = chat_server(database.url(), home.path())
        .args(["token", "--sub", "alice", "--role", "user"])
        .output()
        .unwrap()
        .stdout;
    let token = String::from_utf8(token).unwrap();
    let post = async |path: &str, body: Value| -> Value {
        let request = Client::new().post(format!("{url}{path}")).bearer_auth(token.trim()).json(&body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        response.json().await.unwrap()
    };
    let session = post("/api/chat/sessions", json!({})).await;
    let session = session.get("id").and_then(Value::as_str).unwrap();
    post(&format!("/api/chat/sessions/{session}/messages"), json!({ "content": "encrypted" })).await;
    assert_eq!(database.sql("SELECT content FROM chat_messages"), "encrypted");

    let connections = "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    assert_ne!(database.sql(&format!("SELECT count(*) {connections}")), "0");
    assert_eq!(database.sql(&format!("SELECT DISTINCT ssl, version ~ 'TLSv1.[23]' {connections}")), "t|t");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let (server, other) =
        (PrivatePostgres::start_encrypted(&[]).unwrap(), PrivatePostgres::start_encrypted(&[]).unwrap());
    let (authority, unknown) = (server.authority().unwrap(), other.authority().unwrap());
    let url = server.admin_url().replace(authority.to_str().unwrap(), unknown.to_str().unwrap());
    let error = refusal(&url);
    assert!(error.contains("certificate verify failed"), "{error}");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_certificate_for_another_host_is_refused() {
    let server = PrivatePostgres::start_encrypted(&[]).unwrap();
    let error = refusal(&server.admin_url().replace("@localhost:", "@127.0.0.1:"));
    assert!(error.contains("does not match host name"), "{error}");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_server_that_requires_tls_refuses_plain_connections() {
    let server = PrivatePostgres::start_encrypted(&[]).unwrap();
    let error = refusal(&server.admin_url().replace("sslmode=verify-full", "sslmode=disable"));
    assert!(error.contains("no encryption"), "{error}");
}
