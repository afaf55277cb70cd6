//! The open sockets of agents on this node, so that those of an agent who is deactivated, on any node, are ended: the
//! directory is asked about a handful of agents now and then, and not by each request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::model::{AgentId, Principal};

/// The sockets of each agent who has any.
#[derive(Default)]
pub(super) struct AgentSockets(Mutex<HashMap<AgentId, Vec<Arc<Signal>>>>);

/// How a socket learns that its agent was deactivated.
#[derive(Default)]
struct Signal {
    raised: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// A socket's entry; dropping it removes the entry.
pub(super) struct AgentSocket {
    all: Arc<AgentSockets>,
    agent: AgentId,
    signal: Arc<Signal>,
}

impl AgentSockets {
    /// Enters a socket of `who`, if they are an agent.
    pub(super) fn enter(self: &Arc<Self>, who: &Principal) -> Option<AgentSocket> {
        let agent = who.agent()?;
        let signal = Arc::<Signal>::default();
        self.lock().entry(agent.clone()).or_default().push(Arc::clone(&signal));
        Some(AgentSocket { all: Arc::clone(self), agent, signal })
    }

    /// The agents who have sockets.
    pub(super) fn agents(&self) -> Vec<AgentId> {
        self.lock().keys().cloned().collect()
    }

    /// Ends the sockets that `agent` has at the moment, and returns how many. Later ones are not concerned.
    pub(super) fn end_all_of(&self, agent: &AgentId) -> usize {
        let signals = self.lock().remove(agent).unwrap_or_default();
        for signal in &signals {
            signal.raise();
        }
        signals.len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Vec<Arc<Signal>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signal {
    fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl AgentSocket {
    /// Ready once the agent was deactivated; else the task of `context` is woken when that happens.
    pub(super) fn poll_deactivated(&self, context: &Context<'_>) -> Poll<()> {
        let mut waker = self.signal.waker.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that a signal either is seen here or finds the waker.
        if self.signal.raised.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        let mut agents = self.all.lock();
        let Some(signals) = agents.get_mut(&self.agent) else { return };
        signals.retain(|signal| !Arc::ptr_eq(signal, &self.signal));
        if signals.is_empty() {
            agents.remove(&self.agent);
        }
    }
}
