//! What every `SessionRepository` does when a session is opened or changed. Listing stands in `session_list`.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::{Conflict, LimitReached, Resource};
use chat_domain::model::{
    ChatSession, EventChange, NewSession, Priority, Role, Seq, SessionAction, SessionPosition, SessionQuery,
    SessionState, SessionStatus, Subject, Tags, Visibility,
};

use super::checks::{ROUNDS, abandon, assert_published_as_logged, assert_published_up_to, at_once};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    agent_id, alice, assign, at, bob, carol, change, draft, idempotency, keyed, limit, mallory, message_id,
    new_session, new_session_of, page, person, root, session_id, transfer,
};

contract_cases! { $ session_repository_contract for session_repository on crate::contract::StoreUnderTest:
    an_opened_session_is_found_as_it_was_opened,
    a_session_without_subject_and_tags_is_found_without_them,
    an_unknown_session_is_not_found,
    opening_is_the_change_at_position_one,
    a_repeated_key_returns_the_first_session_as_it_was_opened,
    a_repeated_key_with_another_meaning_is_a_conflict_and_opens_nothing,
    a_key_belongs_to_its_creator,
    concurrent_repetitions_of_a_key_open_one_session,
    a_limited_customer_opens_no_more_than_the_limit_until_one_is_closed,
    sessions_of_others_and_without_a_limit_are_opened_at_the_limit,
    a_repeated_key_is_answered_at_the_limit,
    of_concurrent_openings_as_many_succeed_as_there_is_room_for,
    assigning_gives_a_waiting_session_to_the_agent,
    an_agent_claims_a_waiting_session,
    a_change_of_an_unknown_session_is_not_found_for_any_role,
    a_missing_right_comes_before_an_unknown_agent,
    an_unknown_agent_comes_before_what_the_state_does_not_allow,
    a_deactivated_agent_receives_no_session,
    a_session_that_someone_holds_is_not_assigned_again,
    of_concurrent_assignments_one_wins,
    a_transfer_hands_a_session_over_and_back_to_the_queue,
    a_transfer_to_where_the_session_is_changes_nothing,
    closing_ends_a_session_and_keeps_its_agent,
    a_closed_session_is_neither_assigned_nor_transferred_nor_closed_again,
    of_concurrent_closings_one_wins,
    a_refused_change_leaves_no_trace,
    an_agent_who_lost_the_session_changes_it_no_more,
    concurrent_changes_are_published_once_and_in_order,
    a_change_whose_caller_went_away_is_published_all_the_same,
    an_opening_whose_caller_went_away_is_published_all_the_same,
}

async fn an_opened_session_is_found_as_it_was_opened(store: &StoreUnderTest) {
    let opened = store.sessions.open(new_session(1), alice(), None).await.unwrap();
    assert_eq!(opened.session, ChatSession::open(new_session(1)));
    assert!(!opened.replayed);
    assert_eq!(store.sessions.find(session_id(1)).await.unwrap(), Some(opened.session));
}

async fn a_session_without_subject_and_tags_is_found_without_them(store: &StoreUnderTest) {
    let plain = NewSession { subject: None, tags: Tags::default(), priority: Priority::Low, ..new_session(1) };
    let odd = NewSession {
        owner: person("Зоя \"'%_;-- 🦀", Role::User).id,
        subject: Subject::parse("ünï\u{202e}code '); DROP TABLE x;-- \u{ffff}").unwrap(),
        tags: Tags::parse(["b", "a", "[\"x\",1]", "ä,b"]).unwrap(),
        ..new_session(2)
    };
    for session in [plain, odd] {
        store.sessions.open(session.clone(), root(), None).await.unwrap();
        assert_eq!(store.session(session.id).await, ChatSession::open(session));
    }
}

async fn an_unknown_session_is_not_found(store: &StoreUnderTest) {
    store.waiting(1).await;
    assert_eq!(store.sessions.find(session_id(2)).await.unwrap(), None);
}

async fn opening_is_the_change_at_position_one(store: &StoreUnderTest) {
    let opened = store.sessions.open(new_session(1), root(), None).await.unwrap();
    let log = assert_published_as_logged(store, session_id(1)).await;
    let [event] = log.as_slice() else { panic!("one change, not {log:?}") };
    assert_eq!(event.seq, Seq::new(1));
    assert_eq!(event.at, opened.session.started_at);
    assert_eq!(event.actor, root().id, "the person who opened it, not the owner");
    assert_eq!(event.change, EventChange::Opened(opened.session.in_event()));
}

