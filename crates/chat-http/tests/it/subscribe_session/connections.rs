//! How many sockets a person may have open.

use serde_json::json;

use crate::support::TestSocket;
use crate::support::handshake::refusal_for;

on_every_store! {
    async fn the_eleventh_socket_in_a_session_replaces_the_oldest(app) {
        let session = app.open_session("alice").await;
        let mut sockets = Vec::new();
        for number in 0..10 {
            sockets.push(match number % 2 {
                0 => app.watch("alice", &session, "").await,
                _ => app.watch_extended("alice", &session, "").await.0,
            });
        }
        let mut onlooker = app.watch("root", &session, "").await;
        let mut newest = app.watch("alice", &session, "").await;
        let mut sockets = sockets.into_iter();
        assert_eq!(sockets.next().unwrap().closed().await.0, 4409);
        for socket in sockets.as_mut_slice() {
            socket.settle().await;
        }
        newest.settle().await;
        onlooker.settle().await;
    }

    async fn a_request_that_opens_no_socket_replaces_none(app) {
        let session = app.open_session("alice").await;
        let mut sockets = Vec::new();
        for _ in 0..10 {
            sockets.push(app.watch("alice", &session, "").await);
        }
        app.get("alice", &format!("/ws/chat/{session}")).await.expect_error(426, "UPGRADE_REQUIRED");
        refusal_for(app, "alice", &session, "?since=99").await.expect_error(410, "REPLAY_UNAVAILABLE");
        app.say("alice", &session, "still there").await;
        for socket in &mut sockets {
            assert_eq!(socket.next().await["data"]["content"], "still there");
        }
    }

    async fn the_fifty_first_socket_of_a_person_is_refused_until_one_is_closed(app) {
        let mut sockets = Vec::new();
        for _ in 0..5 {
            let session = app.open_session("alice").await;
            for _ in 0..10 {
                sockets.push(app.watch("alice", &session, "").await);
            }
        }
        let session = app.open_session("alice").await;
        let token = app.token_of("alice");
        let bearer = format!("Bearer {token}");
        let refused = TestSocket::try_open(&app.base, &session, "", &[("authorization", &bearer)]).await;
        assert_eq!(refused.err(), Some(429));
        let answer = refusal_for(app, "alice", &session, "").await;
        assert_ne!(answer.header("retry-after"), "");
        let error = answer.expect_error(429, "TOO_MANY_SOCKETS");
        assert_eq!(error["details"], json!([]));
        // An error of the request itself comes first.
        app.get("alice", &format!("/ws/chat/{session}")).await.expect_error(426, "UPGRADE_REQUIRED");
        refusal_for(app, "alice", &session, "?since=99").await.expect_error(410, "REPLAY_UNAVAILABLE");
        app.watch("root", &session, "").await;
        drop(sockets);
        app.until_no_session_is_watched().await;
        app.watch("alice", &session, "").await;
    }
}
