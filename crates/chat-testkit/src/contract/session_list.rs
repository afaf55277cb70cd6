//! What every `SessionRepository` lists.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{
    ChatSession, NewSession, PageNumber, SessionAction, SessionId, SessionKey, SessionPosition, SessionQuery,
    SessionStatus, Timestamp, Visibility,
};

use super::checks::{Choices, at_once};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    agent_id, alice, assign, at, bob, carol, change, limit, mallory, new_session, new_session_of, page, root,
    session_id, transfer,
};

contract_cases! { $ session_list_contract for session_list on crate::contract::StoreUnderTest:
    an_empty_list_has_no_pages,
    sessions_are_listed_newest_first_and_ties_by_descending_id,
    pages_divide_the_list,
    a_far_away_page_is_empty_and_knows_the_total,
    an_owner_lists_their_own_sessions,
    an_agent_lists_what_is_theirs_and_what_waits,
    an_agent_sees_no_more_of_a_waiting_session_that_was_closed,
    an_agent_keeps_seeing_what_they_held_when_it_was_closed,
    an_admin_lists_everything,
    every_list_is_right_after_any_history,
    deep_pages_are_those_of_the_whole_list_after_any_history,
    deep_pages_of_one_session_are_exact,
    cursors_divide_the_list,
    a_cursor_continues_after_a_key_that_is_in_no_list,
    the_last_page_has_no_cursor,
    a_walk_by_cursor_sees_each_lasting_session_once_while_others_come_and_go,
}

fn everything() -> SessionQuery {
    let position = SessionPosition::Page(PageNumber::FIRST);
    SessionQuery { visible: Visibility::Everything, status: None, position, limit: limit(100) }
}

fn numbered(number: u64) -> SessionPosition {
    SessionPosition::Page(page(number))
}

/// All pages of a list from the query's on, each asked for with the cursor of the one before, and their sessions.
async fn walked(store: &StoreUnderTest, mut query: SessionQuery) -> Vec<ChatSession> {
    let mut sessions = Vec::new();
    loop {
        let found = store.sessions.list(&query).await.unwrap();
        assert!(found.sessions.len() <= query.limit.get() as usize);
        sessions.extend(found.sessions);
        let Some(next) = found.next else { return sessions };
        assert_eq!(sessions.last().map(SessionKey::of), Some(next), "a cursor is the key of the page's last session");
        query.position = SessionPosition::After(next);
        // Lets the writes of a case run between the pages of a store that never waits.
        tokio::task::yield_now().await;
    }
}

fn query_of(visible: Visibility) -> SessionQuery {
    SessionQuery { visible, ..everything() }
}

/// The listed sessions, with the total checked for a list that fits into one page.
async fn listed(store: &StoreUnderTest, query: &SessionQuery) -> Vec<ChatSession> {
    let page = store.sessions.list(query).await.unwrap();
    assert_eq!((page.position, page.limit, page.next), (query.position, query.limit, None));
    assert_eq!(page.total, page.sessions.len() as u64, "the total counts what is visible");
    page.sessions
}

async fn an_empty_list_has_no_pages(store: &StoreUnderTest) {
    store.waiting(1).await;
    let page = store.sessions.list(&query_of(Visibility::OwnedBy(mallory().id))).await.unwrap();
    assert_eq!((page.sessions.len(), page.total, page.total_pages()), (0, 0, 0));
}

async fn sessions_are_listed_newest_first_and_ties_by_descending_id(store: &StoreUnderTest) {
    let moments = [(1, at(5)), (2, at(9)), (3, at(5)), (4, Timestamp::from_unix_ms(-1)), (5, at(9)), (6, at(1))];
    for (n, started_at) in moments {
        store.sessions.open(NewSession { started_at, ..new_session(n) }, alice(), None).await.unwrap();
    }
    for visible in [Visibility::Everything, Visibility::OwnedBy(alice().id)] {
        let ids: Vec<_> = listed(store, &query_of(visible)).await.into_iter().map(|session| session.id).collect();
        assert_eq!(ids, [5, 2, 3, 1, 6, 4].map(session_id));
    }
}

