//! The suite of sockets notices registries that are broken.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::error::LimitReached;
use chat_domain::model::{OpenSocket, SocketLimits};
use chat_domain::ports::{SocketCloser, SocketRegistry};
use chat_testkit::Replacements;
use chat_testkit::contract::socket_registry::{self, RegistryUnderTest};

use crate::support::{make_registry, notices};

/// What is wrong with a registry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Replaces the newest.
    TheNewest,
    /// Replaces the newcomer when it has the least id.
    TheNewcomer,
    /// Replaces the oldest of the person, in whatever session.
    AnySession,
    /// Replaces one socket more than it has to.
    TwoAtOnce,
    /// Treats all persons as the same one.
    CountsTogether,
    /// Refuses also the socket that replaces another.
    RefusesTheReplacing,
    /// Replaces first, and then refuses.
    ReplacesTheRefused,
    /// Keeps a place for the socket that was replaced until it leaves.
    KeepsThePlace,
    /// Frees a place with every socket that leaves.
    AnyoneLeaves,
    /// Frees no place.
    FreesNothing,
    /// Looks, lets others look, and then enters.
    Races,
    /// Closes no replaced socket.
    Silent,
    /// Counts subscriptions among the sockets of their person.
    CountsSubscriptions,
}

struct Faulty {
    fault: Fault,
    there: Mutex<Vec<OpenSocket>>,
    closer: Arc<dyn SocketCloser>,
}

fn faulty(fault: Fault) -> RegistryUnderTest {
    let ended = Arc::new(Replacements::new());
    let registry = Arc::new(Faulty { fault, there: Mutex::default(), closer: Arc::clone(&ended) as _ });
    RegistryUnderTest { registry, ended }
}

impl Faulty {
    /// Who gives way to the newcomer, and how many places are taken besides.
    fn decide(&self, newcomer: &OpenSocket, limits: SocketLimits) -> (Vec<OpenSocket>, usize) {
        let there = self.there.lock().unwrap();
        let same = |other: &&OpenSocket| self.fault == Fault::CountsTogether || other.user_id == newcomer.user_id;
        let theirs: Vec<OpenSocket> = there.iter().filter(same).cloned().collect();
        let in_session = |other: &&OpenSocket| other.session_id == newcomer.session_id;
        let here = theirs.iter().filter(in_session).count();
        let surplus = (here + 1).saturating_sub(limits.per_session);
        let candidates = theirs.iter().filter(|other| self.fault == Fault::AnySession || in_session(other));
        let mut candidates: Vec<OpenSocket> = candidates.cloned().collect();
        if self.fault == Fault::TheNewcomer {
            candidates.push(newcomer.clone());
        }
        candidates.sort_by_key(|other| other.id);
        if self.fault == Fault::TheNewest {
            candidates.sort_by_key(|other| Reverse(other.id));
        }
        candidates.truncate(if self.fault == Fault::TwoAtOnce { surplus * 2 } else { surplus });
        if newcomer.session_id.is_none() {
            candidates.clear();
        }
        let counted = |other: &&OpenSocket| self.fault == Fault::CountsSubscriptions || !other.is_subscription;
        let freed =
            if self.fault == Fault::RefusesTheReplacing { 0 } else { candidates.iter().filter(counted).count() };
        let taken = theirs.iter().filter(counted).count().saturating_sub(freed);
        (candidates, taken)
    }

    fn carry_out(&self, newcomer: &OpenSocket, replaced: &[OpenSocket]) {
        let mut there = self.there.lock().unwrap();
        there.push(newcomer.clone());
        if self.fault != Fault::KeepsThePlace {
            there.retain(|other| !replaced.contains(other));
        }
    }

    fn tell(&self, replaced: &[OpenSocket]) {
        for other in replaced {
            // The probes of the suite must come through, or it would wait and not see.
            if let Some(session) = other.session_id
                && (self.fault != Fault::Silent || other.user_id.as_str().starts_with("probe"))
            {
                self.closer.close_replaced(session, other.id);
            }
        }
    }
}

