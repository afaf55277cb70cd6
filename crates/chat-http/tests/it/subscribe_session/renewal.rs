//! A newer token on an open socket of the extended mode.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::error::Result;
use chat_domain::inbox::{InboxPage, InboxQuery};
use chat_domain::model::{
    Agent, AgentId, AgentStatus, AgentUpdate, ChatSession, DisplayName, Role, SessionId, SessionPage, SessionQuery,
    Timestamp,
};
use chat_domain::ports::{AgentDirectory, Clock, SessionRepository};
use chat_domain::service::Ports;
use chat_domain::write::{SessionWrite, WriteReply};
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::support::app::{Options, token};
use crate::support::{Store, TestApp, TestSocket};

/// A token that ends after some seconds from now.
fn short_token(app: &TestApp, sub: &str, seconds: u64) -> String {
    let now = app.clock.now();
    token(sub, Role::User, now, now.plus(Duration::from_secs(seconds)))
}

/// What a time has below its seconds.
fn milliseconds(time: &Value) -> &str {
    &time.as_str().unwrap()[19..]
}

async fn next_but_warnings(socket: &mut TestSocket) -> Value {
    let mut frame = socket.next().await;
    while frame["type"] == "auth_expiring" {
        frame = socket.next().await;
    }
    frame
}

on_every_store! {
    async fn the_end_of_a_token_is_announced(app) {
        let session = app.open_session("alice").await;
        let token = short_token(app, "alice", 30);
        let (mut alice, hello) = TestSocket::open_extended(&app.base, &session, "", &token).await;
        let warning = alice.next().await;
        assert_eq!(warning["type"], "auth_expiring");
        // Both are what the token says, which has whole seconds.
        assert_eq!(warning["data"]["expiresAt"], hello["tokenExpiresAt"]);
        assert_eq!(milliseconds(&hello["tokenExpiresAt"]), ".000Z", "{hello}");
        let newer = app.token_of("alice");
        alice.say("auth", json!({ "token": newer })).await;
        let accepted = next_but_warnings(&mut alice).await;
        assert_eq!(accepted["type"], "auth_ok");
        assert_eq!(milliseconds(&accepted["data"]["expiresAt"]), ".000Z", "{accepted}");
    }

    async fn a_token_ends_by_the_wall_clock_on_a_machine_that_was_suspended(app) {
        let session = app.open_session("alice").await;
        let mut base = app.watch("alice", &session, "").await;
        let (mut extended, _) = app.watch_extended("alice", &session, "").await;
        // While a machine sleeps, its wall clock goes on and its monotonic clock does not.
        app.clock.advance(Duration::from_hours(2));
        // With a new token, so what happens is sent. It reaches no socket whose token has ended.
        app.say("alice", &session, "too late").await;
        assert_eq!(base.closed().await, (4401, "token expired".to_owned()));
        assert_eq!(extended.closed().await, (4401, "token expired".to_owned()));
    }

    async fn a_socket_outlives_its_first_token_by_a_newer_one(app) {
        let session = app.open_session("alice").await;
        let token = short_token(app, "alice", 2);
        let (mut alice, _) = TestSocket::open_extended(&app.base, &session, "", &token).await;
        let (mut other, _) = TestSocket::open_extended(&app.base, &session, "", &token).await;
        alice.say_as("r", "auth", json!({ "token": app.token_of("alice") })).await;
        let accepted = next_but_warnings(&mut alice).await;
        assert_eq!(accepted["type"], "auth_ok", "{accepted}");
        assert!(accepted["data"]["expiresAt"].as_str().unwrap().ends_with('Z'));
        // The one without a newer token tells when the first one has ended.
        assert_eq!(next_closed(&mut other).await, (4401, "token expired".to_owned()));
        app.say("alice", &session, "still here").await;
        assert_eq!(next_but_warnings(&mut alice).await["data"]["content"], "still here");
    }

    async fn a_token_that_is_refused_changes_nothing(app) {
        let session = app.open_session("alice").await;
        let first = short_token(app, "alice", 2);
        let (mut alice, _) = TestSocket::open_extended(&app.base, &session, "", &first).await;
        for token in [app.token_of("mallory"), "x.y.z".to_owned(), String::new()] {
            alice.say_as("r", "auth", json!({ "token": token })).await;
            let refusal = next_but_warnings(&mut alice).await;
            assert_eq!(refusal["type"], "error", "{refusal}");
            assert_eq!((&refusal["data"]["code"], &refusal["data"]["ref"]), (&json!("UNAUTHENTICATED"), &json!("r")));
        }
        app.say("alice", &session, "still here").await;
        assert_eq!(next_but_warnings(&mut alice).await["data"]["content"], "still here");
        assert_eq!(next_closed(&mut alice).await, (4401, "token expired".to_owned()));
        assert!(alice.raw().await.is_none());
    }

    async fn a_newer_token_with_a_lower_role_takes_access_away(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut bob, _) = app.watch_extended("bob", &session, "").await;
        bob.say("auth", json!({ "token": app.token("bob", Role::User) })).await;
        assert_eq!(bob.closed().await, (4403, "access lost".to_owned()));
    }
}

