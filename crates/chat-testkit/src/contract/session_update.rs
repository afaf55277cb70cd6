//! What every `SessionRepository` does when what a session is about is changed.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::Conflict;
use chat_domain::model::{
    ChatSession, DetailsUpdate, EventChange, ExpectedVersion, Priority, Seq, SessionAction, SessionDetails, SessionId,
    SessionUpdate, Subject, Tags,
};
use chat_domain::ports::SessionRepository;
use chat_domain::write::SessionWrite;

use super::checks::{ROUNDS, assert_published_as_logged, at_once};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    alice, assign, at, bob, carol, change, idempotency, mallory, new_session, root, transfer, update,
};

contract_cases! { $ session_update_contract for session_update on crate::contract::StoreUnderTest:
    an_update_changes_what_it_names_and_nothing_else,
    an_update_to_what_a_session_is_about_changes_nothing,
    an_update_of_another_version_changes_nothing,
    a_refused_update_leaves_no_trace,
    a_closed_session_is_not_updated,
    events_of_before_an_update_show_what_the_session_was_about,
    a_repeated_key_returns_the_session_as_it_was_opened_after_an_update,
    of_concurrent_updates_of_one_version_one_wins,
}

fn subject(text: &str) -> Option<Subject> {
    Subject::parse(text).expect("the subject is valid")
}

fn tags(tags: &[&str]) -> Tags {
    Tags::parse(tags).expect("the tags are valid")
}

fn to_subject(text: &str) -> DetailsUpdate {
    DetailsUpdate { subject: Some(subject(text)), ..DetailsUpdate::default() }
}

fn of_version(version: u64, details: DetailsUpdate) -> SessionAction {
    SessionAction::Update(SessionUpdate { details, expected: ExpectedVersion::OneOf(vec![Seq::new(version)]) })
}

async fn an_update_changes_what_it_names_and_nothing_else(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let updates = [
        to_subject("Refund"),
        DetailsUpdate { subject: Some(None), ..DetailsUpdate::default() },
        DetailsUpdate { priority: Some(Priority::Low), ..DetailsUpdate::default() },
        DetailsUpdate { tags: Some(tags(&["b", "a"])), ..DetailsUpdate::default() },
        DetailsUpdate { tags: Some(Tags::default()), ..DetailsUpdate::default() },
        DetailsUpdate {
            subject: Some(subject("\"quoted\" \\ \u{1f980}")),
            priority: Some(Priority::Medium),
            tags: Some(tags(&["one"])),
        },
    ];
    for (n, details) in (60..).zip(updates) {
        let before = store.session(id).await;
        let after = store.sessions.change(id, change(&bob(), update(details.clone()), n)).await.unwrap();
        let mut expected = before.clone();
        let changed = details.apply_to(before.details());
        SessionDetails { subject: expected.subject, priority: expected.priority, tags: expected.tags } = changed;
        expected.progress.last_seq = before.progress.last_seq.next();
        expected.progress.last_event_at = at(n);
        expected.opened_with.clone_from(&after.opened_with);
        assert_eq!(after, expected);
        assert_eq!(after.as_opened(), ChatSession::open(new_session(1)));
        assert_eq!(store.session(id).await, after);
        let log = assert_published_as_logged(store, id).await;
        let event = log.last().expect("there are changes");
        assert_eq!((event.at, &event.actor), (at(n), &bob().id));
        assert_eq!(event.change, EventChange::Updated(after.in_event()));
    }
}

async fn an_update_to_what_a_session_is_about_changes_nothing(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let before = store.session(id).await;
    let SessionDetails { subject, priority, tags } = before.details();
    let same = DetailsUpdate { subject: Some(subject), priority: Some(priority), tags: Some(tags) };
    for action in [update(DetailsUpdate::default()), update(same.clone()), of_version(1, same)] {
        assert_eq!(store.change(id, &root(), action).await, before);
        assert_eq!(store.session(id).await, before);
    }
    assert_eq!(assert_published_as_logged(store, id).await.len(), 1);
    for (details, has_event) in [(DetailsUpdate::default(), false), (to_subject("Refund"), true)] {
        let write = SessionWrite::ChangeSession(id, change(&root(), update(details), 60));
        let changed = store.sessions.write(write).await.unwrap().changed().unwrap();
        assert_eq!((changed.has_event, changed.session), (has_event, store.session(id).await));
    }
}

async fn an_update_of_another_version_changes_nothing(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let before = store.session(id).await;
    for (version, details) in [(1, to_subject("Refund")), (3, to_subject("Refund")), (1, DetailsUpdate::default())] {
        let refused = store.sessions.change(id, change(&bob(), of_version(version, details), 60)).await;
        let current = before.progress.last_seq;
        assert!(
            matches!(refused, Err(ChatError::VersionMismatch { current: named }) if named == current),
            "{refused:?}"
        );
    }
    assert_eq!(store.session(id).await, before);
    let after = store.change(id, &bob(), of_version(2, to_subject("Refund"))).await;
    assert_eq!(after.progress.last_seq, Seq::new(3));
    assert_published_as_logged(store, id).await;
}

