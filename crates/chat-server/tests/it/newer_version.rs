//! What a newer version writes into the database while this one runs on it, and what of it this one refuses to run on.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use test_servers::postgres::TestDatabase;

use crate::support::{ExtendedSocket, Person, SocketItem, TestServer, chat_server, connect, next_event, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

async fn node(database: &TestDatabase, home: &Path) -> TestServer {
    TestServer::start_on(&home.join("data"), |command| {
        command.env("CHAT_DATABASE_URL", database.url()).env("CHAT_JWT_SECRET", SECRET);
    })
    .await
}

fn person(home: &Path, server: &TestServer, sub: &str, role: &str) -> Person {
    let mut made = chat_server(home);
    let made = run(made.env("CHAT_JWT_SECRET", SECRET).args(["token", "--sub", sub, "--role", role]));
    assert_eq!(made.code, 0, "{}", made.stderr);
    Person::new(server.addr, made.stdout.trim_end())
}

/// Takes the next position of the only session for an event of a kind that this version does not know.
fn write_of_the_future(database: &TestDatabase) {
    database.sql(
        "BEGIN;
         UPDATE chat_sessions SET last_seq = last_seq + 1;
         INSERT INTO chat_session_events
             SELECT id, last_seq, 'future_kind', 'alice', started_at, '[\"a shape of its own\"]' FROM chat_sessions;
         COMMIT",
    );
}

async fn say(person: &Person, session: &str, content: &str) -> Value {
    let path = format!("/api/chat/sessions/{session}/messages");
    Person::json(person.post(&path, &json!({ "content": content })).await, 201).await
}

/// The next frame with text, heartbeats too.
async fn next_frame(socket: &mut ExtendedSocket) -> Value {
    match socket.heard().await {
        SocketItem::Text(text) => serde_json::from_str(&text).unwrap(),
        SocketItem::End(code) => panic!("the socket ended with {code:?}"),
    }
}

/// Reads up to the message with this content and returns the positions that the frames before it, and its own, say.
async fn positions_up_to(socket: &mut ExtendedSocket, content: &str) -> Vec<u64> {
    let mut positions = Vec::new();
    loop {
        let frame = next_frame(socket).await;
        let seq = if frame["type"] == "heartbeat" { &frame["data"]["seq"] } else { &frame["seq"] };
        positions.extend(seq.as_u64());
        if frame["data"]["content"] == content {
            return positions;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn sockets_of_both_modes_pass_over_an_event_of_a_newer_version() {
    let database = TestDatabase::empty();
    let home = tempfile::tempdir().unwrap();
    let server = node(&database, home.path()).await;
    let alice = person(home.path(), &server, "alice", "user");
    let session = alice.open_session("two versions").await;
    let mut base = connect(&alice, &session, "?since=1").await;
    let mut extended = ExtendedSocket::open(server.addr, &alice.token, &session, "?since=1").await.unwrap();
    say(&alice, &session, "before").await;

    write_of_the_future(&database);
    // What the node writes next shows its watchers that something is between.
    say(&alice, &session, "after").await;
    assert_eq!(next_event(&mut base).await["data"]["content"], "before");
    assert_eq!(next_event(&mut base).await["data"]["content"], "after");
    assert_eq!(positions_up_to(&mut extended, "after").await, [2, 3, 4], "a heartbeat stands for the unknown event");

    // Resumed before it, and right at it.
    for since in [1_u64, 2, 3] {
        let query = format!("?since={since}");
        let mut again = ExtendedSocket::open(server.addr, &alice.token, &session, &query).await.unwrap();
        assert_eq!((again.hello.resumed, again.hello.replayed), (true, 4 - since));
        assert_eq!(positions_up_to(&mut again, "after").await, (since + 1..=4).collect::<Vec<_>>());
        again.send("ack", json!({ "seq": 4 })).await;
        again.send("read", json!({ "seq": 4 })).await;
        let mut again = connect(&alice, &session, &query).await;
        if since == 1 {
            assert_eq!(next_event(&mut again).await["data"]["content"], "before");
        }
        assert_eq!(next_event(&mut again).await["data"]["content"], "after");
    }
    let (messages, head) = alice.all_messages(&session).await;
    assert_eq!((messages.len(), head), (2, 4));

    // It is the newest that there is: nothing comes after it, and the sockets wait.
    write_of_the_future(&database);
    let mut again = ExtendedSocket::open(server.addr, &alice.token, &session, "?since=4").await.unwrap();
    assert_eq!(next_frame(&mut again).await["data"]["seq"], 5);
    let close = alice.request(Method::PUT, &format!("/api/chat/sessions/{session}/close"));
    assert_eq!(close.send().await.unwrap().status(), 200);
    assert_eq!(again.next().await["seq"], 6);
    assert_eq!(next_event(&mut base).await["data"]["status"], "closed");
    assert_eq!(extended.next().await["seq"], 6);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_schema_that_is_newer_than_the_program_is_refused_at_the_start() {
    let database = TestDatabase::empty();
    let home = tempfile::tempdir().unwrap();
    let command = |arguments: &[&str]| {
        let mut command = chat_server(&home.path().join("data"));
        run(command.env("CHAT_DATABASE_URL", database.url()).env("CHAT_JWT_SECRET", SECRET).args(arguments))
    };
    let applied = command(&["migrate", "up"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let newest = applied.stdout.lines().last().unwrap().trim_start_matches("applied ").to_owned();
    database.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    let refused = command(&["--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for part in ["99990101000000", newest.as_str(), "chat-server migrate down"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
}
