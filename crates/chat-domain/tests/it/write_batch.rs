//! A batch of writes has the replies and the effects of the same writes one by one.

use std::sync::Arc;

use chat_domain::model::{
    AgentUpdate, ChatSession, DetailsUpdate, MessageId, Principal, Priority, Seq, SessionAction, SessionEvent,
    SessionId, Statistics,
};
use chat_domain::ports::{AgentDirectory, EventLog, LogLimit, SessionRepository, StatsReader};
use chat_domain::write::{Facts, MarkRead, MarkUpTo, OpenSession, SessionWrite, WriteBatch};
use chat_testkit::fixtures::{
    agent_id, alice, assign, at, bob, carol, change, draft, idempotency, keyed, mallory, message_id, new_session_of,
    root, session_id, transfer, update,
};
use chat_testkit::{MemoryStore, RecordingNotifier};
use proptest::prelude::*;

/// A write whose ids and times follow from its place in the sequence.
#[derive(Clone, Debug)]
enum Step {
    Open { owner: usize, key: Option<u8>, limit: Option<u32> },
    Append { session: u64, author: usize, key: Option<u8>, meaning: u8 },
    Change { session: u64, by: usize, action: u8 },
    MarkRead { session: u64, reader: usize, messages: Vec<u64> },
    ReadUpTo { session: u64, reader: usize, up_to: u64 },
    Deliver { session: u64, receiver: usize, up_to: u64 },
}

fn people() -> [Principal; 5] {
    [alice(), mallory(), bob(), carol(), root()]
}

/// Sessions 1 and 2 are there from the start; session 3 never is.
fn sessions() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(1), 3 => Just(2), 1 => Just(3)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = || 0..5_usize;
    let key = || prop::option::of(0..3_u8);
    let step = prop_oneof![
        2 => (person(), key(), prop::option::of(1..4_u32))
            .prop_map(|(owner, key, limit)| Step::Open { owner, key, limit }),
        6 => (sessions(), person(), key(), 0..2_u8)
            .prop_map(|(session, author, key, meaning)| Step::Append { session, author, key, meaning }),
        3 => (sessions(), person(), 0..7_u8).prop_map(|(session, by, action)| Step::Change { session, by, action }),
        2 => (sessions(), person(), prop::collection::vec(0..30_u64, 0..5))
            .prop_map(|(session, reader, messages)| Step::MarkRead { session, reader, messages }),
        2 => (sessions(), person(), 0..40_u64)
            .prop_map(|(session, reader, up_to)| Step::ReadUpTo { session, reader, up_to }),
        2 => (sessions(), person(), 0..40_u64)
            .prop_map(|(session, receiver, up_to)| Step::Deliver { session, receiver, up_to }),
    ];
    prop::collection::vec(step, 1..40)
}

fn write_of(step: &Step, place: u64) -> SessionWrite {
    let person = |index: &usize| people()[*index].clone();
    match step {
        Step::Open { owner, key, limit } => {
            let key = key.map(|key| idempotency(&format!("open-{key}"), "an opening"));
            let session = new_session_of(&person(owner), 100 + place);
            SessionWrite::OpenSession(OpenSession { session, creator: person(owner), idempotency: key, limit: *limit })
        }
        Step::Append { session, author, key, meaning } => {
            let plain = draft(session_id(*session), &person(author), place);
            let content = chat_testkit::fixtures::content(&format!("meaning {meaning}"));
            let draft = chat_domain::model::MessageDraft { content, ..plain };
            SessionWrite::AppendMessage(match key {
                Some(key) => keyed(draft, &format!("send-{key}")),
                None => draft,
            })
        }
        Step::Change { session, by, action } => {
            let action = match action {
                0 => assign(&bob()),
                1 => assign(&carol()),
                2 => transfer(&carol()),
                3 => SessionAction::Transfer(None),
                4 => update(DetailsUpdate { priority: Some(Priority::Low), ..DetailsUpdate::default() }),
                5 => update(DetailsUpdate { subject: Some(None), ..DetailsUpdate::default() }),
                _ => SessionAction::Close,
            };
            SessionWrite::ChangeSession(session_id(*session), change(&person(by), action, place))
        }
        Step::MarkRead { session, reader, messages } => {
            let messages: Vec<MessageId> = messages.iter().map(|n| message_id(*n)).collect();
            let session_id = session_id(*session);
            SessionWrite::MarkRead(MarkRead { session_id, reader: person(reader), messages, at: at(place) })
        }
        Step::ReadUpTo { session, reader, up_to } => {
            SessionWrite::MarkReadUpTo(mark(*session, &person(reader), *up_to, place))
        }
        Step::Deliver { session, receiver, up_to } => {
            SessionWrite::MarkDelivered(mark(*session, &person(receiver), *up_to, place))
        }
    }
}