async fn a_refused_update_leaves_no_trace(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let (session, events) = (store.session(id).await, store.notifier.events());
    for who in [alice(), mallory(), carol()] {
        for action in [update(to_subject("Refund")), of_version(9, to_subject("Refund"))] {
            let refused = store.sessions.change(id, change(&who, action, 60)).await;
            assert!(matches!(refused, Err(ChatError::Forbidden(_))), "{refused:?}");
        }
    }
    assert_eq!(store.session(id).await, session);
    assert_eq!(store.notifier.events(), events);
}

async fn a_closed_session_is_not_updated(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let closed = store.change(id, &bob(), SessionAction::Close).await;
    for action in [update(to_subject("Refund")), update(DetailsUpdate::default()), of_version(3, to_subject("Refund"))]
    {
        let refused = store.sessions.change(id, change(&bob(), action, 60)).await;
        assert!(matches!(refused, Err(ChatError::Conflict(Conflict::SessionClosed))), "{refused:?}");
    }
    let refused = store.sessions.change(id, change(&bob(), of_version(2, to_subject("Refund")), 60)).await;
    assert!(
        matches!(refused, Err(ChatError::VersionMismatch { .. })),
        "the version comes before the state: {refused:?}"
    );
    assert_eq!(store.session(id).await, closed);
}

async fn events_of_before_an_update_show_what_the_session_was_about(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.on_duty(&carol()).await;
    let steps = [
        update(to_subject("Refund")),
        transfer(&carol()),
        update(DetailsUpdate { priority: Some(Priority::Low), ..DetailsUpdate::default() }),
        SessionAction::Transfer(None),
        update(to_subject("Question 1")),
        assign(&bob()),
        SessionAction::Close,
    ];
    for action in steps {
        store.change(id, &root(), action).await;
    }
    let log = assert_published_as_logged(store, id).await;
    let about = |change: &EventChange| {
        let session = change.session().expect("no messages");
        (session.subject.as_ref().map(ToString::to_string).unwrap_or_default(), session.priority)
    };
    let told: Vec<_> = log.iter().map(|event| about(&event.change)).collect();
    let (question, refund) = ("Question 1".to_owned(), "Refund".to_owned());
    let expected = [
        (&question, Priority::High),
        (&question, Priority::High),
        (&refund, Priority::High),
        (&refund, Priority::High),
        (&refund, Priority::Low),
        (&refund, Priority::Low),
        (&question, Priority::Low),
        (&question, Priority::Low),
        (&question, Priority::Low),
    ];
    assert_eq!(told, expected.map(|(subject, priority)| (subject.clone(), priority)));
}

async fn a_repeated_key_returns_the_session_as_it_was_opened_after_an_update(store: &StoreUnderTest) {
    let key = || Some(idempotency("k", "same"));
    let first = store.sessions.open(new_session(1), alice(), key()).await.unwrap().session;
    store.change(first.id, &root(), update(to_subject("Refund"))).await;
    store
        .change(first.id, &root(), update(DetailsUpdate { tags: Some(tags(&["x"])), ..DetailsUpdate::default() }))
        .await;
    let again = store.sessions.open(new_session(2), alice(), key()).await.unwrap();
    assert_eq!((again.session, again.replayed), (first, true));
}

/// Updates of one version, each made at the store of its number, one of which must win.
pub(super) async fn race(
    store: impl Fn(u64) -> Arc<dyn SessionRepository>,
    id: SessionId,
    version: u64,
) -> ChatSession {
    let rivals = (0..16).map(|n| {
        let sessions = store(n);
        let action = of_version(version, to_subject(&format!("Subject {n}")));
        async move { sessions.change(id, change(&root(), action, 60 + n)).await }
    });
    let (won, lost): (Vec<_>, Vec<_>) = at_once(rivals).await.into_iter().partition(Result::is_ok);
    for refused in lost {
        assert!(matches!(refused, Err(ChatError::VersionMismatch { .. })), "{refused:?}");
    }
    let [Ok(winner)] = won.as_slice() else { panic!("one winner, not {}", won.len()) };
    assert_eq!(winner.progress.last_seq, Seq::new(version + 1));
    winner.clone()
}

async fn of_concurrent_updates_of_one_version_one_wins(store: &StoreUnderTest) {
    for round in 1..=ROUNDS {
        let id = store.waiting(round).await;
        let winner = race(|_| Arc::clone(&store.sessions), id, 1).await;
        assert_eq!(store.session(id).await, winner);
        assert_eq!(assert_published_as_logged(store, id).await.len(), 2);
    }
}
