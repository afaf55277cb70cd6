//! Tickets: a person who may see a session gets one, and it opens that session once, for a short time.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::{SessionId, TICKET_LIFETIME, TicketDigest};
use chat_domain::ports::{Clock, MockTicketStore};
use chat_testkit::fixtures::{alice, at, bob, mallory, root};

use crate::support::{App, Outcome};

fn digest(text: &str) -> TicketDigest {
    TicketDigest::of(text)
}

#[tokio::test]
async fn a_ticket_opens_its_session_in_the_name_of_who_asked_for_it() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for who in [alice(), bob(), root()] {
        let now = app.clock.now();
        let expires_at = app.service.issue_ticket(&who, id, at(3_600), digest("t")).await.unwrap();
        assert!(expires_at > now.plus(TICKET_LIFETIME) && expires_at < app.clock.now().plus(TICKET_LIFETIME));
        let ticket = app.service.redeem_ticket(Some(id), digest("t")).await.unwrap().expect("the ticket is there");
        assert_eq!((ticket.holder, ticket.session_id), (who, Some(id)));
        assert_eq!((ticket.expires_at, ticket.token_expires_at), (expires_at, at(3_600)));
    }
}

#[tokio::test]
async fn a_ticket_is_used_up_by_being_shown() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let other = app.waiting(&alice(), 2).await;
    app.service.issue_ticket(&alice(), id, at(3_600), digest("first")).await.unwrap();
    assert!(app.service.redeem_ticket(Some(id), digest("first")).await.unwrap().is_some());
    assert!(app.service.redeem_ticket(Some(id), digest("first")).await.unwrap().is_none());
    app.service.issue_ticket(&alice(), id, at(3_600), digest("second")).await.unwrap();
    assert!(
        app.service.redeem_ticket(Some(other), digest("second")).await.unwrap().is_none(),
        "it is for another session"
    );
    assert!(app.service.redeem_ticket(Some(id), digest("second")).await.unwrap().is_none(), "and it is gone");
    assert!(app.service.redeem_ticket(Some(id), digest("unknown")).await.unwrap().is_none());
}

#[tokio::test]
async fn tickets_with_and_without_a_session_are_not_interchangeable() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.issue_socket_ticket(&mallory(), at(3_600), digest("any")).await.unwrap();
    let ticket = app.service.redeem_ticket(None, digest("any")).await.unwrap().expect("the ticket is there");
    assert_eq!((ticket.holder, ticket.session_id), (mallory(), None));
    app.service.issue_socket_ticket(&alice(), at(3_600), digest("any")).await.unwrap();
    assert!(app.service.redeem_ticket(Some(id), digest("any")).await.unwrap().is_none());
    assert!(app.service.redeem_ticket(None, digest("any")).await.unwrap().is_none(), "it is used up");
    app.service.issue_ticket(&alice(), id, at(3_600), digest("one")).await.unwrap();
    assert!(app.service.redeem_ticket(None, digest("one")).await.unwrap().is_none());
    // As a store keeps a ticket without a session.
    let nil = SessionId::new(uuid::Uuid::nil());
    app.service.issue_socket_ticket(&alice(), at(3_600), digest("nil")).await.unwrap();
    assert!(app.service.redeem_ticket(Some(nil), digest("nil")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_ticket_ends_after_its_time() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    // Each look at the clock takes a second.
    for (pause, is_there) in [(Duration::from_secs(27), true), (TICKET_LIFETIME, false)] {
        app.service.issue_ticket(&alice(), id, at(3_600), digest("t")).await.unwrap();
        app.clock.advance(pause);
        assert_eq!(app.service.redeem_ticket(Some(id), digest("t")).await.unwrap().is_some(), is_there, "{pause:?}");
    }
}

#[tokio::test]
async fn a_ticket_ends_with_the_token_that_it_was_asked_for_with() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let token_ends = app.clock.now().plus(Duration::from_secs(5));
    let expires_at = app.service.issue_ticket(&alice(), id, token_ends, digest("t")).await.unwrap();
    assert_eq!(expires_at, token_ends);
    app.clock.advance(Duration::from_secs(5));
    assert!(app.service.redeem_ticket(Some(id), digest("t")).await.unwrap().is_none());
}

#[tokio::test]
async fn who_may_not_see_the_session_gets_no_ticket() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let answer = app.service.issue_ticket(&mallory(), id, at(3_600), digest("t")).await;
    assert_eq!(Outcome::of(answer), Outcome::Forbidden);
    assert!(app.service.redeem_ticket(Some(id), digest("t")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_that_can_keep_no_more_tickets_is_reported_as_such() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut tickets = MockTicketStore::new();
    tickets.expect_put().times(1).returning(|_, _, _| Err(ChatError::unavailable("full")));
    let service = app.service_with(|ports| ports.tickets = Arc::new(tickets));
    let answer = service.issue_ticket(&alice(), id, at(3_600), digest("t")).await;
    assert!(matches!(answer, Err(ChatError::Unavailable { .. })), "{answer:?}");
}
