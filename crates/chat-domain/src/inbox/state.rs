//! A view in memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::view::{InboxKey, InboxOwner, InboxView, place};
use crate::model::{ChatSession, Seq, SessionId};

/// A view of a person's inbox in memory: a snapshot, brought up to date with sessions as they are after events. An event
/// may come twice, late or not at all: of a session the newest state is kept, and after a loss the view is read again.
#[derive(Clone, Debug)]
pub struct InboxState {
    owner: InboxOwner,
    view: InboxView,
    known: BTreeMap<SessionId, KnownState>,
}

/// What is known of a session that is in the view, or has left it: then an event from before does not bring it back.
#[derive(Clone, Debug)]
struct KnownState {
    seq: Seq,
    /// `None` when it is not in the view.
    session: Option<ChatSession>,
}

impl InboxState {
    /// The view as a snapshot shows it.
    pub fn new(owner: InboxOwner, view: InboxView, snapshot: impl IntoIterator<Item = ChatSession>) -> Self {
        let mut state = Self { owner, view, known: BTreeMap::new() };
        for session in snapshot {
            state.apply(session);
        }
        state
    }

    /// Takes over a session as it was after an event, and returns whether the view has changed.
    pub fn apply(&mut self, session: ChatSession) -> bool {
        let (id, seq) = (session.id, session.progress.last_seq);
        if self.known.get(&id).is_some_and(|known| known.seq >= seq) {
            return false;
        }
        let is_in_view = place(&self.owner, self.view, &session).is_some();
        let before = self.known.insert(id, KnownState { seq, session: is_in_view.then_some(session) });
        is_in_view || before.is_some_and(|before| before.session.is_some())
    }

    /// The position up to which each session is known. To be remembered when the view begins to be read again.
    pub fn positions(&self) -> BTreeMap<SessionId, Seq> {
        self.known.iter().map(|(id, known)| (*id, known.seq)).collect()
    }

    /// Takes over the whole view as it was read again. A session that is not in it has left the view, unless an event has
    /// come since the reading began, at `positions`.
    pub fn read_again(
        &mut self,
        snapshot: impl IntoIterator<Item = ChatSession>,
        positions: &BTreeMap<SessionId, Seq>,
    ) {
        let mut present = BTreeSet::new();
        for session in snapshot {
            present.insert(session.id);
            self.apply(session);
        }
        for (id, known) in &mut self.known {
            if !present.contains(id) && positions.get(id).is_some_and(|seq| known.seq <= *seq) {
                known.session = None;
            }
        }
    }

    /// The sessions of the view, in its order.
    pub fn sessions(&self) -> Vec<&ChatSession> {
        let placed = |session| Some((place(&self.owner, self.view, session)?, session));
        let sessions = self.known.values().filter_map(|known| known.session.as_ref());
        let mut placed: Vec<(InboxKey, &ChatSession)> = sessions.filter_map(placed).collect();
        placed.sort_by_key(|(key, _)| Reverse(*key));
        placed.into_iter().map(|(_, session)| session).collect()
    }
}
