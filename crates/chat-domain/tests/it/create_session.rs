//! Opening and listing sessions.

use chat_domain::ChatError;
use chat_domain::error::LimitReached;
use chat_domain::model::{
    IdempotencyKey, PageLimit, PageNumber, Principal, Priority, SessionPosition, SessionStatus, Subject, UserId,
};
use chat_domain::service::{CreateSession, Rules};
use chat_testkit::fixtures::{alice, bob, carol, mallory, root, session_id};

use crate::support::Outcome::{self, Done, Forbidden, Invalid};
use crate::support::{App, bad, is_reused_key};

fn about(subject: &str) -> CreateSession {
    CreateSession { subject: Subject::parse(subject).unwrap(), ..CreateSession::default() }
}

fn for_owner(owner: &Principal) -> CreateSession {
    CreateSession { owner: Some(owner.id.clone()), ..CreateSession::default() }
}

fn key(text: &str) -> Option<chat_domain::error::Input<IdempotencyKey>> {
    Some(Ok(IdempotencyKey::parse(text).unwrap()))
}

#[tokio::test]
async fn a_session_belongs_to_the_caller_unless_an_admin_says_otherwise() {
    let app = App::new();
    let cases = [(alice(), None), (alice(), Some(alice())), (root(), None), (root(), Some(alice()))];
    for (who, owner) in cases {
        let input = owner.as_ref().map_or_else(CreateSession::default, for_owner);
        let named: Option<UserId> = input.owner.clone();
        let opened = app.service.create_session(&who, named.as_ref(), Ok(input), None).await.unwrap();
        assert_eq!(opened.session.owner, owner.unwrap_or(who).id);
        assert!(!opened.replayed);
    }
}

#[tokio::test]
async fn a_missing_right_to_open_comes_before_bad_input() {
    let app = App::new();
    let mallory_id = mallory().id;
    for (who, owner) in [(alice(), Some(&mallory_id)), (bob(), None), (bob(), Some(&mallory_id))] {
        for input in [Ok(CreateSession::default()), bad()] {
            let outcome = Outcome::of(app.service.create_session(&who, owner, input, Some(bad())).await);
            assert_eq!(outcome, Forbidden);
        }
    }
}

#[tokio::test]
async fn bad_input_and_a_bad_key_open_nothing() {
    let app = App::new();
    for (input, key) in [(bad(), None), (bad(), key("k")), (Ok(CreateSession::default()), Some(bad()))] {
        assert_eq!(Outcome::of(app.service.create_session(&alice(), None, input, key).await), Invalid);
    }
    assert_eq!(app.service.get_stats(&root()).await.unwrap().total_sessions, 0);
}

#[tokio::test]
async fn the_same_request_with_the_same_key_opens_one_session() {
    let app = App::new();
    let open = async || app.service.create_session(&alice(), None, Ok(about("Late")), key("k")).await.unwrap();
    let (first, again) = (open().await, open().await);
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.session, again.session);
}

#[tokio::test]
async fn every_field_of_a_request_is_part_of_its_meaning() {
    let app = App::new();
    let base = about("Late");
    app.service.create_session(&root(), None, Ok(base.clone()), key("k")).await.unwrap();
    let others = [
        CreateSession { owner: Some(alice().id), ..base.clone() },
        CreateSession { subject: None, ..base.clone() },
        CreateSession { priority: Priority::High, ..base.clone() },
        CreateSession { tags: chat_domain::model::Tags::parse(["a"]).unwrap(), ..base },
    ];
    for other in others {
        let owner = other.owner.clone();
        let answer = app.service.create_session(&root(), owner.as_ref(), Ok(other), key("k")).await;
        assert!(is_reused_key(&answer), "{answer:?}");
    }
}

#[tokio::test]
async fn the_limit_of_open_sessions_is_for_customers_and_not_for_admins() {
    let app = App::with_rules(Rules { max_open_sessions: Some(2), ..Rules::default() });
    let open = async |who: &Principal, key| {
        let outcome = app.service.create_session(who, None, Ok(CreateSession::default()), key).await;
        outcome.map(|opened| opened.replayed)
    };
    assert!(!open(&alice(), key("k")).await.unwrap());
    let for_alice = for_owner(&alice());
    app.service.create_session(&root(), Some(&alice().id), Ok(for_alice), None).await.unwrap();
    let refused = open(&alice(), None).await.unwrap_err();
    assert!(matches!(refused, ChatError::LimitReached(LimitReached::OpenSessions { limit: 2 })), "{refused}");
    assert!(open(&alice(), key("k")).await.unwrap(), "a repetition is answered");
    for _ in 0..4 {
        open(&root(), None).await.unwrap();
    }
    open(&mallory(), None).await.unwrap();
}

#[tokio::test]
async fn without_a_limit_a_customer_opens_any_number_of_sessions() {
    let app = App::with_rules(Rules { max_open_sessions: None, ..Rules::default() });
    for _ in 0..=Rules::MAX_OPEN_SESSIONS {
        app.service.create_session(&alice(), None, Ok(CreateSession::default()), None).await.unwrap();
    }
}

#[tokio::test]
async fn a_customers_priority_counts_unless_the_operator_ignores_it() {
    let urgent = || CreateSession { priority: Priority::High, ..CreateSession::default() };
    for (accepts, of_customer) in [(true, Priority::High), (false, Priority::Medium)] {
        let app = App::with_rules(Rules { accepts_customer_priority: accepts, ..Rules::default() });
        for (who, expected) in [(alice(), of_customer), (root(), Priority::High)] {
            let opened = app.service.create_session(&who, None, Ok(urgent()), key("k")).await.unwrap();
            assert_eq!(opened.session.priority, expected, "{who:?}");
        }
        let repeated = app.service.create_session(&alice(), None, Ok(urgent()), key("k")).await.unwrap();
        assert!(repeated.replayed);
        let other = app.service.create_session(&alice(), None, Ok(CreateSession::default()), key("k")).await;
        assert!(is_reused_key(&other), "what was asked for is the meaning: {other:?}");
    }
}

#[tokio::test]
async fn a_list_shows_what_the_caller_may_see() {
    let app = App::new();
    app.waiting(&alice(), 1).await;
    app.held_by_bob(2).await;
    app.waiting(&mallory(), 3).await;
    app.service.close_session(&mallory(), session_id(3), Ok(())).await.unwrap();
    let cases = [
        (alice(), vec![2, 1], 0),
        (mallory(), vec![], 1),
        (bob(), vec![2, 1], 0),
        (carol(), vec![1], 0),
        (root(), vec![2, 1], 1),
    ];
    for (who, active, closed) in cases {
        let list = async |status| {
            let input = Ok((status, SessionPosition::Page(PageNumber::FIRST), PageLimit::SESSIONS));
            app.service.list_sessions(&who, input).await.unwrap()
        };
        let listed = list(Some(SessionStatus::Active)).await;
        let ids: Vec<_> = listed.sessions.iter().map(|session| session.id).collect();
        assert_eq!(ids, active.into_iter().map(session_id).collect::<Vec<_>>(), "{who:?}");
        assert_eq!(list(Some(SessionStatus::Closed)).await.total, closed);
        assert_eq!(list(None).await.total, ids.len() as u64 + closed);
    }
    assert_eq!(Outcome::of(app.service.list_sessions(&alice(), bad()).await), Invalid);
    let far = Ok((None, SessionPosition::Page(PageNumber::new(u64::MAX).unwrap()), PageLimit::SESSIONS));
    assert_eq!(Outcome::of(app.service.list_sessions(&root(), far).await), Done);
}
