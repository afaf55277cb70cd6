//! What every `TicketStore` does, on one node and on several.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{
    MAX_TICKETS_OF_A_PERSON, PersonName, Principal, Ticket, TicketDigest, Timestamp, TokenKeyDigest,
};
use chat_domain::ports::TicketStore;

use super::checks::{ROUNDS, at_once};
use super::contract_cases;
use crate::fixtures::{alice, at, bob, root, session_id};

contract_cases! { $ ticket_store_contract for ticket_store on crate::contract::ticket_store::TicketStores:
    a_ticket_is_taken_once_and_as_it_was_put,
    a_ticket_without_a_session_stays_without_one,
    an_unknown_ticket_is_none,
    nothing_is_taken_from_its_expiry_on,
    a_ticket_that_is_put_too_late_is_none,
    of_fifty_concurrent_takers_one_gets_the_ticket,
    a_ticket_over_the_limit_of_a_person_replaces_the_one_that_expires_first,
    a_ticket_that_expires_before_all_others_of_its_person_is_kept_all_the_same,
    tickets_that_have_expired_make_room_first,
    tickets_that_were_used_are_not_counted,
    tickets_of_others_are_not_counted,
    concurrent_tickets_of_a_person_stay_within_their_number,
}

/// How many tickets a person may have, as the numbers of tickets are counted here.
const MOST: u64 = MAX_TICKETS_OF_A_PERSON as u64;

/// The store as one node or several see it, empty and for one case alone.
pub struct TicketStores {
    nodes: Vec<Arc<dyn TicketStore>>,
    /// Whatever must live as long as the nodes. Dropped after them.
    _guard: Box<dyn Any + Send>,
}

impl TicketStores {
    /// These nodes, and what must live as long as they do.
    ///
    /// # Panics
    /// When there is no node.
    pub fn new(nodes: Vec<Arc<dyn TicketStore>>, guard: Box<dyn Any + Send>) -> Self {
        assert!(!nodes.is_empty(), "there is a node");
        Self { nodes, _guard: guard }
    }

    /// The node whose turn it is at step `n`.
    fn at(&self, n: u64) -> &Arc<dyn TicketStore> {
        &self.nodes[usize::try_from(n % self.nodes.len() as u64).expect("there are few nodes")]
    }

    /// Keeps ticket `n`, through the node whose turn it is.
    async fn put(&self, n: u64, ticket: Ticket, now: Timestamp) {
        self.at(n).put(digest(n), ticket, now).await.expect("the ticket is kept");
    }

    /// Takes ticket `n`, through another node than that which was given it.
    async fn take(&self, n: u64, now: Timestamp) -> Option<Ticket> {
        self.at(n + 1).take(digest(n), now).await.expect("the store answers")
    }

    /// How many of these tickets are there. They are gone afterwards.
    async fn count(&self, numbers: impl IntoIterator<Item = u64>, now: Timestamp) -> usize {
        let mut there = 0;
        for n in numbers {
            there += usize::from(self.take(n, now).await.is_some());
        }
        there
    }
}

fn digest(n: u64) -> TicketDigest {
    TicketDigest::of(&n.to_string())
}

/// A ticket until that many seconds after the start.
fn ticket(holder: Principal, until: u64) -> Ticket {
    Ticket { holder, session_id: Some(session_id(1)), token_expires_at: at(3_600), expires_at: at(until) }
}

async fn a_ticket_is_taken_once_and_as_it_was_put(stores: &TicketStores) {
    for (n, (mut holder, name)) in
        (1..).zip([(alice(), None), (bob(), Some("Bob \"B\" é")), (root(), None), (alice(), Some("Alice"))])
    {
        holder.name = name.and_then(|name| PersonName::parse(name).ok());
        holder.token_issued_at = (n % 2 == 0).then(|| at(0));
        holder.token_key = (n > 2).then(|| TokenKeyDigest::of(b"a public key"));
        let given = Ticket { session_id: Some(session_id(n)), token_expires_at: at(600 + n), ..ticket(holder, 30) };
        stores.put(n, given.clone(), at(0)).await;
        assert_eq!(stores.take(n, at(1)).await, Some(given));
        for node in &stores.nodes {
            assert_eq!(node.take(digest(n), at(1)).await.unwrap(), None, "it was taken");
        }
    }
}

async fn a_ticket_without_a_session_stays_without_one(stores: &TicketStores) {
    let given = Ticket { session_id: None, ..ticket(alice(), 30) };
    stores.put(1, given.clone(), at(0)).await;
    assert_eq!(stores.take(1, at(1)).await, Some(given));
}

async fn an_unknown_ticket_is_none(stores: &TicketStores) {
    assert_eq!(stores.take(1, at(0)).await, None);
    stores.put(1, ticket(alice(), 30), at(0)).await;
    assert_eq!(stores.take(2, at(0)).await, None);
    assert!(stores.take(1, at(0)).await.is_some(), "asking for another does not use it up");
}

