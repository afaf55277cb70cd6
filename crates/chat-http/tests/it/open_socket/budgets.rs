//! How many frames the client of a socket of many sessions may send.

use serde_json::json;

use crate::support::{Store, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_have_a_budget_of_their_own() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let mut alice = app.open_socket("alice").await;
    for _ in 0..100 {
        alice.subscribe(&session, json!({})).await;
        alice.say_of(&session, "unsubscribe", json!({})).await;
        assert_eq!(alice.unsubscribed(&session).await.0, 1000);
    }
    // None of them has counted among the forty of other frames.
    for _ in 0..20 {
        alice.say("heartbeat", json!({})).await;
    }
    alice.settle().await;
    for _ in 0..200 {
        alice.say_of(&session, "unsubscribe", json!({})).await;
    }
    let (code, reason) = alice.closed_after("error").await;
    assert_eq!((code, reason.as_str()), (4429, "too many frames; wait 30 seconds"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_other_frames_have_the_budget_of_every_socket() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let mut alice = app.open_socket("alice").await;
    alice.subscribe(&session, json!({})).await;
    for _ in 0..40 {
        alice.say_of(&session, "ack", json!({ "seq": 1 })).await;
    }
    for _ in 0..40 {
        alice.say("later", json!({})).await;
    }
    assert_eq!(alice.closed().await.0, 4429);
    app.stop().await;
}
