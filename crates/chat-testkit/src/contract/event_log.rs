//! What every `EventLog` tells.

use std::sync::Arc;

use chat_domain::model::{
    ChatMessage, Content, Delivery, EventChange, IdempotencyKey, MessageDraft, Seq, SessionAction, SessionEvent,
    SessionId,
};
use chat_domain::ports::{LogLimit, LogPage, MAX_HEADS};

use super::checks::{assert_published_as_logged, at_once, messages_in, whole_history};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    alice, at, attachment, bob, carol, draft, idempotency, keyed, message_id, new_session, root, session_id, transfer,
};

contract_cases! { $ event_log_contract for event_log on crate::contract::StoreUnderTest:
    an_unknown_session_has_no_head_and_no_changes,
    the_head_is_the_position_of_the_newest_change,
    changes_are_read_right_after_a_position_without_gap,
    a_page_is_full_if_and_only_if_its_limit_ended_it,
    a_page_is_the_longest_within_its_limits,
    a_page_has_one_event_whatever_it_weighs,
    nothing_comes_after_the_end_or_a_far_away_position,
    the_heads_are_those_of_the_sessions_that_exist,
    a_session_that_is_named_twice_has_one_head,
    heads_of_the_most_sessions_allowed_are_read_at_once,
    the_log_replays_what_was_published,
    a_replayed_message_is_as_it_was_sent,
    a_message_has_its_authors_key_and_nothing_else_has_one,
    a_replayed_change_shows_the_session_as_it_was_then,
    a_message_has_its_position,
    an_id_of_no_message_of_the_session_has_no_position,
    the_epoch_stays_whatever_happens_in_the_sessions,
}

/// A session with one change of every kind, and two messages.
async fn eventful(store: &StoreUnderTest, n: u64) -> SessionId {
    let id = store.held_by_bob(n).await;
    let files = vec![attachment(10 * n, b"one"), attachment(10 * n + 1, b"two")];
    let first = MessageDraft { attachments: files.into(), ..draft(id, &alice(), 10 * n) };
    store.messages.append(keyed(first, KEY)).await.unwrap();
    store.messages.mark_delivered(id, bob(), Seq::new(3), at(20)).await.unwrap();
    store.on_duty(&carol()).await;
    store.change(id, &root(), transfer(&carol())).await;
    store.messages.mark_read(id, carol(), vec![message_id(10 * n)], at(30)).await.unwrap();
    store.say(id, &carol(), 10 * n + 1).await;
    store.change(id, &carol(), SessionAction::Transfer(None)).await;
    store.change(id, &alice(), SessionAction::Close).await;
    store.messages.mark_read(id, alice(), vec![message_id(10 * n + 1)], at(40)).await.unwrap();
    id
}

/// A page of so many events of any weight.
async fn read(store: &StoreUnderTest, id: SessionId, after: u64, events: u32) -> LogPage {
    store.events.read(id, Seq::new(after), LogLimit::events(events)).await.unwrap()
}

const CHANGES: u64 = 10;

/// The key of the first message of an eventful session.
const KEY: &str = "a-key";

async fn an_unknown_session_has_no_head_and_no_changes(store: &StoreUnderTest) {
    store.waiting(1).await;
    assert_eq!(store.events.head(session_id(9)).await.unwrap(), None);
    assert_eq!(read(store, session_id(9), 0, 10).await, LogPage::default());
    assert_eq!(store.events.position_of(session_id(9), message_id(1)).await.unwrap(), None);
}

async fn the_head_is_the_position_of_the_newest_change(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    assert_eq!(store.events.head(id).await.unwrap(), Some(Seq::new(1)));
    store.say(id, &alice(), 1).await;
    assert_eq!(store.events.head(id).await.unwrap(), Some(Seq::new(2)));
    store.change(id, &alice(), SessionAction::Close).await;
    assert_eq!(store.events.head(id).await.unwrap(), Some(Seq::new(3)));
}

/// What the store says of some sessions, in their order.
async fn heads(store: &StoreUnderTest, sessions: Vec<SessionId>) -> Vec<(SessionId, u64)> {
    let mut heads: Vec<_> = store.events.heads(sessions).await.unwrap();
    heads.sort();
    heads.into_iter().map(|(id, seq)| (id, seq.get())).collect()
}

