//! When a socket ends because of its token, of a lost right, or of the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::error::Result;
use chat_domain::inbox::{InboxPage, InboxQuery};
use chat_domain::model::{ChatSession, Role, SessionId, SessionPage, SessionQuery, SessionState};
use chat_domain::ports::{Clock, SessionRepository};
use chat_domain::service::Ports;
use chat_domain::write::{SessionWrite, WriteReply};
use chat_http::{HttpSettings, SocketSettings};
use chat_testkit::fixtures;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::app::{Options, token};
use crate::support::{TestApp, TestSocket};

fn frequent_checks() -> Options {
    let sockets = SocketSettings { recheck_every: Duration::from_millis(20), ..SocketSettings::default() };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

/// A store that knows a session no longer once it is closed.
struct Forgetful(Arc<dyn SessionRepository>);

#[async_trait]
impl SessionRepository for Forgetful {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.0.write(write).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        let found = self.0.find(id).await?;
        Ok(found.filter(|session| matches!(session.state, SessionState::Active { .. })))
    }

    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        self.0.list(query).await
    }

    async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage> {
        self.0.inbox(query).await
    }
}

fn sessions_that_vanish() -> Options {
    let replace_ports: fn(Ports) -> Ports =
        |ports| Ports { sessions: Arc::new(Forgetful(Arc::clone(&ports.sessions))), ..ports };
    Options { replace_ports: Some(replace_ports), ..frequent_checks() }
}

async fn transfer(app: &TestApp, by: &str, session: &str, to: Option<&str>) {
    let path = format!("/api/chat/sessions/{session}/transfer");
    app.put(by, &path, json!({ "agentId": to })).await.expect(200);
}