fn mark(session: u64, reader: &Principal, up_to: u64, place: u64) -> MarkUpTo {
    MarkUpTo { session_id: session_id(session), reader: reader.clone(), up_to: Seq::new(up_to), at: at(place) }
}

/// Sessions 1 and 2, of Alice, and the agents Bob, who is active, and Carol, who is deactivated in some cases.
async fn store(carol_is_active: bool) -> (Arc<MemoryStore>, Arc<RecordingNotifier>) {
    let notifier = Arc::new(RecordingNotifier::new());
    let store = MemoryStore::new(notifier.clone());
    for (agent, active) in [(bob(), true), (carol(), carol_is_active)] {
        let update = AgentUpdate { display_name: None, active: Some(active) };
        store.put(agent_id(&agent), update, at(0)).await.unwrap();
    }
    for number in [1, 2] {
        SessionRepository::open(store.as_ref(), new_session_of(&alice(), number), alice(), None).await.unwrap();
    }
    (store, notifier)
}

/// Everything that the store shows: the log of each session, its rows, and the statistics.
async fn shown(
    store: &MemoryStore,
    sessions: &[SessionId],
) -> (Vec<Vec<SessionEvent>>, Vec<Option<ChatSession>>, Statistics) {
    let (mut logs, mut rows) = (Vec::new(), Vec::new());
    for id in sessions {
        logs.push(EventLog::read(store, *id, Seq::ZERO, LogLimit::events(1_000)).await.unwrap().events);
        rows.push(SessionRepository::find(store, *id).await.unwrap());
    }
    (logs, rows, StatsReader::read(store).await.unwrap())
}

proptest! {
    #[test]
    fn a_batch_equals_its_writes_one_by_one(
        steps in steps(),
        cuts in prop::collection::vec(1..12_usize, 1..40),
        carol_is_active in any::<bool>(),
    ) {
        let writes: Vec<SessionWrite> = steps.iter().zip(1..).map(|(step, place)| write_of(step, place)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ((batched, batched_events), (single, single_events)) =
            runtime.block_on(async { (store(carol_is_active).await, store(carol_is_active).await) });
        let mut left = writes.as_slice();
        let mut replies = Vec::new();
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (batch, rest) = left.split_at(cut.min(left.len()));
            replies.extend(batched.commit(batch).into_iter().map(|reply| format!("{reply:?}")));
            left = rest;
        }
        let one_by_one: Vec<String> = writes
            .iter()
            .map(|write| format!("{:?}", single.commit(std::slice::from_ref(write)).pop().unwrap()))
            .collect();
        prop_assert_eq!(replies, one_by_one);
        let sessions: Vec<SessionId> = (1..3).chain(100..141).map(session_id).collect();
        let (of_batches, of_single) =
            runtime.block_on(async { (shown(&batched, &sessions).await, shown(&single, &sessions).await) });
        prop_assert_eq!(of_batches, of_single);
        prop_assert_eq!(batched_events.events(), single_events.events());
    }
}

#[test]
fn a_batch_that_changes_a_session_and_changes_it_back_keeps_what_it_was_opened_with() {
    let session = ChatSession::open(new_session_of(&alice(), 1));
    let first = session.priority;
    let mut facts = Facts::default();
    facts.add_session(session.clone());
    let mut batch = WriteBatch::new(facts);
    for (priority, place) in [(Priority::Low, 1), (first, 2)] {
        let action = update(DetailsUpdate { priority: Some(priority), ..DetailsUpdate::default() });
        batch.decide(&SessionWrite::ChangeSession(session.id, change(&root(), action, place))).unwrap();
    }
    let effects = batch.into_effects();
    let (_, effect) = effects.changed_sessions().next().expect("the session has changed");
    assert_eq!(effect.after.details(), session.details());
    assert!(effect.after.opened_with.is_some() && effect.changes_details());
}
