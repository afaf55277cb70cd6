//! What several suites need: running things at once, and comparing what a store says in different ways.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use chat_domain::model::{ChatMessage, EventChange, MessageCursor, MessageQuery, Seq, SessionEvent, SessionId};
use chat_domain::ports::LogLimit;
use tokio::sync::Barrier;

use super::StoreUnderTest;
use crate::fixtures::limit;

/// How often a race is run: a store without a guard wins a single one too easily.
pub(crate) const ROUNDS: u64 = 16;

/// Runs all tasks at the same time, each on a task of its own and started together, and gives their answers in order.
pub(crate) async fn at_once<F>(tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<F> = tasks.into_iter().collect();
    let start = Arc::new(Barrier::new(tasks.len()));
    let spawn = |task: F| {
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            task.await
        })
    };
    let running: Vec<_> = tasks.into_iter().map(spawn).collect();
    let mut answers = Vec::with_capacity(running.len());
    for task in running {
        answers.push(task.await.expect("the task does not panic"));
    }
    answers
}

/// Polls a future `times` times and drops it, as a server does whose client has gone.
pub(crate) async fn abandon<F: Future>(future: F, times: usize) {
    let mut future = Box::pin(future);
    for _ in 0..times {
        let done = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if done {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Every change of a session as the log tells it, read in small pieces, and checked to be without gap.
pub(crate) async fn whole_log(store: &StoreUnderTest, session: SessionId) -> Vec<SessionEvent> {
    const PIECE: LogLimit = LogLimit { events: 7, bytes: 64 * 1024 };
    let mut log: Vec<SessionEvent> = Vec::new();
    loop {
        let after = log.last().map_or(Seq::ZERO, |event| event.seq);
        let piece = store.events.read(session, after, PIECE).await.expect("the log answers");
        log.extend(piece.events);
        if !piece.is_full {
            break;
        }
    }
    for (position, event) in (1..).zip(&log) {
        assert_eq!(event.seq.get(), position, "the log has no gap");
        assert_eq!(event.session_id, session, "the log tells of its own session");
    }
    log
}

/// Checks that the log and the notifier tell the same story, and that it ends where the session says.
pub(crate) async fn assert_published_as_logged(store: &StoreUnderTest, session: SessionId) -> Vec<SessionEvent> {
    let log = whole_log(store, session).await;
    assert_eq!(store.notifier.changes_of(session), log, "each change is published once and in order");
    let last = store.session(session).await.progress.last_seq;
    assert_eq!(log.last().map(|event| event.seq), Some(last), "the log ends at the session's position");
    log
}

/// The same for the changes up to `up_to`, when later ones may still be on their way to the notifier.
pub(crate) async fn assert_published_up_to(store: &StoreUnderTest, session: SessionId, up_to: Seq) {
    let until = |events: Vec<SessionEvent>| events.into_iter().filter(|event| event.seq <= up_to).collect::<Vec<_>>();
    let published = until(store.notifier.changes_of(session));
    assert_eq!(published, until(whole_log(store, session).await), "each change is published once and in order");
}

/// The messages of a log, oldest first.
pub(crate) fn messages_in(log: &[SessionEvent]) -> Vec<ChatMessage> {
    let message = |event: &SessionEvent| match &event.change {
        EventChange::Message(message) => Some(message.clone()),
        _ => None,
    };
    log.iter().filter_map(message).collect()
}

/// Every message of a session as pages give them, oldest first.
pub(crate) async fn whole_history(store: &StoreUnderTest, session: SessionId) -> Vec<ChatMessage> {
    let mut pages = Vec::new();
    let mut cursor = MessageCursor::Newest;
    loop {
        let query = MessageQuery { cursor, limit: limit(100), known: None };
        let snapshot = store.messages.page(session, query).await.expect("the store answers");
        let page = snapshot.and_then(|snapshot| snapshot.page.page()).expect("the session and the cursor exist");
        let oldest = page.messages.first().map(|message| message.id);
        let has_more = page.has_more;
        pages.push(page.messages);
        match oldest {
            Some(oldest) if has_more => cursor = MessageCursor::Before(oldest),
            _ => return pages.into_iter().rev().flatten().collect(),
        }
    }
}

/// A small deterministic source of choices (the generator of Knuth's MMIX, upper half).
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