async fn pages_divide_the_list(store: &StoreUnderTest) {
    for n in 1..=11 {
        // Three at a time start at the same moment, so that page borders fall between ties.
        store.sessions.open(NewSession { started_at: at(n / 3), ..new_session(n) }, alice(), None).await.unwrap();
    }
    let whole = listed(store, &everything()).await;
    for size in [1, 2, 4, 11, 12] {
        let mut pieces = Vec::new();
        for number in 1..=11_u64.div_ceil(size) {
            let query = SessionQuery { position: numbered(number), limit: limit(size), ..everything() };
            let found = store.sessions.list(&query).await.unwrap();
            assert_eq!(found.total, 11);
            assert!(found.sessions.len() as u64 <= size);
            pieces.extend(found.sessions);
        }
        assert_eq!(pieces, whole, "pages of {size}");
    }
}

async fn a_far_away_page_is_empty_and_knows_the_total(store: &StoreUnderTest) {
    for n in 1..=3 {
        store.waiting(n).await;
    }
    let visible =
        [Visibility::Everything, Visibility::OwnedBy(alice().id), Visibility::AssignedToOrWaiting(agent_id(&bob()))];
    for visible in visible {
        for number in [2, 1_000_000, i64::MAX.unsigned_abs(), u64::MAX] {
            let far = SessionQuery { position: numbered(number), ..query_of(visible.clone()) };
            let found = store.sessions.list(&far).await.unwrap();
            assert_eq!((found.sessions.len(), found.total, found.next), (0, 3, None));
            assert_eq!(found.position, numbered(number));
        }
    }
}

async fn an_owner_lists_their_own_sessions(store: &StoreUnderTest) {
    store.waiting(1).await;
    store.held_by_bob(2).await;
    store.sessions.open(new_session_of(&mallory(), 3), mallory(), None).await.unwrap();
    store.sessions.open(new_session(4), root(), None).await.unwrap();
    let ids: Vec<_> =
        listed(store, &query_of(Visibility::OwnedBy(alice().id))).await.iter().map(|session| session.id).collect();
    assert_eq!(ids, [4, 2, 1].map(session_id));
}

async fn an_agent_lists_what_is_theirs_and_what_waits(store: &StoreUnderTest) {
    store.waiting(1).await;
    store.held_by_bob(2).await;
    store.held_by_bob(3).await;
    store.on_duty(&carol()).await;
    store.change(session_id(3), &bob(), transfer(&carol())).await;
    let of = |who| query_of(Visibility::AssignedToOrWaiting(agent_id(&who)));
    let ids = |sessions: Vec<ChatSession>| sessions.iter().map(|session| session.id).collect::<Vec<_>>();
    assert_eq!(ids(listed(store, &of(bob())).await), [2, 1].map(session_id));
    assert_eq!(ids(listed(store, &of(carol())).await), [3, 1].map(session_id));
    store.change(session_id(3), &carol(), SessionAction::Transfer(None)).await;
    assert_eq!(ids(listed(store, &of(bob())).await), [3, 2, 1].map(session_id));
}

async fn an_agent_sees_no_more_of_a_waiting_session_that_was_closed(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    store.change(id, &alice(), SessionAction::Close).await;
    let query = query_of(Visibility::AssignedToOrWaiting(agent_id(&bob())));
    assert_eq!(listed(store, &query).await, []);
    let closed = SessionQuery { status: Some(SessionStatus::Closed), ..query };
    assert_eq!(listed(store, &closed).await, []);
}

async fn an_agent_keeps_seeing_what_they_held_when_it_was_closed(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let closed = store.change(id, &alice(), SessionAction::Close).await;
    let query = query_of(Visibility::AssignedToOrWaiting(agent_id(&bob())));
    assert_eq!(listed(store, &query).await, [closed]);
    assert_eq!(listed(store, &SessionQuery { status: Some(SessionStatus::Active), ..query }).await, []);
}

async fn an_admin_lists_everything(store: &StoreUnderTest) {
    store.waiting(1).await;
    store.held_by_bob(2).await;
    store.sessions.open(new_session_of(&mallory(), 3), mallory(), None).await.unwrap();
    store.change(session_id(1), &alice(), SessionAction::Close).await;
    let of = |status| SessionQuery { status, ..everything() };
    let ids = |sessions: Vec<ChatSession>| sessions.iter().map(|session| session.id).collect::<Vec<_>>();
    assert_eq!(ids(listed(store, &of(None)).await), [3, 2, 1].map(session_id));
    assert_eq!(ids(listed(store, &of(Some(SessionStatus::Active))).await), [3, 2].map(session_id));
    assert_eq!(ids(listed(store, &of(Some(SessionStatus::Closed))).await), [1].map(session_id));
}

