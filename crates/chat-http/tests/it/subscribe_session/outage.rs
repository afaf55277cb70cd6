//! Sockets while a store is out of reach, or slow.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_domain::ChatError;
use chat_domain::error::{Refusal, Result};
use chat_domain::model::{AttachmentId, MessageId, MessageQuery, SessionId, SessionSnapshot};
use chat_domain::ports::{
    AttachmentLookup, EventStream, MessageLookup, MessageRepository, SessionFeed, StreamCloseReason, StreamItem,
    SubscribeRequest, Subscription,
};
use chat_domain::service::Ports;
use chat_domain::write::{SessionWrite, WriteReply};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::app::Options;
use crate::support::{Store, TestApp};

/// What a store does with a delivery.
#[derive(Clone, Copy)]
enum MessageFault {
    /// Fails this often before it works.
    Fails(u32),
    /// Refuses the first one, as that of an agent who is deactivated and a moment later active again.
    RefusesOne,
    /// Never returns.
    Hangs,
}

struct FaultyMessages {
    inner: Arc<dyn MessageRepository>,
    fault: MessageFault,
    asked: AtomicU32,
}

#[async_trait]
impl MessageRepository for FaultyMessages {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        match (&write, self.fault) {
            (SessionWrite::MarkDelivered(_), MessageFault::Hangs) => pending().await,
            (SessionWrite::MarkDelivered(_), MessageFault::Fails(times))
                if self.asked.fetch_add(1, Ordering::Relaxed) < times =>
            {
                Err(ChatError::unavailable("the store is unreachable"))
            }
            (SessionWrite::MarkDelivered(_), MessageFault::RefusesOne)
                if self.asked.fetch_add(1, Ordering::Relaxed) == 0 =>
            {
                Err(Refusal::AgentDeactivated.into())
            }
            _ => self.inner.write(write).await,
        }
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        self.inner.page(session, query).await
    }

    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        self.inner.find(session, message).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        self.inner.find_attachment(id).await
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        self.inner.unknown_attachments(ids).await
    }
}

fn with_fault(mut ports: Ports, fault: MessageFault) -> Ports {
    ports.messages = Arc::new(FaultyMessages { inner: ports.messages, fault, asked: AtomicU32::new(0) });
    ports
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_acknowledgement_is_reported_once_and_recorded_later() {
    let replace_ports: fn(Ports) -> Ports = |ports| with_fault(ports, MessageFault::Fails(2));
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_assigned("alice", "bob").await;
    let (mut alice, _) = app.watch_extended("alice", &session, "").await;
    app.say("bob", &session, "hello").await;
    assert_eq!(alice.next().await["seq"], 3);
    alice.say_as("a1", "ack", json!({ "seq": 3 })).await;
    let refusal = alice.next().await;
    assert_eq!((&refusal["type"], &refusal["data"]["code"]), (&json!("error"), &json!("UNAVAILABLE")), "{refusal}");
    assert_eq!(refusal["data"]["ref"], "a1");
    assert_eq!(refusal["data"]["message"], "the service is busy; try again later", "nothing of the cause");
    let receipt = alice.next().await;
    assert_eq!((&receipt["type"], &receipt["data"]["upToSeq"]), (&json!("receipt"), &json!(3)), "{receipt}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_refused_to_a_deactivated_agent_are_not_recorded_when_the_socket_ends() {
    let replace_ports: fn(Ports) -> Ports = |ports| with_fault(ports, MessageFault::RefusesOne);
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_assigned("alice", "bob").await;
    let (mut alice, _) = app.watch_extended("alice", &session, "").await;
    assert_eq!(app.say("alice", &session, "hello").await["seq"], 3);
    assert_eq!(alice.next().await["seq"], 3);
    let (mut bob, _) = app.watch_extended("bob", &session, "").await;
    bob.say("ack", json!({ "seq": 3 })).await;
    assert_eq!(bob.closed().await, (4403, "access lost".to_owned()));
    app.say("alice", &session, "is anyone there?").await;
    let next = alice.next().await;
    assert_eq!((&next["type"], &next["seq"]), (&json!("message"), &json!(4)), "{next}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_holds_up_neither_events_nor_pongs() {
    let replace_ports: fn(Ports) -> Ports = |ports| with_fault(ports, MessageFault::Hangs);
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_assigned("alice", "bob").await;
    let (mut alice, _) = app.watch_extended("alice", &session, "").await;
    app.say("bob", &session, "one").await;
    assert_eq!(alice.next().await["seq"], 3);
    alice.say("ack", json!({ "seq": 3 })).await;
    // The pong waits for what was sent before to be recorded, but not without end.
    alice.settle().await;
    app.say("bob", &session, "two").await;
    assert_eq!(alice.next().await["seq"], 4);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_pinging_gets_its_pong_while_a_store_hangs() {
    let replace_ports: fn(Ports) -> Ports = |ports| with_fault(ports, MessageFault::Hangs);
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_assigned("alice", "bob").await;
    let (mut alice, _) = app.watch_extended("alice", &session, "").await;
    app.say("bob", &session, "one").await;
    assert_eq!(alice.next().await["seq"], 3);
    alice.say("ack", json!({ "seq": 3 })).await;
    let begun = Instant::now();
    let mut pings = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            _ = pings.tick() => alice.send(Message::Ping("there?".into())).await,
            frame = alice.raw() => match frame.expect("an open socket") {
                Message::Pong(_) => break,
                other => assert!(matches!(other, Message::Ping(_)), "{other:?}"),
            },
        }
    }
    // The store is given up after ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    app.stop().await;
}

/// A feed whose streams fail this often before they give anything out.
struct Failing {
    inner: Arc<dyn SessionFeed>,
    times: u32,
}

struct FailingStream {
    inner: Box<dyn EventStream>,
    left: u32,
}

#[async_trait]
impl SessionFeed for Failing {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        let Subscription { outcome, stream: inner } = self.inner.subscribe(request).await?;
        Ok(Subscription { outcome, stream: Box::new(FailingStream { inner, left: self.times }) })
    }
}

impl EventStream for FailingStream {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<StreamItem>> {
        if self.left == 0 {
            return self.inner.poll_next(context);
        }
        self.left -= 1;
        Poll::Ready(Err(ChatError::unavailable("the event log is unreachable")))
    }

    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<StreamCloseReason> {
        self.inner.poll_closed(context)
    }
}

fn with_failing_feed(ports: Ports, times: u32) -> Ports {
    Ports { feed: Arc::new(Failing { inner: Arc::clone(&ports.feed), times }), ..ports }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_cannot_be_read_for_a_moment_are_sent_later() {
    let replace_ports: fn(Ports) -> Ports = |ports| with_failing_feed(ports, 1);
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let mut alice = app.watch("alice", &session, "").await;
    app.say("alice", &session, "late").await;
    assert_eq!(alice.next().await["data"]["content"], "late");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_whose_events_stay_unreadable_is_closed() {
    let replace_ports: fn(Ports) -> Ports = |ports| with_failing_feed(ports, u32::MAX);
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let begun = Instant::now();
    let mut alice = app.watch("alice", &session, "").await;
    assert_eq!(alice.closed().await, (1013, "try again later".to_owned()));
    assert!(begun.elapsed() > Duration::from_secs(4), "it tried again a few times: {:?}", begun.elapsed());
    app.until_no_session_is_watched().await;
    app.stop().await;
}
