//! What ends one subscription, and what ends the whole socket.

use std::time::Duration;

use chat_domain::model::Role;
use chat_domain::ports::Clock;
use chat_http::{HttpSettings, SocketSettings};
use serde_json::json;

use crate::support::app::{Options, token};
use crate::support::{Store, TestApp, TestSocket};

fn frequent_checks() -> Options {
    let sockets = SocketSettings { recheck_every: Duration::from_millis(20), ..SocketSettings::default() };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

on_every_store! {
    async fn a_transfer_ends_the_subscription_alone(app) {
        let (taken, kept) = (app.open_assigned("alice", "bob").await, app.open_assigned("alice", "bob").await);
        let mut bob = app.open_socket("bob").await;
        bob.subscribe(&taken, json!({})).await;
        bob.subscribe(&kept, json!({})).await;
        app.get("carol", "/api/chat/sessions").await.expect(200);
        let path = format!("/api/chat/sessions/{taken}/transfer");
        app.put("bob", &path, json!({ "agentId": "carol" })).await.expect(200);
        app.say("alice", &taken, "for carol alone").await;
        app.say("alice", &kept, "for bob").await;
        let (mut updated, mut ended, mut told) = (false, false, false);
        while !(updated && ended && told) {
            let frame = bob.next().await;
            match (frame["type"].as_str().unwrap(), frame["sessionId"] == json!(taken)) {
                ("session_update", true) => {
                    assert_eq!((&frame["data"]["agentId"], ended), (&json!("carol"), false));
                    updated = true;
                }
                ("unsubscribed", true) => {
                    assert_eq!(frame["data"], json!({ "code": 4403, "reason": "access lost" }));
                    ended = true;
                }
                ("message", false) => told = true,
                _ => panic!("{frame}"),
            }
        }
        bob.settle().await;
        bob.say_of(&taken, "subscribe", json!({})).await;
        assert_eq!(bob.unsubscribed(&taken).await.0, 4403);
        assert_eq!(app.hub.subscriptions(), 1);
    }

    async fn an_onlooker_loses_what_another_claims_and_nothing_else(app) {
        let (claimed, waiting) = (app.open_session("alice").await, app.open_session("alice").await);
        let mut carol = app.open_socket("carol").await;
        carol.subscribe(&claimed, json!({})).await;
        carol.subscribe(&waiting, json!({})).await;
        app.put("bob", &format!("/api/chat/sessions/{claimed}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        assert_eq!(carol.next().await["type"], "session_update");
        assert_eq!(carol.unsubscribed(&claimed).await.0, 4403);
        app.put("alice", &format!("/api/chat/sessions/{waiting}/close"), json!(null)).await.expect(200);
        assert_eq!(carol.next().await["data"]["status"], "closed");
        assert_eq!(carol.unsubscribed(&waiting).await.0, 4403);
        carol.settle().await;
    }

    async fn the_end_of_the_persons_access_closes_the_socket(app) {
        let session = app.open_session("alice").await;
        let mut quiet = app.open_socket("alice").await;
        let mut alice = app.open_socket("alice").await;
        alice.subscribe(&session, json!({})).await;
        app.post("root", "/api/chat/people/alice/sign-out", json!(null)).await.expect(204);
        for socket in [&mut alice, &mut quiet] {
            assert_eq!(socket.closed().await, (4401, "signed out".to_owned()));
        }
        let mut mallory = app.open_socket("mallory").await;
        app.put("root", "/api/chat/people/mallory/block", json!({})).await.expect(204);
        assert_eq!(mallory.closed().await, (4403, "blocked".to_owned()));
        let assigned = app.open_session("carol-customer").await;
        let mut carol = app.open_socket("carol").await;
        carol.subscribe(&assigned, json!({})).await;
        app.get("carol", "/api/chat/sessions").await.expect(200);
        app.delete("root", "/api/chat/agents/carol").await.expect(200);
        assert_eq!(carol.closed().await, (4403, "access lost".to_owned()));
        app.until_no_session_is_watched().await;
    }

    async fn a_socket_ends_with_its_token(app) {
        let session = app.open_session("alice").await;
        let now = app.clock.now();
        let short = token("alice", Role::User, now, now.plus(Duration::from_secs(2)));
        let (mut alice, _) = TestSocket::open_multiplexed(&app.base, &short).await;
        assert_eq!(alice.next().await["type"], "auth_expiring");
        alice.subscribe(&session, json!({})).await;
        assert_eq!(alice.closed_after("auth_expiring").await, (4401, "token expired".to_owned()));
    }

    async fn a_newer_token_of_the_same_person_prolongs_the_socket(app) {
        let session = app.open_session("alice").await;
        let now = app.clock.now();
        let short = token("alice", Role::User, now, now.plus(Duration::from_secs(30)));
        let (mut alice, _) = TestSocket::open_multiplexed(&app.base, &short).await;
        assert_eq!(alice.next().await["type"], "auth_expiring");
        alice.subscribe(&session, json!({})).await;
        alice.say("auth", json!({ "token": app.token_of("mallory") })).await;
        assert_eq!(alice.error().await, ("UNAUTHENTICATED".to_owned(), "auth".to_owned(), json!(null)));
        alice.say("auth", json!({ "token": app.token_of("alice") })).await;
        assert_eq!(alice.next().await["type"], "auth_ok");
        app.say("alice", &session, "still here").await;
        assert_eq!(alice.next().await["data"]["content"], "still here");
    }

    async fn with_a_lower_role_each_subscription_is_asked_again(app) {
        let (own, foreign) = (app.open_session("root").await, app.open_session("alice").await);
        let mut root = app.open_socket("root").await;
        root.subscribe(&own, json!({})).await;
        root.subscribe(&foreign, json!({})).await;
        root.say("auth", json!({ "token": app.token("root", Role::User) })).await;
        let (mut accepted, mut ended) = (false, false);
        while !(accepted && ended) {
            let frame = root.next().await;
            match frame["type"].as_str().unwrap() {
                "auth_ok" => accepted = true,
                "unsubscribed" => {
                    assert_eq!((&frame["sessionId"], &frame["data"]["code"]), (&json!(foreign), &json!(4403)));
                    ended = true;
                }
                _ => panic!("{frame}"),
            }
        }
        app.say("alice", &foreign, "not for root").await;
        app.say("root", &own, "for root").await;
        assert_eq!(root.next().await["sessionId"], json!(own));
        root.say_of(&foreign, "subscribe", json!({})).await;
        assert_eq!(root.unsubscribed(&foreign).await.0, 4403);
    }
}

on_every_store! {
    with frequent_checks;

    async fn a_recheck_finds_a_deactivated_agent_with_and_without_subscriptions(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bare = app.open_socket("bob").await;
        let mut bob = app.open_socket("bob").await;
        bob.subscribe(&session, json!({})).await;
        // As another node does it: this node gets no notice.
        app.agents.deactivate(&chat_testkit::fixtures::agent_id(&chat_testkit::fixtures::bob())).await.unwrap();
        for socket in [&mut bare, &mut bob] {
            assert_eq!(socket.closed().await, (4403, "access lost".to_owned()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_with_and_without_subscriptions_are_closed_when_the_server_stops() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_assigned("alice", "bob").await;
    app.say("alice", &session, "hello").await;
    let mut bare = app.open_socket("alice").await;
    let mut bob = app.open_socket("bob").await;
    let seq = bob.subscribe(&session, json!({})).await["seq"].clone();
    bob.say_of(&session, "ack", json!({ "seq": seq })).await;
    while bob.next().await["type"] != "receipt" {}
    let message = app.say("alice", &session, "are you there?").await;
    let frame = bob.next().await;
    bob.say_of(&session, "read", json!({ "seq": frame["seq"] })).await;
    bob.settle_after("receipt").await;
    let path = format!("/api/chat/sessions/{session}/messages/{}", message["id"].as_str().unwrap());
    assert_eq!(app.get("alice", &path).await.expect(200)["status"], "read");
    let stopped = tokio::spawn(app.stop());
    for socket in [&mut bare, &mut bob] {
        assert_eq!(socket.closed_after("receipt").await, (1001, "draining".to_owned()));
        assert!(socket.raw().await.is_none());
    }
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_opened_while_the_server_stops_is_closed_with_1012() {
    let app = TestApp::start(Store::Memory).await;
    app.drain();
    let mut early = app.open_socket("alice").await;
    app.service.close_sockets();
    let mut late = app.open_socket("alice").await;
    for socket in [&mut early, &mut late] {
        assert_eq!(socket.closed().await, (1012, "restarting".to_owned()));
    }
    app.stop().await;
}