/// Checks every visibility, filter and page against the sessions themselves, after a random history that makes
/// sessions come and go in every list.
async fn every_list_is_right_after_any_history(store: &StoreUnderTest) {
    const SESSIONS: u64 = 24;
    let mut choices = Choices::seeded(7);
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    for n in 0..SESSIONS {
        let owner = if choices.below(3) == 0 { mallory() } else { alice() };
        let session = NewSession { started_at: at(choices.below(6)), ..new_session_of(&owner, n) };
        store.sessions.open(session, owner, None).await.unwrap();
    }
    for round in 0..4 {
        for _ in 0..20 {
            let id = session_id(choices.below(SESSIONS));
            // Some changes are refused, which is part of the history.
            let _outcome = store.sessions.change(id, change(&root(), any_action(&mut choices), 500 + round)).await;
        }
        assert_lists(store, &all(store, SESSIONS).await, 5).await;
    }
}

fn any_action(choices: &mut Choices) -> SessionAction {
    match choices.below(7) {
        0 | 1 => assign(&bob()),
        2 => assign(&carol()),
        3 => transfer(&bob()),
        4 => transfer(&carol()),
        5 => SessionAction::Transfer(None),
        _ => SessionAction::Close,
    }
}

/// The first `count` sessions in the order of a list, each read by itself.
async fn all(store: &StoreUnderTest, count: u64) -> Vec<ChatSession> {
    let mut all = Vec::new();
    for n in 0..count {
        all.push(store.session(session_id(n)).await);
    }
    all.sort_by_key(|session| Reverse(SessionKey::of(session)));
    all
}

/// The same for lists of hundreds of sessions. They start in crowds, on both sides of round moments, and years apart.
async fn deep_pages_are_those_of_the_whole_list_after_any_history(store: &StoreUnderTest) {
    const SESSIONS: u64 = 1_200;
    const AT_ONCE: usize = 200;
    let mut choices = Choices::seeded(11);
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    let new: Vec<NewSession> = (0..SESSIONS)
        .map(|n| {
            let owner = if choices.below(3) == 0 { mallory() } else { alice() };
            NewSession { started_at: any_moment(&mut choices), ..new_session_of(&owner, n) }
        })
        .collect();
    for crowd in new.chunks(AT_ONCE) {
        let open = |session: &NewSession| {
            let (store, session) = (Arc::clone(&store.sessions), session.clone());
            async move { store.open(session, root(), None).await }
        };
        at_once(crowd.iter().map(open)).await.into_iter().for_each(|opened| assert!(opened.is_ok(), "{opened:?}"));
    }
    for round in 0..6 {
        let mut any_change = |_| {
            let store = Arc::clone(&store.sessions);
            let (id, action) = (session_id(choices.below(SESSIONS)), any_action(&mut choices));
            async move { store.change(id, change(&root(), action, 500 + round)).await.is_ok() }
        };
        let done = at_once((0..AT_ONCE).map(&mut any_change)).await;
        assert!(done.contains(&true), "some of the changes are allowed");
    }
    assert_lists(store, &all(store, SESSIONS).await, 100).await;
}

/// A moment that other sessions may have too, or that is milliseconds, minutes, hours, days or years from theirs. Some
/// are before 1970.
fn any_moment(choices: &mut Choices) -> Timestamp {
    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;
    const EARLIEST: i64 = -500_000_000_000;
    let spread = match choices.below(6) {
        0 => 1,
        1 => 40,
        2 => 20 * MINUTE,
        3 => 3 * DAY,
        4 => 200 * DAY,
        _ => 60 * 365 * DAY,
    };
    Timestamp::from_unix_ms(EARLIEST).plus(Duration::from_millis(choices.below(spread)))
}