async fn a_repeated_key_returns_the_first_session_as_it_was_opened(store: &StoreUnderTest) {
    let key = || Some(idempotency("k", "same"));
    let first = store.sessions.open(new_session(1), alice(), key()).await.unwrap();
    store.on_duty(&bob()).await;
    store.change(session_id(1), &bob(), assign(&bob())).await;
    store.say(session_id(1), &alice(), 1).await;
    store.change(session_id(1), &bob(), SessionAction::Close).await;
    let again = store.sessions.open(new_session(2), alice(), key()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.session, first.session);
    assert_eq!(store.sessions.find(session_id(2)).await.unwrap(), None);
    assert!(store.notifier.changes_of(session_id(2)).is_empty());
    assert_eq!(store.stats.read().await.unwrap().total_sessions, 1);
    assert_published_as_logged(store, session_id(1)).await;
}

async fn a_repeated_key_with_another_meaning_is_a_conflict_and_opens_nothing(store: &StoreUnderTest) {
    let first = idempotency("k", "this");
    store.sessions.open(new_session(1), alice(), Some(first.clone())).await.unwrap();
    let error = store.sessions.open(new_session(2), alice(), Some(idempotency("k", "that"))).await.unwrap_err();
    assert!(matches!(&error, ChatError::Conflict(Conflict::IdempotencyKeyReused(key)) if *key == first.key), "{error}");
    assert_eq!(store.sessions.find(session_id(2)).await.unwrap(), None);
    assert_eq!(store.stats.read().await.unwrap().total_sessions, 1);
    assert!(store.notifier.changes_of(session_id(2)).is_empty());
}

async fn a_key_belongs_to_its_creator(store: &StoreUnderTest) {
    let key = || Some(idempotency("k", "same"));
    for (n, creator) in (1..).zip([alice(), mallory(), root()]) {
        let opened = store.sessions.open(new_session_of(&creator, n), creator, key()).await.unwrap();
        assert!(!opened.replayed);
        assert_eq!(opened.session.id, session_id(n));
    }
}

async fn concurrent_repetitions_of_a_key_open_one_session(store: &StoreUnderTest) {
    for round in 1..=ROUNDS {
        let open = |n| {
            let sessions = Arc::clone(&store.sessions);
            let key = Some(idempotency(&format!("k{round}"), "same"));
            async move { sessions.open(new_session(round * 100 + n), alice(), key).await.unwrap() }
        };
        let answers = at_once((1..=32).map(open)).await;
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "one request opens it");
        let first = answers.first().expect("32 answers").session.clone();
        assert!(answers.iter().all(|answer| answer.session == first), "everyone gets the same answer");
        assert_eq!(store.stats.read().await.unwrap().total_sessions, round);
        assert_eq!(store.notifier.events().len() as u64, round);
        assert_published_as_logged(store, first.id).await;
    }
}

/// Opens session `n` of Alice within a limit, and returns whether it was opened.
async fn opens_within(store: &StoreUnderTest, limit: u32, n: u64) -> bool {
    match store.sessions.open_within(limit, new_session(n), alice(), None).await {
        Ok(opened) => !opened.replayed,
        Err(ChatError::LimitReached(LimitReached::OpenSessions { limit: named })) if named == limit => false,
        Err(error) => panic!("{error}"),
    }
}

async fn a_limited_customer_opens_no_more_than_the_limit_until_one_is_closed(store: &StoreUnderTest) {
    for n in 1..=3 {
        assert!(opens_within(store, 3, n).await, "there is room for session {n}");
    }
    assert!(!opens_within(store, 3, 4).await);
    assert_eq!(store.sessions.find(session_id(4)).await.unwrap(), None);
    assert!(store.notifier.changes_of(session_id(4)).is_empty());
    assert_eq!(store.stats.read().await.unwrap().total_sessions, 3);
    store.change(session_id(2), &alice(), SessionAction::Close).await;
    assert!(opens_within(store, 3, 5).await);
    assert!(!opens_within(store, 3, 6).await);
    assert!(opens_within(store, 4, 7).await, "another limit");
}

