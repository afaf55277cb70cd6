//! What a writer remembers of a session when another node has changed it since: right, state and position are those of the
//! moment all the same, and only what was remembered wrongly is done again.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::Conflict;
use chat_domain::model::{ChatMessage, EventChange, MessageDraft, Principal, Seq, SessionAction, SessionId};
use chat_domain::ports::{
    AgentDirectory as _, EventLog as _, LogLimit, MessageRepository as _, Notifier, SessionRepository as _,
};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{
    agent_id, alice, assign, bob, carol, change, draft, keyed, message_id, new_session, root, session_id, start,
    transfer,
};
use chat_testkit::latch::{is_waiting, latch_at};
use test_servers::postgres::TestDatabase;

use crate::recorder;
use crate::support::reused;

/// The statement that appends, and the statement that locks the sessions of a batch.
const APPEND: &str = "WITH moved AS";
const LOCK: &str = "FOR UPDATE";

async fn open(database: &TestDatabase, notifier: Arc<dyn Notifier>) -> PgStore {
    recorder::install();
    let config = PgConfig { readers: 1, writers: 1, ..PgConfig::new(database.url()) };
    PgStore::open(config, notifier).await.unwrap()
}

/// A node that remembers a session of Alice, held by Bob, and another node.
struct TwoNodes {
    database: TestDatabase,
    heard: Arc<RecordingNotifier>,
    one: PgStore,
    other: PgStore,
    session: SessionId,
}

impl TwoNodes {
    async fn open() -> Self {
        let database = reused();
        let heard = Arc::new(RecordingNotifier::new());
        let one = open(&database, Arc::<RecordingNotifier>::clone(&heard)).await;
        let other = open(&database, Arc::new(RecordingNotifier::new())).await;
        for agent in [bob(), carol()] {
            other.agents.register(agent_id(&agent), None, start()).await.unwrap();
        }
        let session = other.sessions.open(new_session(1), alice(), None).await.unwrap().session.id;
        other.sessions.change(session, change(&root(), assign(&bob()), 1)).await.unwrap();
        let nodes = Self { database, heard, one, other, session };
        nodes.one.messages.append(draft(session, &bob(), 1)).await.unwrap();
        nodes
    }

    /// How many statements have appended messages and locked sessions so far.
    fn statements(&self) -> (usize, usize) {
        let times = |part| recorder::times(self.database.name(), part);
        (times(APPEND), times(LOCK))
    }

    async fn change_elsewhere(&self, by: &Principal, action: SessionAction) {
        self.other.sessions.change(self.session, change(by, action, 9)).await.unwrap();
    }

    /// Message `n`, as the log has it.
    async fn stored(&self, n: u64) -> ChatMessage {
        let log = self.other.events.read(self.session, Seq::ZERO, LogLimit::events(100)).await.unwrap().events;
        let messages = log.into_iter().filter_map(|event| match event.change {
            EventChange::Message(message) => Some(message),
            _ => None,
        });
        messages.into_iter().find(|message| message.id == message_id(n)).unwrap()
    }

    /// Checks that the first node has told of these messages and of nothing else.
    fn assert_heard(&self, expected: &[ChatMessage]) {
        assert_eq!(messages_of(&self.heard, self.session), expected);
    }
}

