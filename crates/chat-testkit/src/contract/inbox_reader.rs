//! What every `InboxReader` reads for live inboxes.

use std::collections::BTreeSet;

use chat_domain::inbox::{ActiveSession, InboxRange};
use chat_domain::model::{AgentId, NewSession, Priority, SessionAction, SessionId};
use chat_domain::ports::MAX_ENDED;

use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    agent_id, alice, assign, at, bob, carol, mallory, new_session, new_session_of, root, session_id, transfer,
};

contract_cases! { $ inbox_reader_contract for inbox_reader on crate::contract::StoreUnderTest:
    sessions_are_found_by_their_ids_as_they_are_alone,
    the_active_sessions_of_ranges_are_all_that_are_in_them,
    more_sessions_than_are_read_at_once_are_all_read,
    sessions_that_ended_last_are_read_with_their_positions,
}

async fn active(store: &StoreUnderTest, ranges: Vec<InboxRange>) -> Vec<ActiveSession> {
    store.inbox_reader.active(ranges).await.unwrap()
}

async fn sessions_are_found_by_their_ids_as_they_are_alone(store: &StoreUnderTest) {
    let ids = [store.held_by_bob(1).await, store.waiting(2).await, store.waiting(3).await];
    store.say(ids[0], &alice(), 1).await;
    store.change(ids[2], &root(), SessionAction::Close).await;
    let wanted = [ids.as_slice(), &[session_id(9)]].concat();
    let mut found = store.inbox_reader.find_many(wanted).await.unwrap();
    found.sort_by_key(|session| session.id);
    let mut alone = Vec::new();
    for id in ids {
        alone.push(store.session(id).await);
    }
    assert_eq!(found, alone);
    assert!(found[0].latest.message.is_some());
    assert!(store.inbox_reader.find_many(Vec::new()).await.unwrap().is_empty());
}

async fn the_active_sessions_of_ranges_are_all_that_are_in_them(store: &StoreUnderTest) {
    store.on_duty(&carol()).await;
    let of_bob = store.held_by_bob(1).await;
    let waiting = store.waiting(2).await;
    let ended = store.waiting(3).await;
    let of_carol = new_session_of(&mallory(), 4);
    let quiet = NewSession { priority: Priority::Low, ..new_session_of(&mallory(), 5) };
    for new in [of_carol.clone(), quiet.clone()] {
        store.sessions.open(new, mallory(), None).await.unwrap();
    }
    store.change(of_carol.id, &root(), assign(&carol())).await;
    store.change(ended, &root(), SessionAction::Close).await;
    store.say(of_bob, &alice(), 30).await;
    let priority = new_session(1).priority;
    let cases = [
        (InboxRange::Waiting(priority), vec![waiting]),
        (InboxRange::Waiting(Priority::Low), vec![quiet.id]),
        (InboxRange::Assigned, vec![of_bob, of_carol.id]),
        (InboxRange::ActiveOfAgent(agent_id(&bob())), vec![of_bob]),
        (InboxRange::ActiveOfOwner(alice().id), vec![of_bob, waiting]),
        (InboxRange::ActiveOfAgent(AgentId::parse("dave").unwrap()), vec![]),
    ];
    for (range, expected) in &cases {
        let found = active(store, vec![range.clone()]).await;
        let ids: BTreeSet<SessionId> = found.iter().map(|session| session.id).collect();
        assert_eq!((ids.len(), ids), (found.len(), expected.iter().copied().collect()), "{range:?}");
        for known in found {
            assert!(known.ranges().contains(range));
            assert_eq!(Some(known.clone()), ActiveSession::of(&store.session(known.id).await));
        }
    }
    let all = cases.iter().map(|(range, _)| range.clone()).collect();
    let expected: usize = cases.iter().map(|(_, ids)| ids.len()).sum();
    assert_eq!(active(store, all).await.len(), expected, "each once for each range that it is in");
    store.change(of_bob, &bob(), transfer(&carol())).await;
    assert!(active(store, vec![InboxRange::ActiveOfAgent(agent_id(&bob()))]).await.is_empty());
}

async fn more_sessions_than_are_read_at_once_are_all_read(store: &StoreUnderTest) {
    const MANY: u64 = 1_203;
    for n in 1..=MANY {
        // Of the same moment, so that the place in a range is that of the id.
        let new = NewSession { started_at: at(1), ..new_session_of(&mallory(), n) };
        store.sessions.open(new, mallory(), None).await.unwrap();
    }
    let found = active(store, vec![InboxRange::Waiting(new_session(1).priority)]).await;
    let ids: BTreeSet<SessionId> = found.iter().map(|session| session.id).collect();
    assert_eq!((found.len() as u64, ids.len() as u64), (MANY, MANY));
}

async fn sessions_that_ended_last_are_read_with_their_positions(store: &StoreUnderTest) {
    store.on_duty(&bob()).await;
    let many = u64::try_from(MAX_ENDED).unwrap() + 2;
    for n in 1..=many {
        let id = store.waiting(n).await;
        if n % 2 == 0 {
            store.change(id, &root(), assign(&bob())).await;
        }
        store.change(id, &root(), SessionAction::Close).await;
    }
    let newest: BTreeSet<SessionId> = (3..=many).map(session_id).collect();
    for range in [InboxRange::Closed, InboxRange::ClosedOf(alice().id)] {
        let ended = store.inbox_reader.ended(range).await.unwrap();
        assert_eq!(ended.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), newest);
        for (id, seq) in ended {
            assert_eq!(store.session(id).await.progress.last_seq, seq);
        }
    }
    let of_bob = store.inbox_reader.ended(InboxRange::ClosedUnder(agent_id(&bob()))).await.unwrap();
    assert_eq!(of_bob.len() as u64, many / 2);
}