async fn sessions_of_others_and_without_a_limit_are_opened_at_the_limit(store: &StoreUnderTest) {
    assert!(opens_within(store, 1, 1).await);
    store.sessions.open_within(1, new_session_of(&mallory(), 2), mallory(), None).await.unwrap();
    store.sessions.open(new_session(3), root(), None).await.unwrap();
    store.change(session_id(1), &alice(), SessionAction::Close).await;
    assert!(!opens_within(store, 1, 4).await, "what an admin opened for her counts");
}

async fn a_repeated_key_is_answered_at_the_limit(store: &StoreUnderTest) {
    let open = |n| store.sessions.open_within(1, new_session(n), alice(), Some(idempotency("k", "same")));
    let first = open(1).await.unwrap();
    let again = open(2).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.session, first.session);
    let other = store.sessions.open_within(1, new_session(3), alice(), Some(idempotency("k", "other"))).await;
    assert!(matches!(other, Err(ChatError::Conflict(Conflict::IdempotencyKeyReused(_)))), "{other:?}");
}

async fn of_concurrent_openings_as_many_succeed_as_there_is_room_for(store: &StoreUnderTest) {
    const LIMIT: u32 = 20;
    let open = |n| {
        let sessions = Arc::clone(&store.sessions);
        async move { sessions.open_within(LIMIT, new_session(n), alice(), None).await.is_ok() }
    };
    let opened = at_once((0..40).map(open)).await.into_iter().filter(|opened| *opened).count();
    assert_eq!(opened, 20);
    assert_eq!(store.stats.read().await.unwrap().active_sessions, 20);
}

async fn assigning_gives_a_waiting_session_to_the_agent(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    store.on_duty(&bob()).await;
    let session = store.sessions.change(id, change(&root(), assign(&bob()), 60)).await.unwrap();
    assert_eq!(session.state, SessionState::Active { agent: Some(agent_id(&bob())) });
    assert_eq!(session.progress.last_seq, Seq::new(2));
    assert_eq!(store.session(id).await, session);
    let log = assert_published_as_logged(store, id).await;
    let event = log.last().expect("two changes");
    assert_eq!((event.at, &event.actor), (at(60), &root().id));
    assert_eq!(event.change, EventChange::Assigned(session.in_event()));
}

async fn an_agent_claims_a_waiting_session(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    store.on_duty(&bob()).await;
    store.on_duty(&carol()).await;
    let error = store.sessions.change(id, change(&bob(), assign(&carol()), 60)).await.unwrap_err();
    assert!(matches!(error, ChatError::Forbidden(_)), "an agent assigns to themself only: {error}");
    let session = store.change(id, &bob(), assign(&bob())).await;
    assert_eq!(session.agent(), Some(&agent_id(&bob())));
}

async fn a_change_of_an_unknown_session_is_not_found_for_any_role(store: &StoreUnderTest) {
    for who in [alice(), bob(), root()] {
        for action in [assign(&carol()), transfer(&carol()), SessionAction::Transfer(None), SessionAction::Close] {
            let error = store.sessions.change(session_id(9), change(&who, action, 60)).await.unwrap_err();
            assert!(matches!(error, ChatError::NotFound(Resource::Session)), "{error}");
        }
    }
    assert!(store.notifier.events().is_empty());
}

async fn a_missing_right_comes_before_an_unknown_agent(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for who in [alice(), mallory(), carol()] {
        for action in [assign(&person("dave", Role::Agent)), transfer(&carol())] {
            let error = store.sessions.change(id, change(&who, action, 60)).await.unwrap_err();
            assert!(matches!(error, ChatError::Forbidden(_)), "{error}");
        }
    }
}

async fn an_unknown_agent_comes_before_what_the_state_does_not_allow(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for closed in [false, true] {
        if closed {
            store.change(id, &bob(), SessionAction::Close).await;
        }
        for action in [assign(&carol()), transfer(&carol())] {
            let error = store.sessions.change(id, change(&root(), action, 60)).await.unwrap_err();
            assert!(matches!(error, ChatError::NotFound(Resource::Agent)), "{error}");
        }
    }
}

async fn a_deactivated_agent_receives_no_session(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    store.on_duty(&bob()).await;
    store.agents.deactivate(&agent_id(&bob())).await.unwrap();
    for action in [assign(&bob()), transfer(&bob())] {
        let error = store.sessions.change(id, change(&root(), action, 60)).await.unwrap_err();
        assert!(matches!(error, ChatError::NotFound(Resource::Agent)), "{error}");
    }
    assert_eq!(store.session(id).await, ChatSession::open(new_session(1)));
}

