//! The open sockets of this node, by person, so that those of a person whose access ends, on any node, are closed: the
//! stores are queried about a few people now and then, and not by each socket.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::model::{AgentId, Principal, Role, Timestamp, UserId};
use crate::ports::StreamCloseReason;

/// The sockets of each person who has any.
#[derive(Default)]
pub(super) struct PersonSockets {
    people: Mutex<HashMap<UserId, Vec<Arc<CloseSignal>>>>,
    is_stopping: AtomicBool,
}

/// Signals to a socket that it must close, and why.
pub(super) struct CloseSignal {
    role: Role,
    token_issued_at: Option<Timestamp>,
    state: Mutex<SignalState>,
}

#[derive(Default)]
struct SignalState {
    reason: Option<StreamCloseReason>,
    waker: Option<Waker>,
}

/// A socket's entry; dropping it removes the entry.
pub(super) struct PersonSocket {
    all: Arc<PersonSockets>,
    person: UserId,
    signal: Arc<CloseSignal>,
}

impl PersonSockets {
    /// Enters a socket of `who`.
    pub(super) fn enter(self: &Arc<Self>, who: &Principal) -> PersonSocket {
        let signal = CloseSignal { role: who.role, token_issued_at: who.token_issued_at, state: Mutex::default() };
        let signal = Arc::new(signal);
        self.lock().entry(who.id.clone()).or_default().push(Arc::clone(&signal));
        // After the entry: `stop` closes all that it finds.
        if self.is_stopping.load(Ordering::SeqCst) {
            signal.raise(StreamCloseReason::NodeStopping);
        }
        PersonSocket { all: Arc::clone(self), person: who.id.clone(), signal }
    }

    /// The agents who have sockets that are not to be closed already.
    pub(super) fn agents(&self) -> Vec<AgentId> {
        let sockets = self.lock();
        let has_agents = |signals: &Vec<Arc<CloseSignal>>| signals.iter().any(|signal| signal.is_open_agent());
        let agents: BTreeSet<AgentId> = sockets
            .iter()
            .filter(|(_, signals)| has_agents(signals))
            .map(|(person, _)| AgentId::from(person))
            .collect();
        agents.into_iter().collect()
    }

    /// Closes the sockets that a person has at the moment and for which there is a reason, and returns how many. Later
    /// ones stay open.
    pub(super) fn close(&self, person: &UserId, reason: impl Fn(&CloseSignal) -> Option<StreamCloseReason>) -> usize {
        // Not woken under the lock, which a socket takes when it is dropped.
        let signals = self.lock().get(person).cloned().unwrap_or_default();
        let close = |signal: &Arc<CloseSignal>| reason(signal).is_some_and(|reason| signal.raise(reason));
        signals.iter().filter(|signal| close(signal)).count()
    }

    /// Closes all sockets, and those that are entered later, because the node stops.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        let signals: Vec<_> = self.lock().values().flatten().cloned().collect();
        for signal in signals {
            signal.raise(StreamCloseReason::NodeStopping);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<CloseSignal>>>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CloseSignal {
    /// The role of the socket's person.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// When the socket's token was issued, if it says.
    pub(super) fn token_issued_at(&self) -> Option<Timestamp> {
        self.token_issued_at
    }

    fn is_open_agent(&self) -> bool {
        self.role == Role::Agent && self.lock().reason.is_none()
    }

    /// Returns whether it is the first signal to the socket.
    fn raise(&self, reason: StreamCloseReason) -> bool {
        let mut state = self.lock();
        let is_first = state.reason.is_none();
        if is_first {
            state.reason = Some(reason);
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        is_first
    }

    fn lock(&self) -> MutexGuard<'_, SignalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PersonSocket {
    /// Makes this socket close for that reason, unless it has another reason already.
    pub(super) fn close(&self, reason: StreamCloseReason) {
        self.signal.raise(reason);
    }

    /// Ready once the socket must close; until then, the task of `context` is woken when that happens.
    pub(super) fn poll_closed(&self, context: &Context<'_>) -> Poll<StreamCloseReason> {
        // Under the lock, so that a signal either is seen here or finds the waker.
        let mut state = self.signal.lock();
        if let Some(reason) = state.reason {
            return Poll::Ready(reason);
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for PersonSocket {
    fn drop(&mut self) {
        let mut people = self.all.lock();
        let Some(signals) = people.get_mut(&self.person) else { return };
        signals.retain(|signal| !Arc::ptr_eq(signal, &self.signal));
        if signals.is_empty() {
            people.remove(&self.person);
        }
    }
}
