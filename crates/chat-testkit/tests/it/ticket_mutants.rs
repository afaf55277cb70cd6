//! The suite of tickets notices stores that are broken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Principal, Role, Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;
use chat_testkit::contract::ticket_store::{self, TicketStores};
use chat_testkit::{MemoryTicketStore, fixtures};

use crate::support::{make_tickets, notices};

/// What is wrong with a store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Leaves what is taken where it is.
    Keeps,
    /// Looks, lets others look, and then takes.
    Races,
    /// Returns a ticket that has expired.
    Lasts,
    /// Returns a ticket that expires now.
    LastsOneMoment,
    /// Keeps only whose the ticket is and what it opens.
    Abridges,
    /// Counts each ticket for a person of its own.
    CountsApart,
    /// Counts all tickets for the same person.
    CountsAll,
    /// Counts tickets that were used.
    CountsUsed,
}

struct Faulty {
    fault: Fault,
    sound: MemoryTicketStore,
    /// All that was ever put.
    seen: Mutex<HashMap<TicketDigest, Ticket>>,
}

fn faulty(fault: Fault) -> TicketStores {
    TicketStores::new(
        vec![Arc::new(Faulty { fault, sound: MemoryTicketStore::new(), seen: Mutex::default() })],
        Box::new(()),
    )
}

impl Faulty {
    fn seen(&self, digest: TicketDigest) -> Option<Ticket> {
        self.seen.lock().unwrap().get(&digest).cloned()
    }
}

#[async_trait]
impl TicketStore for Faulty {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()> {
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.insert(digest, ticket.clone());
            seen.len()
        };
        let put = match self.fault {
            Fault::CountsApart => {
                Ticket { holder: fixtures::person(&format!("person {number}"), Role::User), ..ticket.clone() }
            }
            Fault::CountsAll => Ticket { holder: fixtures::alice(), ..ticket.clone() },
            _ => ticket.clone(),
        };
        self.sound.put(digest, put, now).await
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>> {
        let seen = self.seen(digest);
        match self.fault {
            Fault::Keeps => Ok(seen.filter(|ticket| now < ticket.expires_at)),
            Fault::Races => {
                tokio::task::yield_now().await;
                self.seen.lock().unwrap().remove(&digest);
                Ok(seen)
            }
            Fault::Lasts => Ok(self.sound.take(digest, fixtures::at(0)).await?.and(seen)),
            Fault::LastsOneMoment => {
                let ends_now = seen.is_some_and(|ticket| ticket.expires_at == now);
                self.sound.take(digest, if ends_now { fixtures::at(0) } else { now }).await
            }
            Fault::Abridges => {
                let taken = self.sound.take(digest, now).await?;
                let abridged = |ticket: Ticket| {
                    let holder = Principal::new(ticket.holder.id, ticket.holder.role);
                    Ticket { holder, token_expires_at: ticket.expires_at, ..ticket }
                };
                Ok(taken.map(abridged))
            }
            Fault::CountsUsed => {
                let taken = self.sound.take(digest, now).await?;
                if let Some(ticket) = &taken {
                    let marker = TicketDigest::of(&format!("{digest:?}"));
                    self.sound.put(marker, ticket.clone(), now).await?;
                }
                Ok(taken)
            }
            Fault::CountsApart | Fault::CountsAll => Ok(self.sound.take(digest, now).await?.and(seen)),
        }
    }
}

notices! { a_ticket_that_is_given_twice_is_noticed: async { faulty(Fault::Keeps) }, unlike make_tickets =>
    ticket_store::a_ticket_is_taken_once_and_as_it_was_put,
    ticket_store::of_fifty_concurrent_takers_one_gets_the_ticket,
}

notices! { a_ticket_that_two_get_in_a_race_is_noticed: async { faulty(Fault::Races) }, unlike make_tickets =>
    ticket_store::of_fifty_concurrent_takers_one_gets_the_ticket,
}

notices! { a_ticket_that_does_not_expire_is_noticed: async { faulty(Fault::Lasts) }, unlike make_tickets =>
    ticket_store::nothing_is_taken_from_its_expiry_on,
    ticket_store::a_ticket_that_is_put_too_late_is_none,
}

notices! { a_ticket_that_lasts_a_moment_too_long_is_noticed: async { faulty(Fault::LastsOneMoment) }, unlike make_tickets =>
    ticket_store::nothing_is_taken_from_its_expiry_on,
}

notices! { a_ticket_that_comes_back_as_another_is_noticed: async { faulty(Fault::Abridges) }, unlike make_tickets =>
    ticket_store::a_ticket_is_taken_once_and_as_it_was_put,
}

notices! { a_person_with_any_number_of_tickets_is_noticed: async { faulty(Fault::CountsApart) }, unlike make_tickets =>
    ticket_store::a_ticket_over_the_limit_of_a_person_replaces_the_one_that_expires_first,
    ticket_store::concurrent_tickets_of_a_person_stay_within_their_number,
}

notices! { a_store_that_counts_people_together_is_noticed: async { faulty(Fault::CountsAll) }, unlike make_tickets =>
    ticket_store::tickets_of_others_are_not_counted,
}

notices! { a_store_that_counts_used_tickets_is_noticed: async { faulty(Fault::CountsUsed) }, unlike make_tickets =>
    ticket_store::tickets_that_were_used_are_not_counted,
}
