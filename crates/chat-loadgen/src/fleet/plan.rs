//! What a fleet of sockets does.

use std::time::Duration;

use crate::error::LoadError;
use crate::http::Target;
use crate::socket::ClientSocketMode;
use crate::token::{TokenRole, Tokens};

/// Sockets in the name of one person. The service lets one have ten in a session and fifty in all.
pub const SOCKETS_OF_A_PERSON: usize = 10;

/// What becomes of what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Reading {
    /// Every frame is parsed: sequence numbers, order and times are checked and counted.
    Events,
    /// Messages are counted and timed without parsing more of them than that, where the generator must be cheap.
    Frames,
    /// Nothing is read at all: the peer stalls.
    Nothing,
}

/// Sockets to hold.
#[derive(Clone, Debug)]
pub struct FleetPlan {
    /// The nodes of the service; sockets begin at them in turn, and go on to the next one when they are lost.
    pub nodes: Vec<Target>,
    /// In whose names: each for so many sockets in a row, then from the first one again. See [`FleetPlan::tokens_for`].
    pub tokens: Vec<String>,
    /// How many sockets in a row one token is for; [`SOCKETS_OF_A_PERSON`] unless there is a reason.
    pub sockets_of_a_person: usize,
    /// Which the sockets open in turn: paths such as [`crate::socket::path`] makes. Those of sockets that resume have
    /// no query.
    pub paths: Vec<String>,
    /// How many sockets.
    pub sockets: usize,
    /// The protocol.
    pub mode: ClientSocketMode,
    /// What becomes of what arrives.
    pub reading: Reading,
    /// Whether what arrived is acknowledged, once a second at most. In extended mode only.
    pub acknowledge: bool,
    /// Whether a socket that is lost is opened again: in extended mode right after the last event that it got. It is
    /// not when the protocol forbids it.
    pub reopen: bool,
    /// Handshakes at the same time.
    pub at_once: usize,
    /// How long one may take.
    pub timeout: Duration,
    /// What the sockets have besides, where their path is [`crate::socket::MULTIPLEXED_PATH`].
    pub multiplexed: Option<MultiplexPlan>,
}

/// What each multiplexed socket of a fleet has. In extended mode only, with [`Reading::Events`].
#[derive(Clone, Debug, Default)]
pub struct MultiplexPlan {
    /// The views of its inbox; no inbox is opened when there are none.
    pub views: Vec<String>,
    /// The sessions that all sockets together subscribe to.
    pub sessions: Vec<String>,
    /// How many of them each subscribes to: the first socket to the first ones, and so on, then from the first one again.
    pub subscriptions: usize,
}

impl MultiplexPlan {
    /// The sessions of a socket, each with its place among all.
    pub(super) fn sessions_of(&self, number: usize) -> impl Iterator<Item = (usize, &str)> {
        let first = number * self.subscriptions;
        let places = (first..first + self.subscriptions).map(|place| place % self.sessions.len().max(1));
        places.filter_map(|place| Some((place, self.sessions.get(place)?.as_str())))
    }
}

impl FleetPlan {
    /// Tokens for so many sockets that no person has too many; the given one when tokens are not signed here.
    ///
    /// # Errors
    /// A token cannot be signed.
    pub fn tokens_for(tokens: &Tokens, role: TokenRole, name: &str, sockets: usize) -> Result<Vec<String>, LoadError> {
        let people = match tokens {
            Tokens::Given(_) => 1,
            Tokens::Signed(_) => sockets.div_ceil(SOCKETS_OF_A_PERSON).max(1),
        };
        let name_of = |person: usize| if person == 0 { name.to_owned() } else { format!("{name}-{person}") };
        (0..people).map(|person| tokens.of(&name_of(person), role)).collect()
    }

    pub(crate) fn token(&self, number: usize) -> &str {
        let person = (number / self.sockets_of_a_person.max(1)) % self.tokens.len().max(1);
        self.tokens.get(person).map_or("", String::as_str)
    }

    /// How many sessions all sockets have together, and how many each has.
    pub(crate) fn sessions_and_subscriptions(&self) -> (usize, usize) {
        match &self.multiplexed {
            Some(plan) => (plan.sessions.len(), plan.subscriptions),
            None => (self.paths.len(), 1),
        }
    }

    /// Which of the paths a socket has.
    pub(super) fn place(&self, number: usize) -> usize {
        number % self.paths.len().max(1)
    }
}