#[async_trait]
impl SocketRegistry for Faulty {
    async fn enter(&self, socket: &OpenSocket, limits: SocketLimits) -> Result<()> {
        let is_probe = socket.user_id.as_str().starts_with("probe");
        let (replaced, taken) = self.decide(socket, limits);
        if self.fault == Fault::Races {
            tokio::task::yield_now().await;
        }
        let is_counted = self.fault == Fault::CountsSubscriptions || !socket.is_subscription;
        if is_counted && taken >= limits.per_user && !is_probe {
            if self.fault == Fault::ReplacesTheRefused {
                let oldest: Vec<OpenSocket> = self.there.lock().unwrap().iter().take(1).cloned().collect();
                self.there.lock().unwrap().retain(|other| !oldest.contains(other));
                self.tell(&oldest);
            }
            return Err(LimitReached::Sockets { limit: limits.per_user }.into());
        }
        self.carry_out(socket, &replaced);
        self.tell(&replaced);
        Ok(())
    }

    fn leave(&self, socket: &OpenSocket) {
        let mut there = self.there.lock().unwrap();
        match self.fault {
            Fault::FreesNothing => {}
            Fault::AnyoneLeaves => {
                there.retain(|other| other.user_id != socket.user_id);
            }
            _ => there.retain(|other| other.id != socket.id),
        }
    }
}

notices! { a_registry_that_replaces_the_newest_is_noticed: async { faulty(Fault::TheNewest) }, unlike make_registry =>
    socket_registry::the_socket_over_the_session_limit_replaces_the_oldest_only,
    socket_registry::a_replacing_socket_enters_although_every_place_is_taken,
}

notices! { a_registry_that_replaces_the_newcomer_is_noticed: async { faulty(Fault::TheNewcomer) }, unlike make_registry =>
    socket_registry::the_entering_socket_stays_whatever_its_id,
}

notices! { a_registry_that_replaces_over_sessions_is_noticed: async { faulty(Fault::AnySession) }, unlike make_registry =>
    socket_registry::the_socket_over_the_session_limit_replaces_the_oldest_only,
}

notices! { a_registry_that_replaces_too_many_is_noticed: async { faulty(Fault::TwoAtOnce) }, unlike make_registry =>
    socket_registry::the_socket_over_the_session_limit_replaces_the_oldest_only,
    socket_registry::concurrent_entries_in_a_session_replace_exactly_the_surplus,
}

notices! { a_registry_that_counts_people_together_is_noticed: async { faulty(Fault::CountsTogether) }, unlike make_registry =>
    socket_registry::persons_do_not_share_places,
}

notices! { a_registry_that_refuses_the_replacing_is_noticed: async { faulty(Fault::RefusesTheReplacing) }, unlike make_registry =>
    socket_registry::a_replacing_socket_enters_although_every_place_is_taken,
}

notices! { a_refusal_that_replaces_is_noticed: async { faulty(Fault::ReplacesTheRefused) }, unlike make_registry =>
    socket_registry::the_socket_over_the_person_limit_is_refused_and_changes_nothing,
}

notices! { a_place_that_stays_taken_is_noticed: async { faulty(Fault::KeepsThePlace) }, unlike make_registry =>
    socket_registry::a_replaced_socket_frees_its_place_at_once,
}

notices! { a_place_that_anyone_frees_is_noticed: async { faulty(Fault::AnyoneLeaves) }, unlike make_registry =>
    socket_registry::the_socket_over_the_person_limit_is_refused_and_changes_nothing,
    socket_registry::leaving_twice_or_without_having_entered_frees_nothing,
    socket_registry::a_replaced_socket_that_leaves_frees_nothing,
}

notices! { a_place_that_is_never_freed_is_noticed: async { faulty(Fault::FreesNothing) }, unlike make_registry =>
    socket_registry::a_leaving_socket_frees_its_place,
}

notices! { a_registry_that_races_is_noticed: async { faulty(Fault::Races) }, unlike make_registry =>
    socket_registry::concurrent_entries_stay_within_both_limits,
}

notices! { a_registry_that_counts_subscriptions_is_noticed: async { faulty(Fault::CountsSubscriptions) }, unlike make_registry =>
    socket_registry::a_subscription_counts_in_its_session_alone,
    socket_registry::a_socket_that_replaces_a_subscription_needs_a_place,
}

notices! { an_unreported_replacement_is_noticed: async { faulty(Fault::Silent) }, unlike make_registry =>
    socket_registry::the_socket_over_the_session_limit_replaces_the_oldest_only,
}
