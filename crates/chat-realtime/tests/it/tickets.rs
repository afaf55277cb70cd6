//! Tickets in memory: used once, in time, and never too many.

use std::sync::Arc;

use chat_domain::error::ChatError;
use chat_domain::model::{Ticket, TicketDigest};
use chat_domain::ports::TicketStore;
use chat_realtime::MemoryTickets;
use chat_testkit::fixtures;

use crate::support::session;

fn ticket_until(seconds: u64) -> Ticket {
    Ticket {
        holder: fixtures::alice(),
        session_id: session(),
        token_expires_at: fixtures::at(3_600),
        expires_at: fixtures::at(seconds),
    }
}

fn digest(n: u64) -> TicketDigest {
    TicketDigest::of(&n.to_string())
}

#[tokio::test]
async fn a_ticket_is_taken_once_and_as_it_was_given() {
    let tickets = MemoryTickets::new();
    tickets.put(digest(1), ticket_until(30), fixtures::at(0)).await.unwrap();
    assert_eq!(tickets.take(digest(2), fixtures::at(1)).await.unwrap(), None);
    assert_eq!(tickets.take(digest(1), fixtures::at(1)).await.unwrap(), Some(ticket_until(30)));
    assert_eq!(tickets.take(digest(1), fixtures::at(1)).await.unwrap(), None);
    assert!(tickets.is_empty());
}

#[tokio::test]
async fn a_ticket_opens_nothing_from_its_end_on() {
    let tickets = MemoryTickets::new();
    for n in 1..=2 {
        tickets.put(digest(n), ticket_until(30), fixtures::at(0)).await.unwrap();
    }
    assert!(tickets.take(digest(1), fixtures::at(29)).await.unwrap().is_some());
    assert_eq!(tickets.take(digest(2), fixtures::at(30)).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_store_says_so_until_something_expires() {
    let tickets = MemoryTickets::with_capacity(2);
    for n in 1..=2 {
        tickets.put(digest(n), ticket_until(29 + n), fixtures::at(0)).await.unwrap();
    }
    let full = tickets.put(digest(3), ticket_until(40), fixtures::at(29)).await.unwrap_err();
    assert!(matches!(full, ChatError::Unavailable { .. }));
    tickets.put(digest(3), ticket_until(40), fixtures::at(30)).await.unwrap();
    assert_eq!(tickets.len(), 2);
    assert!(tickets.take(digest(2), fixtures::at(30)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_takers_one_gets_the_ticket() {
    let tickets = MemoryTickets::new();
    for n in 0..50 {
        tickets.put(digest(n), ticket_until(30), fixtures::at(0)).await.unwrap();
        let mut taking = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let tickets = Arc::clone(&tickets);
            taking.spawn(async move { tickets.take(digest(n), fixtures::at(1)).await.unwrap() });
        }
        assert_eq!(taking.join_all().await.into_iter().flatten().count(), 1);
    }
}