/// The close frame after any warnings.
async fn next_closed(socket: &mut TestSocket) -> (u16, String) {
    socket.closed_after("auth_expiring").await
}

/// A directory that takes ten seconds, of a clock that goes on by being looked at.
struct SlowDirectory {
    inner: Arc<dyn AgentDirectory>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl AgentDirectory for SlowDirectory {
    async fn find(&self, id: &AgentId) -> Result<Option<Agent>> {
        let until = self.clock.now().plus(Duration::from_secs(10));
        while self.clock.now() < until {}
        self.inner.find(id).await
    }

    async fn deactivated_among(&self, ids: Vec<AgentId>) -> Result<Vec<AgentId>> {
        self.inner.deactivated_among(ids).await
    }

    async fn list(&self) -> Result<Vec<Agent>> {
        self.inner.list().await
    }

    async fn put(&self, id: AgentId, update: AgentUpdate, at: Timestamp) -> Result<(Agent, bool)> {
        self.inner.put(id, update, at).await
    }

    async fn register(&self, id: AgentId, name: Option<DisplayName>, at: Timestamp) -> Result<Agent> {
        self.inner.register(id, name, at).await
    }

    async fn deactivate(&self, id: &AgentId) -> Result<Option<Agent>> {
        self.inner.deactivate(id).await
    }

    async fn set_status(&self, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>> {
        self.inner.set_status(id, status).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_during_its_check_changes_nothing() {
    let replace_ports: fn(Ports) -> Ports = |ports| {
        let (inner, clock) = (Arc::clone(&ports.agents), Arc::clone(&ports.clock));
        Ports { agents: Arc::new(SlowDirectory { inner, clock }), ..ports }
    };
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let (mut alice, _) = app.watch_extended("alice", &session, "").await;
    // Only agents are looked up in the directory.
    let now = app.clock.now();
    let short = token("alice", Role::Agent, now, now.plus(Duration::from_secs(5)));
    alice.say_as("r", "auth", json!({ "token": short })).await;
    let refusal = alice.next().await;
    assert_eq!(refusal["type"], "error", "{refusal}");
    assert_eq!((&refusal["data"]["code"], &refusal["data"]["ref"]), (&json!("UNAUTHENTICATED"), &json!("r")));
    app.say("alice", &session, "still here").await;
    assert_eq!(alice.next().await["data"]["content"], "still here");
    app.stop().await;
}

/// Sessions that are not found, and not missing either, while a test holds the lock for itself.
struct GatedSessions(Arc<dyn SessionRepository>);

static LOOKING: RwLock<()> = RwLock::const_new(());

#[async_trait]
impl SessionRepository for GatedSessions {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.0.write(write).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        let _may_look = LOOKING.read().await;
        self.0.find(id).await
    }

    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        self.0.list(query).await
    }

    async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage> {
        self.0.inbox(query).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_lower_role_nothing_is_shown_before_it_is_known_to_suffice() {
    let replace_ports: fn(Ports) -> Ports =
        |ports| Ports { sessions: Arc::new(GatedSessions(Arc::clone(&ports.sessions))), ..ports };
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    // Of a customer's session an admin sees nothing as a user, of their own everything.
    for (owner, may_stay) in [("alice", false), ("root", true)] {
        let session = app.open_session(owner).await;
        let (mut root, _) = app.watch_extended("root", &session, "").await;
        let withheld = LOOKING.write().await;
        root.say("auth", json!({ "token": app.token("root", Role::User) })).await;
        root.settle().await;
        app.say(owner, &session, "after the question").await;
        // The frame of the message would come before the answer to the ping.
        root.settle().await;
        drop(withheld);
        if may_stay {
            assert_eq!(root.next().await["type"], "auth_ok");
            assert_eq!(root.next().await["data"]["content"], "after the question");
        } else {
            assert_eq!(root.closed().await, (4403, "access lost".to_owned()));
            assert!(root.raw().await.is_none());
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_tokens_whose_checks_run_at_the_same_time_the_later_one_counts() {
    let replace_ports: fn(Ports) -> Ports =
        |ports| Ports { sessions: Arc::new(GatedSessions(Arc::clone(&ports.sessions))), ..ports };
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let (mut alice, _) = app.watch_extended("alice", &session, "").await;
    // The earlier one lives longer, so that a socket which ended with it would outlive the later one.
    for (earlier, later) in [(7_200, 3_600), (600, 7_200)] {
        let withheld = LOOKING.write().await;
        let [earlier, later] = [earlier, later].map(|seconds| short_token(&app, "alice", seconds));
        alice.say_as("earlier", "auth", json!({ "token": earlier })).await;
        alice.settle().await;
        alice.say_as("later", "auth", json!({ "token": later })).await;
        alice.settle().await;
        drop(withheld);
        let accepted = alice.next().await;
        assert_eq!(accepted["type"], "auth_ok", "{accepted}");
        assert_eq!(accepted["data"]["expiresAt"].as_str().unwrap(), expiry(&later), "the end of the later token");
        // No reply about the earlier one follows.
        alice.settle().await;
    }
    app.stop().await;
}

/// When a token ends, as `auth_ok` says it.
fn expiry(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    Timestamp::from_unix_ms(claims["exp"].as_i64().unwrap() * 1_000).to_string()
}