fn messages_of(heard: &RecordingNotifier, session: SessionId) -> Vec<ChatMessage> {
    let message = |change| match change {
        EventChange::Message(message) => message,
        other => panic!("{other:?} was committed by another node"),
    };
    heard.changes_of(session).into_iter().map(|event| message(event.change)).collect()
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_message_to_a_remembered_session_takes_one_statement() {
    let nodes = TwoNodes::open().await;
    let (appends, locks) = nodes.statements();
    let sent = nodes.one.messages.append(draft(nodes.session, &alice(), 2)).await.unwrap();
    assert_eq!(nodes.statements(), (appends + 1, locks));
    assert_eq!(sent.message.seq, Seq::new(4));
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn an_agent_who_lost_a_remembered_session_elsewhere_sends_nothing() {
    let nodes = TwoNodes::open().await;
    nodes.change_elsewhere(&root(), transfer(&carol())).await;
    let refused = nodes.one.messages.append(draft(nodes.session, &bob(), 2)).await;
    assert!(matches!(refused, Err(ChatError::Forbidden(_))), "{refused:?}");
    let sent = nodes.one.messages.append(draft(nodes.session, &carol(), 3)).await.unwrap();
    assert_eq!(sent.message.seq, Seq::new(5));
    nodes.assert_heard(&[nodes.stored(1).await, sent.message]);
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn an_agent_who_got_a_remembered_session_elsewhere_may_send() {
    let nodes = TwoNodes::open().await;
    nodes.change_elsewhere(&root(), transfer(&carol())).await;
    // What is remembered would refuse it; a refusal is decided again on the locked row.
    let sent = nodes.one.messages.append(draft(nodes.session, &carol(), 2)).await.unwrap();
    assert_eq!(sent.message.seq, Seq::new(5));
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_remembered_session_that_was_closed_elsewhere_takes_no_message() {
    let nodes = TwoNodes::open().await;
    nodes.change_elsewhere(&alice(), SessionAction::Close).await;
    for _ in 0..2 {
        let refused = nodes.one.messages.append(draft(nodes.session, &alice(), 2)).await;
        assert!(matches!(refused, Err(ChatError::Conflict(Conflict::SessionClosed))), "{refused:?}");
    }
    assert_eq!(nodes.one.events.head(nodes.session).await.unwrap(), Some(Seq::new(4)));
    nodes.assert_heard(&[nodes.stored(1).await]);
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_message_follows_those_of_another_node() {
    let nodes = TwoNodes::open().await;
    let mut sent = vec![nodes.stored(1).await];
    for n in 1..4 {
        nodes.other.messages.append(draft(nodes.session, &alice(), 2 * n)).await.unwrap();
        sent.push(nodes.one.messages.append(draft(nodes.session, &bob(), 2 * n + 1)).await.unwrap().message);
    }
    let positions: Vec<u64> = sent.iter().map(|message| message.seq.get()).collect();
    assert_eq!(positions, [3, 5, 7, 9]);
    nodes.assert_heard(&sent);
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_repeated_key_answers_the_first_message_wherever_it_was_sent() {
    let nodes = TwoNodes::open().await;
    let mut heard = vec![nodes.stored(1).await];
    let (one, other) = (&nodes.one, &nodes.other);
    for (n, first, second) in [(2, one, one), (3, other, one), (4, one, other)] {
        let sent = keyed(draft(nodes.session, &alice(), n), &format!("k{n}"));
        let answered = first.messages.append(sent.clone()).await.unwrap();
        assert!(!answered.replayed);
        let again = second.messages.append(MessageDraft { id: message_id(10 + n), ..sent.clone() }).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.message, answered.message);
        let other_meaning = keyed(draft(nodes.session, &alice(), 20 + n), &format!("k{n}"));
        let refused = second.messages.append(other_meaning).await;
        assert!(matches!(refused, Err(ChatError::Conflict(Conflict::IdempotencyKeyReused(_)))), "{refused:?}");
        if std::ptr::eq(first, one) {
            heard.push(answered.message);
        }
    }
    nodes.assert_heard(&heard);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn only_the_stale_session_of_a_batch_is_written_again() {
    let database = reused();
    let (latch, holder) = latch_at(4);
    let one = open(&database, Arc::<chat_testkit::latch::Latch>::clone(&latch)).await;
    let other = open(&database, Arc::new(RecordingNotifier::new())).await;
    let ids = [1, 2, 3, 4].map(session_id);
    for n in 1..=4 {
        other.sessions.open(new_session(n), alice(), None).await.unwrap();
    }
    let mut sent = Vec::new();
    for (n, id) in (1..).zip(&ids[..3]) {
        sent.push(one.messages.append(draft(*id, &alice(), n)).await.unwrap().message);
    }
    let messages = Arc::clone(&one.messages);
    let standing = tokio::spawn(async move { messages.append(draft(session_id(4), &alice(), 4)).await });
    holder.wait();
    other.messages.append(draft(ids[1], &alice(), 5)).await.unwrap();
    let mut batch: Vec<_> =
        (6..).zip(&ids[..3]).map(|(n, id)| Box::pin(one.messages.append(draft(*id, &alice(), n)))).collect();
    for write in &mut batch {
        assert!(is_waiting(write.as_mut()).await, "the writer stands, so nothing is answered");
    }
    let before = [APPEND, LOCK].map(|part| recorder::times(database.name(), part));
    holder.release();
    standing.await.unwrap().unwrap();
    for write in batch {
        sent.push(write.await.unwrap().message);
    }
    let after = [APPEND, LOCK].map(|part| recorder::times(database.name(), part));
    assert_eq!(after, [before[0] + 2, before[1] + 1], "all of them once, then the stale one with its lock");
    let positions: Vec<u64> = sent.iter().map(|message| message.seq.get()).collect();
    assert_eq!(positions, [2, 2, 2, 3, 4, 3]);
    for (n, id) in ids[..3].iter().enumerate() {
        assert_eq!(messages_of(&latch.heard, *id), [sent[n].clone(), sent[n + 3].clone()], "each is published once");
    }
}

/// Changes the row as neither a node nor a migration does: the position stays what it was.
async fn change_by_hand(set: &str) -> TwoNodes {
    let nodes = TwoNodes::open().await;
    nodes.database.sql(&format!("UPDATE chat_sessions SET {set}"));
    nodes
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_row_that_came_to_the_remembered_position_in_another_way_is_not_written_over() {
    let nodes = change_by_hand("status = 'closed', ended_at = 1").await;
    let refused = nodes.one.messages.append(draft(nodes.session, &bob(), 2)).await;
    assert!(matches!(refused, Err(ChatError::Conflict(Conflict::SessionClosed))), "{refused:?}");

    let nodes = change_by_hand("agent_id = 'carol'").await;
    let refused = nodes.one.messages.append(draft(nodes.session, &bob(), 2)).await;
    assert!(matches!(refused, Err(ChatError::Forbidden(_))), "{refused:?}");

    let nodes = change_by_hand("message_count = 41").await;
    nodes.one.messages.append(draft(nodes.session, &bob(), 2)).await.unwrap();
    assert_eq!(nodes.other.sessions.find(nodes.session).await.unwrap().unwrap().progress.message_count, 42);
}