async fn a_session_that_someone_holds_is_not_assigned_again(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.on_duty(&carol()).await;
    for (who, agent) in [(root(), carol()), (root(), bob()), (carol(), carol())] {
        let error = store.sessions.change(id, change(&who, assign(&agent), 60)).await.unwrap_err();
        assert!(matches!(error, ChatError::Conflict(Conflict::AlreadyAssigned)), "{error}");
    }
    let error = store.sessions.change(id, change(&bob(), assign(&bob()), 60)).await.unwrap_err();
    assert!(matches!(error, ChatError::Conflict(Conflict::AlreadyYours)), "{error}");
}

async fn of_concurrent_assignments_one_wins(store: &StoreUnderTest) {
    let agents: Vec<_> = (0..16).map(|n| person(&format!("agent-{n}"), Role::Agent)).collect();
    for agent in &agents {
        store.on_duty(agent).await;
    }
    for round in 1..=ROUNDS {
        let id = store.waiting(round).await;
        let claim = |agent| {
            let sessions = Arc::clone(&store.sessions);
            async move { sessions.change(id, change(&agent, assign(&agent), 60)).await }
        };
        let answers = at_once(agents.clone().into_iter().map(claim)).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        let [Ok(winner)] = won.as_slice() else { panic!("one winner, not {}", won.len()) };
        for error in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(error, ChatError::Conflict(Conflict::AlreadyAssigned)), "{error}");
        }
        assert_eq!(store.session(id).await, *winner);
        assert_eq!(assert_published_as_logged(store, id).await.len(), 2);
    }
}

async fn a_transfer_hands_a_session_over_and_back_to_the_queue(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.on_duty(&carol()).await;
    let handed_over = store.change(id, &bob(), transfer(&carol())).await;
    assert_eq!(handed_over.state, SessionState::Active { agent: Some(agent_id(&carol())) });
    let waiting = store.change(id, &carol(), SessionAction::Transfer(None)).await;
    assert_eq!(waiting.state, SessionState::Active { agent: None });
    assert_eq!(store.session(id).await, waiting);
    let log = assert_published_as_logged(store, id).await;
    let changes: Vec<_> = log.into_iter().skip(2).map(|event| event.change).collect();
    assert_eq!(
        changes,
        [EventChange::Transferred(handed_over.in_event()), EventChange::Transferred(waiting.in_event())]
    );
    let claimed = store.change(id, &bob(), assign(&bob())).await;
    assert_eq!(claimed.progress.last_seq, Seq::new(5));
}

async fn a_transfer_to_where_the_session_is_changes_nothing(store: &StoreUnderTest) {
    let waiting = store.waiting(1).await;
    let held = store.held_by_bob(2).await;
    for (id, action) in [(waiting, SessionAction::Transfer(None)), (held, transfer(&bob()))] {
        let before = store.session(id).await;
        assert_eq!(store.change(id, &root(), action).await, before);
        assert_eq!(store.session(id).await, before);
        assert_published_as_logged(store, id).await;
    }
}

async fn closing_ends_a_session_and_keeps_its_agent(store: &StoreUnderTest) {
    let waiting = store.waiting(1).await;
    let held = store.held_by_bob(2).await;
    for (id, agent) in [(waiting, None), (held, Some(agent_id(&bob())))] {
        let closed = store.sessions.change(id, change(&alice(), SessionAction::Close, 90)).await.unwrap();
        assert_eq!(closed.state, SessionState::Closed { agent, at: at(90) });
        assert_eq!(store.session(id).await, closed);
        let log = assert_published_as_logged(store, id).await;
        assert_eq!(log.last().map(|event| &event.change), Some(&EventChange::Closed(closed.in_event())));
    }
    let figures = store.stats.read().await.unwrap();
    assert_eq!((figures.total_sessions, figures.active_sessions), (2, 0));
}

async fn a_closed_session_is_neither_assigned_nor_transferred_nor_closed_again(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.change(id, &bob(), SessionAction::Close).await;
    let before = store.session(id).await;
    for action in [assign(&bob()), transfer(&bob()), SessionAction::Transfer(None), SessionAction::Close] {
        let error = store.sessions.change(id, change(&root(), action, 2_000)).await.unwrap_err();
        assert!(matches!(error, ChatError::Conflict(Conflict::SessionClosed)), "{error}");
    }
    assert_eq!(store.session(id).await, before);
    assert_published_as_logged(store, id).await;
}

