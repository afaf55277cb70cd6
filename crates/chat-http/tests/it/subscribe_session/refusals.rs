//! What is refused before a request becomes a socket.

use chat_testkit::fixtures;
use serde_json::json;

use crate::support::handshake::refusal_for;
use crate::support::{TestApp, TestSocket};

async fn refusal(app: &TestApp, session: &str, query: &str, headers: &[(&'static str, &str)]) -> u16 {
    TestSocket::try_open(&app.base, session, query, headers).await.err().expect("a refusal")
}

async fn refusal_of(app: &TestApp, who: &str, session: &str) -> u16 {
    refusal(app, session, "", &[("authorization", &format!("Bearer {}", app.token_of(who)))]).await
}

on_every_store! {
    async fn a_request_without_upgrade_is_asked_for_one(app) {
        let session = app.open_session("alice").await;
        let answer = app.get("alice", &format!("/ws/chat/{session}")).await;
        assert_eq!(answer.header("upgrade"), "websocket");
        let message = answer.expect_error(426, "UPGRADE_REQUIRED")["message"].clone();
        assert!(message.as_str().unwrap().contains("a proxy on the way has dropped the headers Upgrade"), "{message}");
        app.until_no_session_is_watched().await;
    }

    async fn an_upgrade_that_is_no_handshake_is_bad_input(app) {
        use crate::support::app::send;
        let session = app.open_session("alice").await;
        let handshake = || {
            app.request("alice", reqwest::Method::GET, &format!("/ws/chat/{session}"))
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
        };
        send(handshake()).await.expect_error(400, "VALIDATION_FAILED");
        send(handshake().header("sec-websocket-version", "13")).await.expect_error(400, "VALIDATION_FAILED");
        let old = handshake().header("sec-websocket-version", "12").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        send(old).await.expect_error(400, "VALIDATION_FAILED");
        app.until_no_session_is_watched().await;
    }

    async fn without_a_token_in_the_authorization_header_there_is_no_socket(app) {
        let session = app.open_session("alice").await;
        let token = app.token_of("alice");
        assert_eq!(refusal(app, &session, "", &[]).await, 401);
        assert_eq!(refusal(app, &session, "", &[("authorization", "Bearer x.y.z")]).await, 401);
        assert_eq!(refusal(app, &session, "", &[("cookie", &format!("token={token}"))]).await, 401);
        for name in ["token", "access_token", "ticket"] {
            assert_eq!(refusal(app, &session, &format!("?{name}={token}"), &[]).await, 401);
        }
        let subprotocol = format!("bearer, {token}");
        assert_eq!(refusal(app, &session, "", &[("sec-websocket-protocol", &subprotocol)]).await, 401);
    }

    async fn a_session_is_watched_only_by_those_who_may_see_it(app) {
        let session = app.open_assigned("alice", "bob").await;
        assert_eq!(refusal_of(app, "mallory", &session).await, 403);
        assert_eq!(refusal_of(app, "carol", &session).await, 403);
        let unassigned = app.open_session("alice").await;
        assert_eq!(refusal_of(app, "mallory", &unassigned).await, 403);
        app.watch("carol", &unassigned, "").await;
        app.put("alice", &format!("/api/chat/sessions/{unassigned}/close"), json!(null)).await.expect(200);
        assert_eq!(refusal_of(app, "carol", &unassigned).await, 403);
        app.watch("alice", &unassigned, "").await;
        app.watch("root", &session, "").await;
        app.until_no_session_is_watched().await;
    }

    async fn a_session_that_does_not_exist_cannot_be_watched(app) {
        for id in [&fixtures::session_id(9).to_string(), "1", "not-an-id", "%00"] {
            for who in ["alice", "bob", "root"] {
                assert_eq!(refusal_of(app, who, id).await, 404, "{who} {id}");
            }
            assert_eq!(refusal(app, id, "", &[]).await, 401);
        }
    }

    async fn a_wrong_start_is_bad_input(app) {
        let session = app.open_session("alice").await;
        let other = app.open_session("alice").await;
        let foreign = app.say("alice", &other, "elsewhere").await;
        let foreign = foreign["id"].as_str().unwrap();
        let get = async |query: String| refusal_for(app, "alice", &session, &format!("?{query}")).await;
        for since in ["abc", "-1", "+1", "1.5", "0x1", "1e3", "", "%20", "9223372036854775808", "99999999999999999999"] {
            get(format!("since={since}")).await.expect_invalid("since");
        }
        get("since=0&since=0".to_owned()).await.expect_invalid("since");
        for after in [&fixtures::message_id(9).to_string(), foreign, "abc", "", "%00"] {
            get(format!("after={after}")).await.expect_invalid("after");
        }
        get(format!("since=0&after={foreign}")).await.expect_invalid("after");
        // The same before an upgrade as without one.
        let token = format!("Bearer {}", app.token_of("alice"));
        for query in ["?since=abc", "?since=-1", &format!("?after={foreign}"), &format!("?since=0&after={foreign}")] {
            assert_eq!(refusal(app, &session, query, &[("authorization", &token)]).await, 400);
        }
    }

    async fn a_wrong_start_is_reported_only_to_those_who_may_watch(app) {
        let session = app.open_session("alice").await;
        app.get("mallory", &format!("/ws/chat/{session}?since=abc")).await.expect_error(403, "FORBIDDEN");
        let unknown = fixtures::session_id(9);
        app.get("alice", &format!("/ws/chat/{unknown}?since=abc")).await.expect_error(404, "SESSION_NOT_FOUND");
    }

    async fn of_several_reasons_the_first_in_order_is_reported(app) {
        let session = app.open_session("alice").await;
        let unknown = fixtures::session_id(9);
        let bearer = |who: &str| format!("Bearer {}", app.token_of(who));
        let [alice, mallory] = [bearer("alice"), bearer("mallory")];
        let foreign = ("origin", "https://evil.example");
        let handshake = async |session: &str, query: &str, headers: &[(&'static str, &str)]| {
            refusal(app, session, query, headers).await
        };
        assert_eq!(handshake(&unknown.to_string(), "?since=abc", &[("authorization", "Bearer x.y.z")]).await, 401);
        assert_eq!(handshake(&session, "?since=abc", &[("authorization", &mallory)]).await, 403);
        assert_eq!(handshake(&session, "?since=abc", &[("authorization", &alice), foreign]).await, 403);
        assert_eq!(handshake(&session, "?since=abc", &[("authorization", &alice)]).await, 400);
        assert_eq!(handshake(&session, "?since=99", &[("authorization", &alice)]).await, 410);
        let plain = async |query: &str| app.get("alice", &format!("/ws/chat/{session}{query}")).await;
        plain("?since=abc").await.expect_error(400, "VALIDATION_FAILED");
        plain("?since=99").await.expect_error(426, "UPGRADE_REQUIRED");
    }
}