/// Every page of one session, deep in a list whose sessions start in the same millisecond, in the next one and years
/// apart.
async fn deep_pages_of_one_session_are_exact(store: &StoreUnderTest) {
    const NEWER: u64 = 300;
    let around = |border: i64| [border - 1, border, border, border + 1];
    let older: Vec<i64> = [0, 1 << 16, 1 << 24, 1 << 32, 3 << 32].into_iter().flat_map(around).collect();
    let newer = (0..NEWER).map(|n| at(n / 2));
    let moments = newer.chain(older.into_iter().map(Timestamp::from_unix_ms));
    let opened = moments.zip(0..).map(|(started_at, n)| {
        let store = Arc::clone(&store.sessions);
        async move { store.open(NewSession { started_at, ..new_session(n) }, alice(), None).await }
    });
    let count = at_once(opened).await.into_iter().flatten().count() as u64;
    assert_eq!(count, NEWER + 20);
    let all = all(store, count).await;
    for visible in [Visibility::Everything, Visibility::AssignedToOrWaiting(agent_id(&bob()))] {
        for (number, expected) in (1..).zip(&all).skip(200) {
            let query = SessionQuery { position: numbered(number), limit: limit(1), ..query_of(visible.clone()) };
            let found = store.sessions.list(&query).await.unwrap();
            assert_eq!(found.sessions, std::slice::from_ref(expected), "page {number} of {visible:?}");
        }
    }
}

/// Checks all pages of `size` sessions of all lists against all sessions there are.
async fn assert_lists(store: &StoreUnderTest, all: &[ChatSession], size: u64) {
    let visibilities = [
        Visibility::Everything,
        Visibility::OwnedBy(alice().id),
        Visibility::OwnedBy(mallory().id),
        Visibility::AssignedToOrWaiting(agent_id(&bob())),
        Visibility::AssignedToOrWaiting(agent_id(&carol())),
    ];
    for visible in visibilities {
        for status in [None, Some(SessionStatus::Active), Some(SessionStatus::Closed)] {
            let admitted = |session: &&ChatSession| {
                visible.includes(session) && status.is_none_or(|status| status.includes(session))
            };
            let expected: Vec<ChatSession> = all.iter().filter(admitted).cloned().collect();
            let mut found = Vec::new();
            for number in 1..=1 + expected.len() as u64 / size {
                let position = numbered(number);
                let query = SessionQuery { visible: visible.clone(), status, position, limit: limit(size) };
                let part = store.sessions.list(&query).await.unwrap();
                assert_eq!(part.total, expected.len() as u64, "the total of {query:?}");
                let more = found.len() + part.sessions.len() < expected.len();
                let next = part.sessions.last().filter(|_| more).map(SessionKey::of);
                assert_eq!(part.next, next, "the cursor of {query:?}");
                found.extend(part.sessions);
            }
            assert_eq!(found, expected, "{visible:?} with {status:?}");
            let query = SessionQuery { visible: visible.clone(), status, position: numbered(1), limit: limit(size) };
            assert_eq!(walked(store, query).await, expected, "{visible:?} with {status:?} by cursor");
        }
    }
}

async fn cursors_divide_the_list(store: &StoreUnderTest) {
    for n in 1..=11 {
        // Three at a time start at the same moment, so that page borders fall between ties.
        store.sessions.open(NewSession { started_at: at(n / 3), ..new_session(n) }, alice(), None).await.unwrap();
    }
    let whole = listed(store, &everything()).await;
    for size in [1, 2, 4, 11, 12] {
        for visible in [Visibility::Everything, Visibility::OwnedBy(alice().id)] {
            let query = SessionQuery { limit: limit(size), ..query_of(visible) };
            assert_eq!(walked(store, query).await, whole, "pages of {size}");
        }
        // A walk may begin at any page.
        let second = SessionQuery { position: numbered(2), limit: limit(size), ..everything() };
        let skipped = usize::try_from(size).unwrap().min(whole.len());
        assert_eq!(walked(store, second).await, whole[skipped..], "pages of {size} from the second on");
    }
}

