//! What every `StatsReader` counts.

use std::collections::HashMap;
use std::sync::Arc;

use chat_domain::model::{
    EventChange, Party, SessionAction, SessionEvent, SessionId, Statistics, StatisticsDelta, Timestamp, WaitingSessions,
};
use chat_domain::ports::{MessageRepository, SessionRepository};

use super::checks::{Choices, at_once, whole_log};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    alice, assign, at, bob, carol, change, draft, idempotency, keyed, mallory, message_id, new_session, root,
    session_id, transfer,
};

contract_cases! { $ stats_reader_contract for stats_reader on crate::contract::StoreUnderTest:
    an_empty_store_counts_nothing,
    sessions_are_counted_as_they_open_and_close,
    sessions_wait_until_an_agent_takes_them_or_they_are_closed,
    response_times_are_summed_from_the_first_unanswered_message,
    a_session_waits_on_after_a_transfer,
    statistics_equal_a_recount_after_any_history,
    statistics_equal_a_recount_after_concurrent_writes,
}

async fn figures(store: &StoreUnderTest) -> Statistics {
    store.stats.read().await.unwrap()
}

async fn an_empty_store_counts_nothing(store: &StoreUnderTest) {
    assert_eq!(figures(store).await, Statistics::default());
}

async fn sessions_are_counted_as_they_open_and_close(store: &StoreUnderTest) {
    for n in 1..=3 {
        store.waiting(n).await;
    }
    store.change(session_id(2), &alice(), SessionAction::Close).await;
    let expected = Statistics { total_sessions: 3, active_sessions: 2, ..Statistics::default() };
    assert_eq!(figures(store).await, expected);
}

async fn sessions_wait_until_an_agent_takes_them_or_they_are_closed(store: &StoreUnderTest) {
    let waiting = async || store.stats.waiting().await.unwrap();
    assert_eq!(waiting().await, WaitingSessions::default());
    for n in [2, 1, 3] {
        store.waiting(n).await;
    }
    let oldest = |n| Some(new_session(n).started_at);
    assert_eq!(waiting().await, WaitingSessions { count: 3, oldest: oldest(1) });
    store.change(session_id(1), &alice(), SessionAction::Close).await;
    assert_eq!(waiting().await, WaitingSessions { count: 2, oldest: oldest(2) });
    store.on_duty(&bob()).await;
    store.change(session_id(2), &bob(), assign(&bob())).await;
    assert_eq!(waiting().await, WaitingSessions { count: 1, oldest: oldest(3) });
    store.change(session_id(3), &alice(), SessionAction::Close).await;
    assert_eq!(waiting().await, WaitingSessions::default());
}

async fn response_times_are_summed_from_the_first_unanswered_message(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    // Unasked, then two questions, an answer, another answer for which no customer waits, and an answer by an admin.
    let said = [(bob(), 1), (alice(), 10), (alice(), 15), (bob(), 40), (bob(), 50), (alice(), 100), (root(), 107)];
    for (who, n) in said {
        store.say(id, &who, n).await;
    }
    let figures = figures(store).await;
    assert_eq!((figures.messages, figures.responses, figures.response_time_ms), (7, 2, 37_000));
    assert_eq!(figures.average_response_minutes().to_bits(), (37.0_f64 / 2.0 / 60.0).to_bits());
}

async fn a_session_waits_on_after_a_transfer(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.on_duty(&carol()).await;
    store.say(id, &alice(), 10).await;
    store.change(id, &bob(), transfer(&carol())).await;
    store.say(id, &carol(), 70).await;
    assert_eq!(figures(store).await.response_time_ms, 60_000);
}

/// The figures as the documentation of the statistics defines them, from the changes of all sessions.
fn recount(logs: &[Vec<SessionEvent>]) -> Statistics {
    let mut delta = StatisticsDelta::default();
    let mut waiting: HashMap<SessionId, Timestamp> = HashMap::new();
    for event in logs.iter().flatten() {
        match &event.change {
            EventChange::Opened(_) => delta.opened += 1,
            EventChange::Closed(_) => delta.closed += 1,
            EventChange::Message(message) if message.sender == Party::User => {
                waiting.entry(event.session_id).or_insert(message.sent_at);
                delta.count_message(None);
            }
            EventChange::Message(message) => {
                let since = waiting.remove(&event.session_id);
                delta.count_message(since.map(|since| message.sent_at.since(since)));
            }
            EventChange::Assigned(_)
            | EventChange::Transferred(_)
            | EventChange::Updated(_)
            | EventChange::Receipt(_)
            | EventChange::Unknown => {}
        }
    }
    Statistics {
        total_sessions: delta.opened,
        active_sessions: delta.opened - delta.closed,
        messages: delta.messages,
        responses: delta.responses,
        response_time_ms: delta.response_time_ms,
    }
}

pub(super) async fn assert_recount(store: &StoreUnderTest, sessions: u64) {
    let mut logs = Vec::new();
    for n in 0..sessions {
        logs.push(whole_log(store, session_id(n)).await);
    }
    let recounted = recount(&logs);
    assert!(recounted.responses > 0, "the history has answers");
    assert_eq!(figures(store).await, recounted);
}

/// One step of a history; some are refused or repeated, which must not count.
pub(super) async fn step(
    sessions: &dyn SessionRepository,
    messages: &dyn MessageRepository,
    choices: &mut Choices,
    (step, among): (u64, u64),
) {
    let id = session_id(choices.below(among));
    let who = match choices.below(8) {
        0..=2 => alice(),
        3 | 4 => bob(),
        5 => carol(),
        6 => root(),
        _ => mallory(),
    };
    let when = choices.below(500);
    match choices.below(20) {
        0 => drop(sessions.change(id, change(&who, SessionAction::Close, when)).await),
        1 | 2 => drop(sessions.change(id, change(&root(), assign(&bob()), when)).await),
        3 => drop(sessions.change(id, change(&root(), transfer(&carol()), when)).await),
        4 => drop(messages.mark_read(id, who, vec![message_id(step / 2)], at(when)).await),
        5..=7 => {
            let mut repeated = keyed(draft(id, &who, choices.below(4)), &format!("k{}", choices.below(4)));
            repeated.id = message_id(step);
            drop(messages.append(repeated).await);
        }
        _ => {
            let mut message = draft(id, &who, step);
            message.sent_at = at(when);
            drop(messages.append(message).await);
        }
    }
}

pub(super) async fn prepare(store: &StoreUnderTest, sessions: u64) {
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    for n in 0..sessions {
        let key = Some(idempotency(&format!("k{n}"), "same"));
        for _ in 0..2 {
            store.sessions.open(new_session(n), alice(), key.clone()).await.unwrap();
        }
    }
}

async fn statistics_equal_a_recount_after_any_history(store: &StoreUnderTest) {
    prepare(store, 12).await;
    let mut choices = Choices::seeded(42);
    for n in 1..=400 {
        step(&*store.sessions, &*store.messages, &mut choices, (n, 12)).await;
    }
    assert_recount(store, 12).await;
}

async fn statistics_equal_a_recount_after_concurrent_writes(store: &StoreUnderTest) {
    prepare(store, 6).await;
    let work = |worker: u64| {
        let (sessions, messages) = (Arc::clone(&store.sessions), Arc::clone(&store.messages));
        async move {
            let mut choices = Choices::seeded(worker);
            for n in 0..40 {
                step(&*sessions, &*messages, &mut choices, (worker * 1_000 + n, 6)).await;
            }
        }
    };
    at_once((1..=8).map(work)).await;
    assert_recount(store, 6).await;
}
