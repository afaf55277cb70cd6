//! The server on PostgreSQL, as its operator meets it. What the database must do is tested with its adapter.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use test_servers::postgres::TestDatabase;
use test_servers::redis::PrivateRedis;

use crate::support::{ExtendedSocket, Finished, Person, TestServer, chat_server, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// One of several servers of a database, with the attachments of all of them.
async fn node(database: &TestDatabase, home: &Path, name: &str) -> TestServer {
    TestServer::start_on(&home.join(name), |command| shared(command, database, home)).await
}

fn shared(command: &mut Command, database: &TestDatabase, home: &Path) {
    command.env("CHAT_DATABASE_URL", database.url()).env("CHAT_JWT_SECRET", SECRET);
    command.env("CHAT_ATTACHMENTS_URL", format!("file://{}", home.join("attachments").display()));
}

fn person(home: &Path, server: &TestServer, sub: &str, role: &str) -> Person {
    let mut made = chat_server(home);
    let made = run(made.env("CHAT_JWT_SECRET", SECRET).args(["token", "--sub", sub, "--role", role]));
    assert_eq!(made.code, 0, "{}", made.stderr);
    Person::new(server.addr, made.stdout.trim_end())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn two_servers_share_a_database_and_its_attachments_but_not_with_sqlite() {
    let database = TestDatabase::empty();
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // Both at once, on an empty database and an empty directory.
    let (first, second) = tokio::join!(node(&database, home, "first"), node(&database, home, "second"));

    let alice = person(home, &first, "alice", "user");
    let session = alice.open_session("on two servers").await;
    let form = Form::new().part("attachments[0]", Part::text("shared").file_name("shared.txt"));
    let path = format!("/api/chat/sessions/{session}/messages");
    let message = Person::json(alice.request(Method::POST, &path).multipart(form).send().await.unwrap(), 201).await;

    let there = alice.at(second.addr);
    // Addresses of attachments name the server that was asked.
    let page = Person::json(there.get(&path).await, 200).await;
    assert_eq!(page["messages"][0]["id"], message["id"]);
    let id = message["attachments"][0]["id"].as_str().unwrap();
    assert_eq!(there.get(&format!("/api/chat/attachments/{id}")).await.text().await.unwrap(), "shared");

    let attachments = format!("file://{}", home.join("attachments").display());
    let mut sqlite = chat_server(&home.join("third"));
    let refused = run(sqlite.args(["--listen", "127.0.0.1:0", "--attachments-url", &attachments]));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("another chat-server uses the attachments"), "{}", refused.stderr);
}

/// The variables that the README sets for a second server on one machine, beside those that both have.
fn variables_of_a_second_server() -> BTreeSet<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let command = blocks.filter(|block| block.contains("CHAT_LISTEN=")).collect::<Vec<_>>();
    assert_eq!(command.len(), 1, "the README starts a second server once");
    let names = command[0].split_whitespace().filter_map(|word| word.split_once('=')).map(|(name, _)| name.to_owned());
    names.filter(|name| name != "CHAT_DATABASE_URL").collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_second_server_on_one_machine_needs_the_variables_of_the_readme_and_no_other() {
    let named = variables_of_a_second_server();
    assert_eq!(named, BTreeSet::from(["CHAT_ADMIN_LISTEN", "CHAT_LISTEN"].map(str::to_owned)));
    let database = TestDatabase::empty();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    // Both as someone starts them by hand, in development mode and in one directory.
    let configure = |command: &mut Command| {
        command.env("CHAT_DATABASE_URL", database.url());
    };
    let first = TestServer::start_on(&data_dir, configure).await;
    let admin = first.admin_url("");
    let (listen, admin) = (first.addr.to_string(), admin.trim_start_matches("http://").to_owned());
    for (listen, admin) in [(listen.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", admin.as_str())] {
        let mut command = chat_server(&data_dir);
        configure(&mut command);
        let refused = run(command.args(["--listen", listen, "--admin-listen", admin]));
        assert_eq!(refused.code, 1, "{refused:?}");
    }
    let second = TestServer::start_on(&data_dir, configure).await;
    let session = first.person("alice", "user").open_session("on both").await;
    let there = second.person("alice", "user").get(&format!("/api/chat/sessions/{session}")).await;
    assert_eq!(there.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn another_postgres_database_is_kept_away_from_the_attachments() {
    let (ours, other) = (TestDatabase::empty(), TestDatabase::empty());
    let home = tempfile::tempdir().unwrap();
    let _server = node(&ours, home.path(), "ours").await;
    let mut command = chat_server(&home.path().join("other"));
    shared(&mut command, &other, home.path());
    let refused = run(command.args(["--listen", "127.0.0.1:0"]));
    assert_eq!(refused.code, 1, "{refused:?}");
    for part in ["another database", other.name(), "--attachments-url (CHAT_ATTACHMENTS_URL)"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
}

fn migrate(database: &TestDatabase, home: &Path, arguments: &[&str]) -> Finished {
    let done = run(chat_server(home).env("CHAT_DATABASE_URL", database.url()).arg("migrate").args(arguments));
    assert_eq!(done.code, 0, "{}", done.stderr);
    done
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn the_schema_is_brought_up_back_and_up_again() {
    let database = TestDatabase::empty();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let states = || -> Vec<String> {
        let status = migrate(&database, &data_dir, &["status"]).stdout;
        status.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert!(!states().is_empty() && states().iter().all(|state| state == "pending"));
    assert!(migrate(&database, &data_dir, &["up"]).stdout.starts_with("applied "));
    assert!(states().iter().all(|state| state == "applied"));
    assert_eq!(migrate(&database, &data_dir, &[]).stdout, "nothing to do\n");
    migrate(&database, &data_dir, &["down", "--yes"]);
    assert_eq!(states().iter().filter(|state| *state == "pending").count(), 1);
    migrate(&database, &data_dir, &["up"]);
    assert!(!data_dir.exists(), "the schema of another machine needs no directory here");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn every_documented_metric_is_there_on_postgres_with_redis() {
    let (database, redis) = (TestDatabase::empty(), PrivateRedis::start(&[]).unwrap());
    let home = tempfile::tempdir().unwrap();
    let page = run(chat_server(home.path()).arg("metrics-reference")).stdout;
    let documented = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    // A node that verifies tokens with a secret has no key set.
    let documented: BTreeSet<&str> = documented
        .filter(|name| !name.starts_with("chat_key_set_") && *name != "chat_attachments_unreachable")
        .collect();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        shared(command, &database, home.path());
        command.env("CHAT_REDIS_URL", redis.url());
    })
    .await;
    let alice = person(home.path(), &server, "alice", "user");
    let session = alice.open_session("measured").await;
    let path = format!("/api/chat/sessions/{session}/messages");
    Person::json(alice.post(&path, &json!({ "content": "hello" })).await, 201).await;
    Person::json(alice.get(&path).await, 200).await;

    let scrape = reqwest::get(server.admin_url("/metrics")).await.unwrap().text().await.unwrap();
    let served: BTreeSet<&str> =
        scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(served, documented);
    assert!(scrape.contains("chat_writers{store=\"postgres\"} "), "{scrape}");
}

#[test]
fn the_password_of_the_database_is_not_shown() {
    let home = tempfile::tempdir().unwrap();
    let mut command = chat_server(home.path());
    let shown = run(command
        .arg("check-config")
        .env("CHAT_DATABASE_URL", "postgresql://chat:canary@db:5432/chat?sslmode=disable"));
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains(" postgres://chat:***@db:5432/chat?sslmode=disable\n"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("canary"), "{}", shown.stdout);
}

#[test]
fn a_database_that_is_unreachable_is_named_without_its_password() {
    let home = tempfile::tempdir().unwrap();
    // A port that was free a moment ago and on which no process listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://chat:canary@127.0.0.1:{port}/chat?sslmode=disable");
    let mut command = chat_server(&home.path().join("data"));
    let refused = run(command.args(["--listen", "127.0.0.1:0"]).env("CHAT_DATABASE_URL", url));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains(&format!("127.0.0.1:{port}")), "{}", refused.stderr);
    assert!(!refused.stderr.contains("canary") && !refused.stdout.contains("canary"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_server_that_runs_across_a_new_epoch_says_so_and_ends() {
    let database = TestDatabase::empty();
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let server = node(&database, home, "first").await;
    let alice = person(home, &server, "alice", "user");
    let session = alice.open_session("restored").await;
    let mut socket = ExtendedSocket::open(server.addr, &alice.token, &session, "").await.unwrap();
    let before = socket.hello.epoch.clone();

    let rotated = run(chat_server(home).env("CHAT_DATABASE_URL", database.url()).args(["epoch", "rotate"]));
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    assert_eq!(socket.next_or_end().await.unwrap_err(), Some(1001));
    socket.finish().await;
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(1), "{log:#?}");
    let error = log.iter().find(|line| line.contains("ERROR")).unwrap();
    assert!(error.contains(&before) && error.contains("start it again"), "{error}");

    let server = node(&database, home, "first").await;
    let query = format!("?since=1&epoch={before}");
    let socket = ExtendedSocket::open(server.addr, &alice.token, &session, &query).await.unwrap();
    assert!(rotated.stdout.contains(&socket.hello.epoch), "{} {:?}", rotated.stdout, socket.hello);
    assert_eq!((socket.hello.resumed, socket.hello.reason.as_deref()), (false, Some("epoch")));
}