async fn a_cursor_continues_after_a_key_that_is_in_no_list(store: &StoreUnderTest) {
    for n in [2, 4, 6] {
        store.sessions.open(NewSession { started_at: at(1), ..new_session(n) }, alice(), None).await.unwrap();
    }
    let after = async |started_at, n| {
        let position = SessionPosition::After(SessionKey { started_at, id: session_id(n) });
        let found = store.sessions.list(&SessionQuery { position, ..everything() }).await.unwrap();
        assert_eq!((found.total, found.position, found.next), (3, position, None));
        found.sessions.iter().map(|session| session.id).collect::<Vec<SessionId>>()
    };
    assert_eq!(after(at(1), 5).await, [4, 2].map(session_id));
    assert_eq!(after(at(1), 4).await, [2].map(session_id));
    assert_eq!(after(at(1), 1).await, []);
    assert_eq!(after(at(2), 1).await, [6, 4, 2].map(session_id));
    assert_eq!(after(at(0), 9).await, []);
    assert_eq!(after(Timestamp::from_unix_ms(i64::MIN), 9).await, []);
    assert_eq!(after(Timestamp::from_unix_ms(i64::MAX), 9).await, [6, 4, 2].map(session_id));
}

async fn the_last_page_has_no_cursor(store: &StoreUnderTest) {
    for n in 1..=4 {
        store.waiting(n).await;
    }
    for visible in [Visibility::Everything, Visibility::AssignedToOrWaiting(agent_id(&bob()))] {
        for (size, number, has_next) in [(4, 1, false), (3, 1, true), (2, 2, false), (2, 1, true), (3, 2, false)] {
            let query = SessionQuery { position: numbered(number), limit: limit(size), ..query_of(visible.clone()) };
            let found = store.sessions.list(&query).await.unwrap();
            assert_eq!(found.next.is_some(), has_next, "page {number} of {size}");
        }
    }
}

/// Lists are walked while sessions are opened, closed and handed over. The sessions that are in a list the whole time
/// are seen once, and no session is seen twice.
async fn a_walk_by_cursor_sees_each_lasting_session_once_while_others_come_and_go(store: &StoreUnderTest) {
    const SESSIONS: u64 = 60;
    // Each second session stays as it is; the others are closed and handed over.
    let lasts = |n: u64| n.is_multiple_of(2);
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    for n in 0..SESSIONS {
        let session = NewSession { started_at: at(n / 3), ..new_session(n) };
        store.sessions.open(session, alice(), None).await.unwrap();
        if n % 4 < 2 {
            store.change(session_id(n), &root(), assign(&bob())).await;
        }
    }
    let all_before = all(store, SESSIONS).await;
    let changes = async {
        let mut choices = Choices::seeded(23);
        for n in 0..SESSIONS {
            // Newer and older ones than any place that a walk has come to.
            let started_at = at(choices.below(SESSIONS / 3));
            let opened = NewSession { started_at, ..new_session(SESSIONS + n) };
            store.sessions.open(opened, alice(), None).await.unwrap();
            let moved = session_id(1 + 2 * choices.below(SESSIONS / 2));
            // Some changes are refused, which is part of the history.
            let _outcome = store.sessions.change(moved, change(&root(), any_action(&mut choices), 500)).await;
            tokio::task::yield_now().await;
        }
    };
    let walk = async |visible: Visibility, status: Option<SessionStatus>| {
        let query = SessionQuery { status, limit: limit(3), ..query_of(visible.clone()) };
        let expected: Vec<SessionId> = all_before
            .iter()
            .filter(|session| visible.includes(session) && status.is_none_or(|status| status.includes(session)))
            .map(|session| session.id)
            .filter(|id| (0..SESSIONS).any(|n| lasts(n) && *id == session_id(n)))
            .collect();
        let seen: Vec<SessionId> = walked(store, query).await.iter().map(|session| session.id).collect();
        let unique: BTreeSet<&SessionId> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "no session is seen twice in {visible:?} {status:?}");
        let lasting: Vec<SessionId> = seen.into_iter().filter(|id| expected.contains(id)).collect();
        assert_eq!(lasting, expected, "each lasting session is seen in {visible:?} {status:?}");
    };
    let active = Some(SessionStatus::Active);
    let walks = async {
        walk(Visibility::Everything, None).await;
        walk(Visibility::OwnedBy(alice().id), active).await;
        walk(Visibility::AssignedToOrWaiting(agent_id(&bob())), None).await;
        walk(Visibility::AssignedToOrWaiting(agent_id(&bob())), active).await;
    };
    tokio::join!(changes, walks);
}