on_every_store! {
    async fn a_socket_ends_with_its_token_and_shows_nothing_after_that(app) {
        let session = app.open_session("alice").await;
        let now = app.clock.now();
        let token = token("alice", Role::User, now, now.plus(Duration::from_secs(2)));
        let mut socket = TestSocket::open(&app.base, &session, "", &token).await;
        app.say("alice", &session, "in time").await;
        assert_eq!(socket.next().await["data"]["content"], "in time");
        assert_eq!(socket.closed().await, (4401, "token expired".to_owned()));
        app.say("alice", &session, "too late").await;
        assert!(socket.raw().await.is_none());
        app.until_no_session_is_watched().await;
    }

    async fn a_transfer_is_the_last_event_on_the_former_agents_socket(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        let mut bob = app.watch("bob", &session, "").await;
        // An agent enters the directory with their first request.
        app.get("carol", "/api/chat/sessions").await.expect(200);
        transfer(app, "bob", &session, Some("carol")).await;
        app.say("alice", &session, "for carol alone").await;
        let update = bob.next().await;
        assert_eq!((&update["type"], &update["data"]["agentId"]), (&json!("session_update"), &json!("carol")));
        assert_eq!(bob.closed().await, (4403, "access lost".to_owned()));
        assert_eq!(alice.next().await, update);
        assert_eq!(alice.next().await["type"], "message");
        let refused = [("authorization", format!("Bearer {}", app.token_of("bob")))];
        let refused = refused.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(TestSocket::try_open(&app.base, &session, "", &refused).await.err(), Some(403));
    }

    async fn a_session_handed_back_to_the_queue_may_still_be_seen(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.watch("bob", &session, "").await;
        transfer(app, "bob", &session, None).await;
        let update = bob.next().await;
        assert_eq!((&update["type"], &update["data"]["agentId"]), (&json!("session_update"), &json!(null)));
        bob.settle().await;
    }

    async fn an_onlooking_agents_socket_is_closed_when_another_claims(app) {
        let session = app.open_session("alice").await;
        let mut bob = app.watch("bob", &session, "").await;
        let mut carol = app.watch("carol", &session, "").await;
        app.put("bob", &format!("/api/chat/sessions/{session}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        let update = carol.next().await;
        assert_eq!((&update["type"], &update["data"]["agentId"]), (&json!("session_update"), &json!("bob")));
        assert_eq!(carol.closed().await, (4403, "access lost".to_owned()));
        assert_eq!(bob.next().await, update);
        bob.settle().await;
    }

    async fn a_closed_session_keeps_the_sockets_of_those_who_may_still_see_it(app) {
        let session = app.open_session("alice").await;
        let mut alice = app.watch("alice", &session, "").await;
        let mut root = app.watch("root", &session, "").await;
        let mut carol = app.watch("carol", &session, "").await;
        app.put("alice", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        for socket in [&mut alice, &mut root, &mut carol] {
            let update = socket.next().await;
            assert_eq!((&update["type"], &update["data"]["status"]), (&json!("session_update"), &json!("closed")));
        }
        assert_eq!(carol.closed().await, (4403, "access lost".to_owned()));
        alice.settle().await;
        root.settle().await;
    }

    async fn a_socket_ends_when_the_server_shuts_down(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        app.hub.shutdown();
        assert_eq!(socket.closed().await, (1001, "draining".to_owned()));
        assert!(socket.raw().await.is_none());
    }

    async fn a_close_frame_of_the_client_is_answered_with_1000(app) {
        let session = app.open_session("alice").await;
        let polite = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
        for frame in [Some(polite), None] {
            let mut socket = app.watch("alice", &session, "").await;
            socket.send(Message::Close(frame)).await;
            assert_eq!(socket.closed().await, (1000, "done".to_owned()));
            assert!(socket.raw().await.is_none());
        }
        app.until_no_session_is_watched().await;
    }

    async fn a_lost_connection_leaves_no_subscription_behind(app) {
        let session = app.open_session("alice").await;
        let sockets = [app.watch("alice", &session, "").await, app.watch("alice", &session, "?since=0").await];
        assert_eq!(app.hub.subscriptions(), 2);
        drop(sockets);
        app.until_no_session_is_watched().await;
        assert_eq!(app.hub.sessions(), 0);
    }
}

/// Deactivates bob as another node or the command line does it: this node gets no notice of it.
async fn deactivate_elsewhere(app: &TestApp) {
    app.agents.deactivate(&fixtures::agent_id(&fixtures::bob())).await.unwrap();
}

on_every_store! {
    async fn a_deactivated_agents_sockets_are_closed(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.watch("bob", &session, "").await;
        let (mut extended, _) = app.watch_extended("bob", &session, "").await;
        let mut alice = app.watch("alice", &session, "").await;
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        for socket in [&mut bob, &mut extended] {
            assert_eq!(socket.closed().await, (4403, "access lost".to_owned()));
        }
        alice.settle().await;
        app.say("alice", &session, "still here").await;
        assert_eq!(alice.next().await["type"], "message");
    }

    async fn sockets_of_an_agent_deactivated_elsewhere_are_ended(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.watch("bob", &session, "").await;
        let (mut extended, _) = app.watch_extended("bob", &session, "").await;
        let mut alice = app.watch("alice", &session, "").await;
        deactivate_elsewhere(app).await;
        assert_eq!(app.service.close_sockets_of_deactivated_agents().await.unwrap(), 2);
        app.say("alice", &session, "still here").await;
        for socket in [&mut bob, &mut extended] {
            assert_eq!(socket.closed().await, (4403, "access lost".to_owned()));
        }
        assert_eq!(alice.next().await["type"], "message");
    }

    async fn until_its_sockets_end_a_deactivated_agent_records_nothing(app) {
        let session = app.open_assigned("alice", "bob").await;
        let message = app.say("alice", &session, "hello").await;
        for said in ["ack", "read"] {
            let (mut bob, hello) = app.watch_extended("bob", &session, "").await;
            deactivate_elsewhere(app).await;
            // It is refused where it would be recorded, and the socket need not wait for the next look.
            bob.say(said, json!({ "seq": hello["seq"] })).await;
            assert_eq!(bob.closed().await, (4403, "access lost".to_owned()), "{said}");
            let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await;
            assert_eq!(page.header("x-chat-seq"), "3", "{said} took no place");
            let kept = &page.expect(200)["messages"][0];
            assert_eq!((&kept["id"], &kept["status"]), (&message["id"], &json!("sent")), "{said}");
            app.put("root", "/api/chat/agents/bob", json!({ "active": true })).await.expect(200);
        }
    }
}

on_every_store! {
    with frequent_checks;

    async fn a_recheck_finds_a_deactivated_agent_too(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.watch("bob", &session, "").await;
        deactivate_elsewhere(app).await;
        assert_eq!(bob.closed().await, (4403, "access lost".to_owned()));
    }
}

on_every_store! {
    with sessions_that_vanish;

    async fn a_socket_ends_with_a_session_that_is_there_no_longer(app) {
        let session = app.open_session("alice").await;
        let mut alice = app.watch("alice", &session, "").await;
        app.put("alice", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        assert_eq!(alice.closed_after("session_update").await, (4404, "session gone".to_owned()));
        app.until_no_session_is_watched().await;
    }
}
