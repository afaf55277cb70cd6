//! Events of a kind that only a newer version knows may have taken away the right to see the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::error::Result;
use chat_domain::inbox::{InboxPage, InboxQuery};
use chat_domain::model::{
    AgentId, ChatMessage, ChatSession, Content, Delivery, EventChange, KnownPeople, LiveEvent, Party, Role, Seq,
    SessionEvent, SessionId, SessionPage, SessionQuery, SessionState,
};
use chat_domain::ports::{Clock, Notifier, SessionRepository};
use chat_domain::service::Ports;
use chat_domain::write::{SessionWrite, WriteReply};
use chat_http::{HttpSettings, SocketSettings};
use chat_testkit::fixtures;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::app::Options;
use crate::support::{Store, TestApp};

/// How a test delays what the store returns, and takes the session from its agent without a known event.
struct Control {
    is_slow: AtomicBool,
    is_taken: AtomicBool,
    /// A permit for each look-up that has read the session and waits.
    has_read: Semaphore,
    may_return: Semaphore,
}

impl Control {
    const fn new() -> Self {
        Self {
            is_slow: AtomicBool::new(false),
            is_taken: AtomicBool::new(false),
            has_read: Semaphore::const_new(0),
            may_return: Semaphore::const_new(0),
        }
    }

    fn slow(&self, whether: bool) {
        self.is_slow.store(whether, Ordering::SeqCst);
    }

    /// From here on the session is another agent's.
    fn take_away(&self) {
        self.is_taken.store(true, Ordering::SeqCst);
    }

    /// Waits until one more look-up has read the session and is slow to return it.
    async fn read(&self) {
        self.has_read.acquire().await.unwrap().forget();
    }

    /// Lets the look-up return that has waited longest.
    fn release(&self) {
        self.may_return.add_permits(1);
    }
}

struct Controlled(Arc<dyn SessionRepository>, &'static Control);

#[async_trait]
impl SessionRepository for Controlled {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.0.write(write).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        let Self(inner, control) = self;
        let mut found = inner.find(id).await?;
        if control.is_taken.load(Ordering::SeqCst)
            && let Some(session) = &mut found
        {
            session.state = SessionState::Active { agent: Some(AgentId::from(&fixtures::carol().id)) };
        }
        if control.is_slow.load(Ordering::SeqCst) {
            control.has_read.add_permits(1);
            control.may_return.acquire().await.unwrap().forget();
        }
        Ok(found)
    }

    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        self.0.list(query).await
    }

    async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage> {
        self.0.inbox(query).await
    }
}

/// Publishes an event as another node does.
fn publish(app: &TestApp, session: &str, seq: u64, change: impl FnOnce(SessionId, Seq) -> EventChange) {
    let (session_id, seq) = (SessionId::parse(session).unwrap(), Seq::new(seq));
    let (at, actor) = (app.clock.now(), fixtures::alice().id);
    let change = change(session_id, seq);
    app.hub.publish(LiveEvent::Durable(SessionEvent {
        session_id,
        seq,
        at,
        actor,
        key: None,
        change,
        people: KnownPeople::default(),
    }));
}

fn unknown(_: SessionId, _: Seq) -> EventChange {
    EventChange::Unknown
}

fn secret(session_id: SessionId, seq: Seq) -> EventChange {
    EventChange::Message(ChatMessage {
        id: fixtures::message_id(1),
        session_id,
        seq,
        author: fixtures::alice().id,
        sender: Party::User,
        content: Content::from_store("not for bob".to_owned()),
        sent_at: fixtures::at(1),
        delivery: Delivery::from_moments(None, None),
        attachments: Vec::new(),
    })
}

async fn app(recheck_every: Duration, replace_ports: fn(Ports) -> Ports) -> TestApp {
    let sockets = SocketSettings { recheck_every, ..SocketSettings::default() };
    let http = HttpSettings { sockets, ..HttpSettings::default() };
    TestApp::with(Store::Memory, Options { http, replace_ports: Some(replace_ports), ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_behind_an_unknown_one_wait_for_the_recheck() {
    static CONTROL: Control = Control::new();
    let replace_ports = |ports: Ports| Ports { sessions: Arc::new(Controlled(ports.sessions, &CONTROL)), ..ports };
    let app = app(Duration::from_mins(1), replace_ports).await;
    let session = app.open_assigned("alice", "bob").await;
    let mut bob = app.watch("bob", &session, "").await;
    CONTROL.slow(true);
    publish(&app, &session, 3, unknown);
    CONTROL.read().await;
    // The second unknown event takes the session away after the recheck for the first one has read it.
    CONTROL.take_away();
    publish(&app, &session, 4, unknown);
    publish(&app, &session, 5, secret);
    // The frame of the message would come before the answer to the ping.
    bob.settle().await;
    CONTROL.slow(false);
    CONTROL.release();
    assert_eq!(bob.closed().await, (4403, "access lost".to_owned()));
    assert!(bob.raw().await.is_none());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recheck_that_read_before_an_unknown_event_does_not_count() {
    static CONTROL: Control = Control::new();
    let replace_ports = |ports: Ports| Ports { sessions: Arc::new(Controlled(ports.sessions, &CONTROL)), ..ports };
    let app = app(Duration::from_millis(20), replace_ports).await;
    let session = app.open_assigned("alice", "bob").await;
    let (mut bob, _) = app.watch_extended("bob", &session, "").await;
    CONTROL.slow(true);
    // The periodic one.
    CONTROL.read().await;
    CONTROL.take_away();
    CONTROL.slow(false);
    publish(&app, &session, 3, unknown);
    publish(&app, &session, 4, secret);
    let beat = bob.next().await;
    assert_eq!((&beat["type"], &beat["data"]["seq"]), (&json!("heartbeat"), &json!(3)), "{beat}");
    CONTROL.release();
    assert_eq!(bob.closed().await, (4403, "access lost".to_owned()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_read_before_an_unknown_event_does_not_count() {
    static CONTROL: Control = Control::new();
    let replace_ports = |ports: Ports| Ports { sessions: Arc::new(Controlled(ports.sessions, &CONTROL)), ..ports };
    let app = app(Duration::from_mins(1), replace_ports).await;
    let session = app.open_assigned("alice", "bob").await;
    let (mut bob, _) = app.watch_extended("bob", &session, "").await;
    CONTROL.slow(true);
    bob.say("auth", json!({ "token": app.token("bob", Role::Agent) })).await;
    CONTROL.read().await;
    CONTROL.take_away();
    publish(&app, &session, 3, unknown);
    publish(&app, &session, 4, secret);
    assert_eq!(bob.next().await["type"], "heartbeat");
    // The recheck waits behind the renewal.
    CONTROL.read().await;
    CONTROL.slow(false);
    CONTROL.release();
    assert_eq!(bob.next().await["type"], "auth_ok");
    assert_eq!(bob.closed().await, (4403, "access lost".to_owned()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_continue_behind_unknown_ones_while_access_is_kept() {
    static CONTROL: Control = Control::new();
    let replace_ports = |ports: Ports| Ports { sessions: Arc::new(Controlled(ports.sessions, &CONTROL)), ..ports };
    let app = app(Duration::from_mins(1), replace_ports).await;
    let session = app.open_assigned("alice", "bob").await;
    let mut bob = app.watch("bob", &session, "").await;
    for seq in 3..40 {
        publish(&app, &session, seq, unknown);
    }
    publish(&app, &session, 40, secret);
    assert_eq!(bob.next().await["data"]["content"], "not for bob");
    app.stop().await;
}