async fn the_heads_are_those_of_the_sessions_that_exist(store: &StoreUnderTest) {
    let busy = eventful(store, 1).await;
    let waiting = store.waiting(2).await;
    store.waiting(3).await;
    assert_eq!(heads(store, vec![session_id(9), waiting, busy]).await, [(busy, CHANGES), (waiting, 1)]);
    assert_eq!(heads(store, vec![session_id(9)]).await, []);
    assert_eq!(heads(store, Vec::new()).await, []);
}

async fn a_session_that_is_named_twice_has_one_head(store: &StoreUnderTest) {
    let ids = [store.waiting(1).await, store.waiting(2).await];
    let named = (0..MAX_HEADS).map(|n| ids[n % 2]).collect();
    assert_eq!(heads(store, named).await, ids.map(|id| (id, 1)));
}

async fn heads_of_the_most_sessions_allowed_are_read_at_once(store: &StoreUnderTest) {
    let many = MAX_HEADS as u64;
    let open = |worker: u64| {
        let sessions = Arc::clone(&store.sessions);
        async move {
            for n in (worker..many).step_by(10) {
                sessions.open(new_session(n), alice(), None).await.unwrap();
            }
        }
    };
    at_once((0..10).map(open)).await;
    store.say(session_id(7), &alice(), 1).await;
    let expected: Vec<_> = (0..many).map(|n| (session_id(n), if n == 7 { 2 } else { 1 })).collect();
    assert_eq!(heads(store, (0..many).rev().map(session_id).collect()).await, expected);
}

async fn changes_are_read_right_after_a_position_without_gap(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    eventful(store, 2).await;
    for after in 0..CHANGES {
        for limit in [1, 2, 5, 100] {
            let events = read(store, id, after, limit).await.events;
            let positions: Vec<u64> = events.iter().map(|event| event.seq.get()).collect();
            let end = CHANGES.min(after + u64::from(limit));
            assert_eq!(positions, (after + 1..=end).collect::<Vec<_>>(), "{limit} after {after}");
            assert!(events.iter().all(|event| event.session_id == id));
        }
    }
}

async fn a_page_is_full_if_and_only_if_its_limit_ended_it(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    let whole = read(store, id, 0, 100).await;
    assert_eq!(whole.events.len() as u64, CHANGES);
    assert_eq!(whole.events.last().map(|event| event.seq), store.events.head(id).await.unwrap());
    assert!(!whole.is_full);
    let weight: usize = whole.events.iter().map(LogLimit::bytes_of).sum();
    for (bytes, is_full) in [(weight, false), (weight - 1, true)] {
        let page = store.events.read(id, Seq::ZERO, LogLimit { events: 100, bytes }).await.unwrap();
        assert_eq!(page.is_full, is_full, "{bytes} bytes of {weight}");
    }
    let changes = u32::try_from(CHANGES).unwrap();
    for (events, is_full) in [(changes + 1, false), (changes, true), (changes - 1, true)] {
        assert_eq!(read(store, id, 0, events).await.is_full, is_full, "{events} events of {CHANGES}");
    }
}

/// Messages of very different weights, files among them, and the other changes.
async fn of_many_weights(store: &StoreUnderTest) -> (SessionId, Vec<SessionEvent>) {
    let heavy = store.held_by_bob(2).await;
    for (n, length) in (100..).zip([1, 10_000, 50, 3_000, 10_000, 10_000, 7, 10_000]) {
        let content = Content::parse("🙂".repeat(length), false).unwrap();
        store
            .messages
            .append(keyed(MessageDraft { content, ..draft(heavy, &alice(), n) }, &format!("k{n}")))
            .await
            .unwrap();
    }
    let files: Vec<_> = (0..8).map(|n| attachment(200 + n, b"bytes")).collect();
    store
        .messages
        .append(keyed(MessageDraft { attachments: files.into(), ..draft(heavy, &alice(), 150) }, "f"))
        .await
        .unwrap();
    store.messages.mark_read(heavy, bob(), vec![message_id(100), message_id(101)], at(50)).await.unwrap();
    (heavy, read(store, heavy, 0, 100).await.events)
}

async fn a_page_is_the_longest_within_its_limits(store: &StoreUnderTest) {
    let (id, log) = of_many_weights(store).await;
    for after in 0..log.len() {
        let rest: Vec<SessionEvent> = log.iter().skip(after).cloned().collect();
        for bytes in [1, 1_000, 40_000, 40_256, 45_000, 81_000, 125_000, 256 * 1024] {
            for events in [1, 2, 4, 100] {
                let limit = LogLimit { events, bytes };
                let page = store.events.read(id, Seq::new(after as u64), limit).await.unwrap();
                assert_eq!(page, LogPage::within(limit, rest.clone()), "{limit:?} after {after}");
            }
        }
    }
}

