//! What the subscriptions of one socket hold together: a bound of the bytes that wait in their queues, and one turn to read
//! the event log. So a client that reads slowly, with a hundred busy sessions, holds no more than the bound and one page.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use chat_domain::model::SocketId;

use crate::sync::{Mutex, lock};

/// How many sockets are known before those that are gone are looked for.
const FIRST_SWEEP: usize = 64;

/// The budgets of the sockets that have several subscriptions.
#[derive(Default)]
pub(crate) struct SocketBudgets(Mutex<KnownBudgets>);

#[derive(Default)]
struct KnownBudgets {
    budgets: HashMap<SocketId, Weak<SocketBudget>>,
    sweep_at: usize,
}

/// What the subscriptions of one socket share.
pub(crate) struct SocketBudget {
    most_bytes: usize,
    state: Mutex<BudgetState>,
}

#[derive(Default)]
struct BudgetState {
    /// The bytes that wait in all queues.
    bytes: usize,
    next_reader: u64,
    /// Whose turn it is to read the log, until what it has read is taken.
    reader: Option<u64>,
    /// Who waits for the turn, first come, first served.
    line: VecDeque<(u64, Waker)>,
}

/// A subscription's share of its socket's budget. Dropping it gives the turn back.
pub(crate) struct BudgetShare {
    budget: Arc<SocketBudget>,
    reader: u64,
    /// Whether it has the turn or waits for it.
    is_in_line: bool,
}

impl SocketBudgets {
    /// The budget of a socket, shared by its subscriptions. It is forgotten with the last of them.
    pub(crate) fn of(&self, socket: SocketId, most_bytes: usize) -> Arc<SocketBudget> {
        let mut known = lock(&self.0);
        if let Some(budget) = known.budgets.get(&socket).and_then(Weak::upgrade) {
            return budget;
        }
        if known.budgets.len() >= known.sweep_at {
            known.budgets.retain(|_, budget| budget.strong_count() > 0);
            known.sweep_at = (known.budgets.len() * 2).max(FIRST_SWEEP);
            let room = known.sweep_at;
            known.budgets.shrink_to(room);
        }
        let budget = Arc::new(SocketBudget { most_bytes, state: Mutex::default() });
        known.budgets.insert(socket, Arc::downgrade(&budget));
        budget
    }
}

#[cfg(test)]
impl SocketBudgets {
    /// How many sockets are known.
    pub(crate) fn known(&self) -> usize {
        lock(&self.0).budgets.len()
    }
}

impl SocketBudget {
    /// Takes so many bytes from what may wait. Returns whether there are as many left.
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        let mut state = lock(&self.state);
        let fits = state.bytes + bytes <= self.most_bytes;
        if fits {
            state.bytes += bytes;
        }
        fits
    }

    /// Gives bytes back that wait no more.
    pub(crate) fn release(&self, bytes: usize) {
        if bytes > 0 {
            let mut state = lock(&self.state);
            state.bytes = state.bytes.saturating_sub(bytes);
        }
    }

    /// A share for one more subscription.
    pub(crate) fn share(self: &Arc<Self>) -> BudgetShare {
        let mut state = lock(&self.state);
        let reader = state.next_reader;
        state.next_reader += 1;
        BudgetShare { budget: Arc::clone(self), reader, is_in_line: false }
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.state).bytes
    }
}

impl BudgetShare {
    /// Ready when it is this subscription's turn to read the log. It has the turn until [`leave`](Self::leave).
    pub(crate) fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.budget.state);
        let is_first = state.line.front().is_none_or(|(first, _)| *first == self.reader);
        self.is_in_line = true;
        match state.reader {
            Some(reader) if reader == self.reader => Poll::Ready(()),
            None if is_first => {
                state.line.pop_front();
                state.reader = Some(self.reader);
                Poll::Ready(())
            }
            _ => {
                let known = state.line.iter_mut().find(|(reader, _)| *reader == self.reader);
                match known {
                    Some((_, waker)) => waker.clone_from(context.waker()),
                    None => state.line.push_back((self.reader, context.waker().clone())),
                }
                Poll::Pending
            }
        }
    }

    /// Gives the turn back, or the place in the line, if the subscription has one, and wakes the next.
    pub(crate) fn leave(&mut self) {
        if !std::mem::take(&mut self.is_in_line) {
            return;
        }
        let next = {
            let mut state = lock(&self.budget.state);
            state.line.retain(|(reader, _)| *reader != self.reader);
            if state.reader == Some(self.reader) {
                state.reader = None;
            }
            if state.reader.is_none() { state.line.front().map(|(_, waker)| waker.clone()) } else { None }
        };
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        self.leave();
    }
}
