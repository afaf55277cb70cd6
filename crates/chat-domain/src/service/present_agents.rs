//! The agents who have an inbox open on this node, and what of that has still to be written down for the other nodes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::inbox::InboxView;
use crate::model::{AgentId, ChatSession, OFFLINE_AFTER};
use crate::ports::{InboxStream, InboxUpdate, StreamCloseReason};

/// How often the presence of the agents with an inbox open here is written: one write may fail, and the next may come
/// late, before an agent is shown as offline.
pub const PRESENCE_REFRESHED_EVERY: Duration = Duration::from_secs(20);

/// The agents of this node.
#[derive(Default)]
pub(super) struct PresentAgents(Mutex<PresenceState>);

#[derive(Default)]
struct PresenceState {
    agents: HashMap<AgentId, PresentAgent>,
    /// When all of them were due last.
    refreshed_at: Option<Instant>,
    looked_at: Option<Instant>,
}

/// An agent with an inbox open here, or who has closed the last one a moment ago.
#[derive(Default)]
struct PresentAgent {
    inboxes: usize,
    /// An inbox was opened, or the last one closed, since they were last written down; or that has failed.
    is_due: bool,
    /// When they are known to have been here; `None` if it was at some time since the agents were last looked at.
    seen_at: Option<Instant>,
}

impl PresentAgents {
    /// Enters an inbox of this agent.
    pub(super) fn enter(self: &Arc<Self>, agent: AgentId) -> AgentPresence {
        let mut state = self.lock();
        let present = state.agents.entry(agent.clone()).or_default();
        present.inboxes += 1;
        (present.is_due, present.seen_at) = (true, None);
        AgentPresence { all: Arc::clone(self), agent }
    }

    /// How long ago the agents of this node were here, when they were looked at last: those who have an inbox open here, and
    /// those who have left and are not written down yet.
    pub(super) fn here(&self) -> HashMap<AgentId, Duration> {
        let state = self.lock();
        let ago = |present: &PresentAgent| match (present.seen_at, state.looked_at) {
            (Some(seen_at), Some(looked_at)) if present.inboxes == 0 => looked_at.saturating_duration_since(seen_at),
            _ => Duration::ZERO,
        };
        state.agents.iter().map(|(agent, present)| (agent.clone(), ago(present))).collect()
    }

    /// Those who have to be written down now, with how long ago they were here. `noted` or `failed` is called with them.
    pub(super) fn take_due(&self, now: Instant) -> BTreeMap<AgentId, Duration> {
        let mut state = self.lock();
        let PresenceState { agents, refreshed_at, looked_at } = &mut *state;
        *looked_at = Some(now);
        let refreshes = refreshed_at.is_none_or(|at| now.saturating_duration_since(at) >= PRESENCE_REFRESHED_EVERY);
        if refreshes {
            *refreshed_at = Some(now);
        }
        let mut due = BTreeMap::new();
        agents.retain(|agent, present| {
            if present.inboxes > 0 {
                present.seen_at = Some(now);
            }
            let ago = now.saturating_duration_since(*present.seen_at.get_or_insert(now));
            if std::mem::take(&mut present.is_due) || (refreshes && present.inboxes > 0) {
                due.insert(agent.clone(), ago);
            }
            // Who has left so long ago is offline, whether or not it was written down when that was.
            ago < OFFLINE_AFTER
        });
        due.retain(|_, ago| *ago < OFFLINE_AFTER);
        due
    }

    /// These have been written down.
    pub(super) fn noted(&self, due: &BTreeMap<AgentId, Duration>) {
        let mut state = self.lock();
        for agent in due.keys() {
            // If an inbox was opened or closed meanwhile, they are due again.
            if state.agents.get(agent).is_some_and(|present| present.inboxes == 0 && !present.is_due) {
                state.agents.remove(agent);
            }
        }
    }

    /// These could not be written down: they are due again.
    pub(super) fn failed(&self, due: &BTreeMap<AgentId, Duration>) {
        let mut state = self.lock();
        for agent in due.keys() {
            if let Some(present) = state.agents.get_mut(agent) {
                present.is_due = true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, PresenceState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of an open inbox; dropping it removes the entry.
pub(super) struct AgentPresence {
    all: Arc<PresentAgents>,
    agent: AgentId,
}

impl Drop for AgentPresence {
    fn drop(&mut self) {
        let mut state = self.all.lock();
        if let Some(present) = state.agents.get_mut(&self.agent) {
            present.inboxes = present.inboxes.saturating_sub(1);
            if present.inboxes == 0 {
                (present.is_due, present.seen_at) = (true, None);
            }
        }
    }
}

/// The updates of an agent's inbox, which is entered for as long as they are there.
pub(super) struct PresentInbox {
    pub(super) updates: Box<dyn InboxStream>,
    pub(super) _presence: AgentPresence,
}

impl InboxStream for PresentInbox {
    fn note_snapshot(&mut self, view: InboxView, sessions: &[ChatSession]) {
        self.updates.note_snapshot(view, sessions);
    }

    fn poll_next(&mut self, context: &Context<'_>, now: Instant) -> Poll<Result<InboxUpdate, StreamCloseReason>> {
        self.updates.poll_next(context, now)
    }

    fn poll_closed(&mut self, context: &Context<'_>) -> Poll<StreamCloseReason> {
        self.updates.poll_closed(context)
    }

    fn deadline(&self) -> Option<Instant> {
        self.updates.deadline()
    }
}
