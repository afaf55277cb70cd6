//! Tickets in the memory of a node: the contract, and that nothing of a ticket is left behind.

use chat_domain::model::{Ticket, TicketDigest};
use chat_domain::ports::TicketStore;
use chat_realtime::MemoryTickets;
use chat_testkit::contract::ticket_store::TicketStores;
use chat_testkit::fixtures;

use crate::support::session;

async fn make_tickets() -> TicketStores {
    TicketStores::new(vec![MemoryTickets::with_capacity(300)], Box::new(()))
}

mod contract {
    chat_testkit::ticket_store_contract!(super::make_tickets);
}

#[tokio::test]
async fn what_was_taken_and_what_has_expired_is_not_kept() {
    let tickets = MemoryTickets::new();
    let ticket = |seconds| Ticket {
        holder: fixtures::alice(),
        session_id: session(),
        token_expires_at: fixtures::at(3_600),
        expires_at: fixtures::at(seconds),
    };
    let [taken, expiring, staying] = ["taken", "expiring", "staying"].map(TicketDigest::of);
    tickets.put(taken, ticket(30), fixtures::at(0)).await.unwrap();
    tickets.put(expiring, ticket(30), fixtures::at(0)).await.unwrap();
    assert_eq!(tickets.len(), 2);
    assert!(tickets.take(taken, fixtures::at(1)).await.unwrap().is_some());
    assert_eq!(tickets.len(), 1);
    // Whoever comes along clears away what has expired.
    tickets.put(staying, ticket(60), fixtures::at(30)).await.unwrap();
    assert_eq!(tickets.len(), 1);
    assert!(tickets.take(staying, fixtures::at(31)).await.unwrap().is_some());
    assert!(tickets.is_empty());
}