async fn a_page_has_one_event_whatever_it_weighs(store: &StoreUnderTest) {
    let (id, log) = of_many_weights(store).await;
    for (after, event) in (0..).zip(&log) {
        for bytes in [0, 1] {
            let page = store.events.read(id, Seq::new(after), LogLimit { events: 100, bytes }).await.unwrap();
            assert_eq!(page.events, std::slice::from_ref(event), "after {after}");
            let is_last = after + 1 == log.len() as u64;
            assert_eq!(page.is_full, !is_last, "after {after}");
        }
    }
}

async fn nothing_comes_after_the_end_or_a_far_away_position(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    for after in [CHANGES, CHANGES + 1, 1 << 40, i64::MAX.unsigned_abs(), u64::MAX] {
        assert_eq!(read(store, id, after, 10).await, LogPage::default(), "after {after}");
    }
}

async fn the_log_replays_what_was_published(store: &StoreUnderTest) {
    for n in 1..=3 {
        let id = eventful(store, n).await;
        let log = assert_published_as_logged(store, id).await;
        let kinds: Vec<&str> = log.iter().map(|event| kind_of(&event.change)).collect();
        let expected = [
            "opened",
            "assigned",
            "message",
            "receipt",
            "transferred",
            "receipt",
            "message",
            "transferred",
            "closed",
            "receipt",
        ];
        assert_eq!(kinds, expected);
    }
}

fn kind_of(change: &EventChange) -> &'static str {
    match change {
        EventChange::Opened(_) => "opened",
        EventChange::Assigned(_) => "assigned",
        EventChange::Transferred(_) => "transferred",
        EventChange::Updated(_) => "updated",
        EventChange::Closed(_) => "closed",
        EventChange::Message(_) => "message",
        EventChange::Receipt(_) => "receipt",
        EventChange::Unknown => "unknown",
    }
}

async fn a_replayed_message_is_as_it_was_sent(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    let now = whole_history(store, id).await;
    assert!(now.iter().all(|message| message.delivery != Delivery::Sent), "both have come further since");
    let log = read(store, id, 0, 100).await.events;
    let then: Vec<_> = now.into_iter().map(ChatMessage::as_sent).collect();
    assert_eq!(messages_in(&log), then);
}

async fn a_message_has_its_authors_key_and_nothing_else_has_one(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    // A session is opened under a key too, which is no concern of those who watch it.
    let opened = store.sessions.open(new_session(2), alice(), Some(idempotency("k2", "open"))).await.unwrap();
    // The repetition of a message is no event.
    for _ in 0..2 {
        store.messages.append(keyed(draft(opened.session.id, &alice(), 30), "k3")).await.unwrap();
    }
    let keys = |log: Vec<SessionEvent>| -> Vec<(u64, IdempotencyKey)> {
        log.into_iter().filter_map(|event| Some((event.seq.get(), event.key?))).collect()
    };
    let key = |text| IdempotencyKey::parse(text).unwrap();
    for (id, expected) in [(id, [(3, key(KEY))]), (opened.session.id, [(2, key("k3"))])] {
        assert_eq!(keys(read(store, id, 0, 100).await.events), expected);
        assert_eq!(keys(store.notifier.changes_of(id)), expected);
    }
}

async fn a_replayed_change_shows_the_session_as_it_was_then(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    for event in read(store, id, 0, 100).await.events {
        if let Some(session) = event.change.session() {
            assert_eq!(session.progress.last_seq, event.seq);
            assert_eq!(session.is_active(), !matches!(event.change, EventChange::Closed(_)));
        }
    }
}

async fn a_message_has_its_position(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    for message in whole_history(store, id).await {
        assert_eq!(store.events.position_of(id, message.id).await.unwrap(), Some(message.seq));
    }
}

async fn an_id_of_no_message_of_the_session_has_no_position(store: &StoreUnderTest) {
    let id = eventful(store, 1).await;
    eventful(store, 2).await;
    for stranger in [message_id(20), message_id(99)] {
        assert_eq!(store.events.position_of(id, stranger).await.unwrap(), None);
    }
}

async fn the_epoch_stays_whatever_happens_in_the_sessions(store: &StoreUnderTest) {
    let epoch = store.events.epoch().await.unwrap();
    eventful(store, 1).await;
    assert_eq!(store.events.epoch().await.unwrap(), epoch);
}
