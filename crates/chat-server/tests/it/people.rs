//! People who are signed out or blocked, on one server: the database keeps it, and the log says who did it and why.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PATIENCE, Person, TestServer, eventually};

const SESSIONS: &str = "/api/chat/sessions";

#[tokio::test(flavor = "multi_thread")]
async fn a_block_and_a_sign_out_outlive_the_server() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(home.path(), |_| {}).await;
    let (alice, mallory) = (server.person("alice", "user"), server.person("mallory", "user"));
    let root = server.person("root", "admin");
    assert_eq!(root.put("/api/chat/people/alice/block", &json!({})).await.status(), 204);
    assert_eq!(root.request(Method::POST, "/api/chat/people/mallory/sign-out").send().await.unwrap().status(), 204);
    server.kill();
    let server = TestServer::start_on(home.path(), |_| {}).await;
    let refused = Person::json(alice.at(server.addr).get(SESSIONS).await, 403).await;
    assert_eq!(refused["error"]["code"], "BLOCKED");
    assert_eq!(mallory.at(server.addr).get(SESSIONS).await.status(), 401);
    // A token of the second of the sign-out is refused too.
    eventually("a newer token is accepted", async || {
        server.person("mallory", "user").get(SESSIONS).await.status() == 200
    })
    .await;
    assert_eq!(
        root.at(server.addr).request(Method::DELETE, "/api/chat/people/alice/block").send().await.unwrap().status(),
        204
    );
    assert_eq!(alice.at(server.addr).get(SESSIONS).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_ended_whose_access_and_why() {
    let server = TestServer::start().await;
    let root = server.person("root", "admin");
    let reason = "abusive\nmessages \"again\"";
    assert_eq!(root.put("/api/chat/people/alice/block", &json!({ "reason": reason })).await.status(), 204);
    assert_eq!(root.request(Method::POST, "/api/chat/people/bob/sign-out").send().await.unwrap().status(), 204);
    let line = |message: &str| -> Value {
        server.stderr.wait_for(PATIENCE, |lines| {
            lines
                .iter()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line["message"] == message)
        })
    };
    let blocked = line("blocked person alice");
    let fields = [&blocked["user.id"], &blocked["person.id"], &blocked["reason"], &blocked["level"]];
    assert_eq!(fields, [&json!("root"), &json!("alice"), &json!(reason), &json!("INFO")], "{blocked}");
    let signed_out = line("signed out person bob");
    assert_eq!((&signed_out["user.id"], &signed_out["person.id"]), (&json!("root"), &json!("bob")), "{signed_out}");
}
