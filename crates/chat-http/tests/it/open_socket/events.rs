//! The events of many sessions on one socket: each as on a socket of its own, all of them fairly.

use serde_json::{Value, json};

use crate::support::{Store, TestApp};

/// A frame without the session that it names.
fn without_session(mut frame: Value) -> (String, Value) {
    let session = frame.as_object_mut().unwrap().remove("sessionId").expect("a session");
    (session.as_str().unwrap().to_owned(), frame)
}

on_every_store! {
    async fn events_are_those_of_a_socket_of_the_session(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alone = app.watch_extended("alice", &session, "?since=0").await.0;
        let mut alice = app.open_socket("alice").await;
        alice.subscribe(&session, json!({ "since": 0 })).await;
        let keyed = app.request("alice", reqwest::Method::POST, &format!("/api/chat/sessions/{session}/messages"));
        let keyed = keyed.header("idempotency-key", "k-1").json(&json!({ "content": "mine" }));
        crate::support::app::send(keyed).await.expect(201);
        let message = app.say("bob", &session, "hers").await;
        let read = json!({ "messageIds": [message["id"]] });
        app.put("alice", &format!("/api/chat/sessions/{session}/read"), read).await.expect(204);
        app.post("bob", &format!("/api/chat/sessions/{session}/typing"), json!({ "isTyping": true })).await.expect(204);
        app.put("bob", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        let mut last = json!(null);
        while last["data"]["status"] != "closed" {
            let expected = alone.next().await;
            let (of, frame) = without_session(alice.next().await);
            assert_eq!((of, &frame), (session.clone(), &expected));
            last = frame;
        }
    }

    async fn the_eleventh_of_a_person_ends_the_oldest_subscription_alone(app) {
        let (crowded, other) = (app.open_session("alice").await, app.open_session("alice").await);
        let mut oldest = app.open_socket("alice").await;
        oldest.subscribe(&crowded, json!({})).await;
        oldest.subscribe(&other, json!({})).await;
        let mut others = Vec::new();
        for number in 0..10 {
            if number % 2 == 0 {
                others.push(app.watch_extended("alice", &crowded, "").await.0);
            } else {
                let mut socket = app.open_socket("alice").await;
                socket.subscribe(&crowded, json!({})).await;
                others.push(socket);
            }
        }
        assert_eq!(oldest.unsubscribed(&crowded).await, (4409, "replaced by a newer socket".to_owned()));
        app.say("alice", &other, "still here").await;
        assert_eq!(oldest.next().await["data"]["content"], "still here");
        // A subscription ends a whole socket that has no other session.
        oldest.subscribe(&crowded, json!({})).await;
        assert_eq!(others[0].closed().await, (4409, "replaced by a newer socket".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_session_is_served_beside_noisy_ones() {
    const NOISY: usize = 5;
    const MESSAGES: usize = 300;
    let app = TestApp::start(Store::Memory).await;
    let mut noisy = Vec::new();
    for _ in 0..NOISY {
        let session = app.open_session("alice").await;
        for number in 0..MESSAGES {
            app.say("alice", &session, &format!("{number}")).await;
        }
        noisy.push(session);
    }
    let quiet = app.open_session("alice").await;
    app.say("alice", &quiet, "hello?").await;
    let mut alice = app.open_socket("alice").await;
    for session in noisy.iter().chain([&quiet]) {
        alice.say_of(session, "subscribe", json!({ "since": 0 })).await;
    }
    let (mut before_quiet, mut left) = (0, NOISY * MESSAGES);
    let mut is_quiet_done = false;
    while left > 0 {
        let frame = alice.next().await;
        if frame["type"] != "message" {
            continue;
        }
        if frame["sessionId"] == json!(quiet) {
            is_quiet_done = true;
        } else {
            left -= 1;
            before_quiet += usize::from(!is_quiet_done);
        }
    }
    assert!(is_quiet_done);
    // It was asked for last, and is opened when one of the first four is.
    assert!(before_quiet < NOISY * MESSAGES / 2, "{before_quiet} came before it");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_sessions_are_watched_and_no_more() {
    let app = TestApp::start(Store::Memory).await;
    let mut sessions = Vec::new();
    for _ in 0..101 {
        sessions.push(app.open_session("alice").await);
    }
    let mut alice = app.open_socket("alice").await;
    let (last, first) = sessions.split_last().unwrap();
    for session in first {
        alice.say_of(session, "subscribe", json!({})).await;
    }
    for _ in first {
        assert_eq!(alice.next().await["type"], "subscribed");
    }
    alice.say_of(last, "subscribe", json!({})).await;
    let error = alice.error().await;
    assert_eq!(error, ("TOO_MANY_SUBSCRIPTIONS".to_owned(), "subscribe".to_owned(), json!(last)));
    assert_eq!(app.hub.subscriptions(), 100);
    for session in &sessions {
        app.say("alice", session, "hello").await;
    }
    let mut told = std::collections::BTreeSet::new();
    while told.len() < 100 {
        told.insert(alice.next().await["sessionId"].as_str().unwrap().to_owned());
    }
    assert!(!told.contains(last));
    // A subscription that ends makes room for another.
    alice.say_of(&first[0], "unsubscribe", json!({})).await;
    assert_eq!(alice.unsubscribed(&first[0]).await.0, 1000);
    alice.subscribe(last, json!({})).await;
    drop(alice);
    app.until_no_session_is_watched().await;
    app.stop().await;
}