async fn nothing_is_taken_from_its_expiry_on(stores: &TicketStores) {
    for n in 1..=3 {
        stores.put(n, ticket(alice(), 30), at(0)).await;
    }
    let just_before = at(29).plus(Duration::from_millis(999));
    assert!(stores.take(1, just_before).await.is_some());
    assert_eq!(stores.take(2, at(30)).await, None, "at its very end");
    assert_eq!(stores.take(2, at(0)).await, None, "a node whose clock is behind finds it used up");
    assert_eq!(stores.take(3, at(31)).await, None);
}

async fn a_ticket_that_is_put_too_late_is_none(stores: &TicketStores) {
    for (n, now) in [(1, 30), (2, 31)] {
        stores.put(n, ticket(alice(), 30), at(now)).await;
        assert_eq!(stores.take(n, at(now)).await, None);
    }
}

async fn of_fifty_concurrent_takers_one_gets_the_ticket(stores: &TicketStores) {
    for round in 0..ROUNDS {
        stores.put(round, ticket(alice(), 30), at(0)).await;
        let take = |n| {
            let node = Arc::clone(stores.at(n));
            async move { node.take(digest(round), at(1)).await.unwrap() }
        };
        let taken: Vec<Ticket> = at_once((0..50).map(take)).await.into_iter().flatten().collect();
        assert_eq!(taken, [ticket(alice(), 30)]);
    }
}

async fn a_ticket_over_the_limit_of_a_person_replaces_the_one_that_expires_first(stores: &TicketStores) {
    // The ticket that expires first is neither the first nor the last that was put.
    let until = |n: u64| if n == MOST / 2 { 31 } else { 40 + n };
    for n in 0..MOST {
        stores.put(n, ticket(alice(), until(n)), at(0)).await;
    }
    stores.put(MOST, ticket(alice(), until(MOST)), at(1)).await;
    assert_eq!(stores.take(MOST / 2, at(1)).await, None);
    assert_eq!(stores.count(0..=MOST, at(1)).await, MAX_TICKETS_OF_A_PERSON);
}

async fn a_ticket_that_expires_before_all_others_of_its_person_is_kept_all_the_same(stores: &TicketStores) {
    for n in 0..MOST {
        stores.put(n, ticket(alice(), 40 + n), at(0)).await;
    }
    stores.put(MOST, ticket(alice(), 20), at(1)).await;
    assert_eq!(stores.take(MOST, at(1)).await, Some(ticket(alice(), 20)));
    assert_eq!(stores.take(0, at(1)).await, None);
}

async fn tickets_that_have_expired_make_room_first(stores: &TicketStores) {
    for n in 0..MOST {
        stores.put(n, ticket(alice(), if n < 40 { 30 } else { 3_600 }), at(0)).await;
    }
    // Whenever the store removes what has expired, it costs none of the others its place.
    for n in MOST..MOST + 40 {
        stores.put(n, ticket(alice(), 3_600), at(1_000)).await;
    }
    assert_eq!(stores.count(0..40, at(1_000)).await, 0);
    assert_eq!(stores.count(40..MOST + 40, at(1_000)).await, MAX_TICKETS_OF_A_PERSON);
}

async fn tickets_that_were_used_are_not_counted(stores: &TicketStores) {
    for n in 0..MOST {
        stores.put(n, ticket(alice(), if n < 40 { 30 } else { 40 }), at(0)).await;
    }
    assert_eq!(stores.count(40..MOST, at(1)).await, MAX_TICKETS_OF_A_PERSON - 40);
    for n in 40..MOST {
        stores.put(MOST + n, ticket(alice(), 50), at(1)).await;
    }
    assert_eq!(stores.count(0..40, at(1)).await, 40, "those that expire first had to give no place up");
    assert_eq!(stores.count(MOST + 40..2 * MOST, at(1)).await, MAX_TICKETS_OF_A_PERSON - 40);
}

async fn tickets_of_others_are_not_counted(stores: &TicketStores) {
    let holder = |n| if n % 2 == 0 { alice() } else { bob() };
    for n in 0..2 * MOST {
        stores.put(n, ticket(holder(n), 30), at(0)).await;
    }
    assert_eq!(stores.count(0..2 * MOST, at(1)).await, 2 * MAX_TICKETS_OF_A_PERSON);
}

async fn concurrent_tickets_of_a_person_stay_within_their_number(stores: &TicketStores) {
    let put = |n| {
        let node = Arc::clone(stores.at(n));
        async move { node.put(digest(n), ticket(alice(), 30 + n % 7), at(0)).await.unwrap() }
    };
    at_once((0..MOST + 50).map(put)).await;
    assert_eq!(stores.count(0..MOST + 50, at(1)).await, MAX_TICKETS_OF_A_PERSON);
}