async fn of_concurrent_closings_one_wins(store: &StoreUnderTest) {
    for round in 1..=ROUNDS {
        let id = store.waiting(round).await;
        let close = |n| {
            let sessions = Arc::clone(&store.sessions);
            async move { sessions.change(id, change(&alice(), SessionAction::Close, n)).await }
        };
        let answers = at_once((100..116).map(close)).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let conflict = |answer: &&_| matches!(answer, Err(ChatError::Conflict(Conflict::SessionClosed)));
        assert_eq!(answers.iter().filter(conflict).count(), 15);
        assert_eq!(store.stats.read().await.unwrap().active_sessions, 0);
        assert_eq!(assert_published_as_logged(store, id).await.len(), 2);
    }
}

async fn a_refused_change_leaves_no_trace(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let (session, figures) = (store.session(id).await, store.stats.read().await.unwrap());
    let events = store.notifier.events();
    let refused = [
        (mallory(), SessionAction::Close),
        (carol(), SessionAction::Close),
        (alice(), SessionAction::Transfer(None)),
        (bob(), transfer(&carol())),
        (root(), assign(&bob())),
    ];
    for (who, action) in refused {
        store.sessions.change(id, change(&who, action, 60)).await.unwrap_err();
    }
    assert_eq!(store.session(id).await, session);
    assert_eq!(store.stats.read().await.unwrap(), figures);
    assert_eq!(store.notifier.events(), events);
    assert_published_as_logged(store, id).await;
}

async fn an_agent_who_lost_the_session_changes_it_no_more(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.on_duty(&carol()).await;
    store.change(id, &root(), transfer(&carol())).await;
    for action in [SessionAction::Close, SessionAction::Transfer(None), transfer(&bob())] {
        let error = store.sessions.change(id, change(&bob(), action, 60)).await.unwrap_err();
        assert!(matches!(error, ChatError::Forbidden(_)), "{error}");
    }
    assert_eq!(store.session(id).await.agent(), Some(&agent_id(&carol())));
}

async fn concurrent_changes_are_published_once_and_in_order(store: &StoreUnderTest) {
    let ids = [store.held_by_bob(1).await, store.held_by_bob(2).await];
    store.on_duty(&carol()).await;
    let shuffle = |n: usize| {
        let (sessions, messages) = (Arc::clone(&store.sessions), Arc::clone(&store.messages));
        let id = if n.is_multiple_of(2) { ids[0] } else { ids[1] };
        async move {
            let to = if n.is_multiple_of(4) { transfer(&bob()) } else { transfer(&carol()) };
            for action in [to, SessionAction::Transfer(None)] {
                sessions.change(id, change(&root(), action, 60)).await.unwrap();
            }
            messages.append(draft(id, &root(), n as u64)).await.unwrap();
        }
    };
    at_once((0..32).map(shuffle)).await;
    for id in ids {
        assert_published_as_logged(store, id).await;
    }
}

async fn a_change_whose_caller_went_away_is_published_all_the_same(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for n in 0..24_usize {
        let action = if n.is_multiple_of(2) { SessionAction::Transfer(None) } else { transfer(&bob()) };
        abandon(store.sessions.change(id, change(&root(), action, 60)), 1 + n % 3).await;
        let later = store.say(id, &root(), n as u64).await;
        assert_published_up_to(store, id, later.seq).await;
    }
}

async fn an_opening_whose_caller_went_away_is_published_all_the_same(store: &StoreUnderTest) {
    for n in 0..24_u64 {
        let key = || Some(idempotency(&format!("k{n}"), "same"));
        let first = store.sessions.open(new_session(2 * n), alice(), key());
        abandon(first, usize::try_from(1 + n % 3).expect("small")).await;
        let again = store.sessions.open(new_session(2 * n + 1), alice(), key()).await.unwrap();
        let id = again.session.id;
        assert_eq!(again.replayed, id == session_id(2 * n), "a repetition gets the first session");
        let mut later = keyed(draft(id, &alice(), n), "m");
        later.id = message_id(n);
        let later = store.messages.append(later).await.unwrap().message;
        assert_published_up_to(store, id, later.seq).await;
    }
    let visible = Visibility::OwnedBy(alice().id);
    let query = SessionQuery {
        visible,
        status: Some(SessionStatus::Active),
        position: SessionPosition::Page(page(1)),
        limit: limit(100),
    };
    assert_eq!(store.sessions.list(&query).await.unwrap().total, 24, "one session a key");
}
