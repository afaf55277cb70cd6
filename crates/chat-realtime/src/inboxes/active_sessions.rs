//! The active sessions that the open inboxes of this node are concerned with. Pure: what a session was before a change
//! says which views it leaves.

use std::collections::{BTreeSet, HashMap, HashSet};

use chat_domain::inbox::{ActiveSession, InboxCounts, InboxOwner, InboxRange, MAX_ACTIVE};
use chat_domain::model::{AgentId, ChatSession, EventChange, Priority, SessionEvent, SessionId, Timestamp};

/// The sessions in the ranges of the open inboxes.
#[derive(Debug, Default)]
pub struct ActiveSessions {
    ranges: HashMap<InboxRange, OpenRange>,
    known: HashMap<SessionId, ActiveSession>,
    /// How many ranges are being read. Meanwhile it is remembered what has changed, since what was read may be older.
    loads: u32,
    changed: HashSet<SessionId>,
}

/// The ranges that a session is in once it has ended.
pub(super) fn ended_ranges(session: &ChatSession) -> Vec<InboxRange> {
    let of_owner = [InboxRange::Closed, InboxRange::ClosedOf(session.owner.clone())];
    of_owner.into_iter().chain(session.agent().cloned().map(InboxRange::ClosedUnder)).collect()
}

/// A range that an open inbox needs, with what is known of its sessions in figures.
#[derive(Debug, Default)]
struct OpenRange {
    inboxes: usize,
    is_loaded: bool,
    sessions: u64,
    unread_by_user: u64,
    unread_by_support: u64,
    /// Since when the customers wait, of a queue.
    waiting: BTreeSet<(Timestamp, SessionId)>,
}

impl OpenRange {
    fn add(&mut self, session: &ActiveSession) {
        self.sessions += 1;
        self.unread_by_user += session.unread_by_user;
        self.unread_by_support += session.unread_by_support;
        if session.agent.is_none() {
            self.waiting.extend(session.waiting_since.map(|since| (since, session.id)));
        }
    }

    fn remove(&mut self, session: &ActiveSession) {
        self.sessions -= 1;
        self.unread_by_user -= session.unread_by_user;
        self.unread_by_support -= session.unread_by_support;
        if let Some(since) = session.waiting_since {
            self.waiting.remove(&(since, session.id));
        }
    }
}

impl ActiveSessions {
    /// Whether no inbox is open.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges of the open inboxes.
    pub fn ranges(&self) -> Vec<InboxRange> {
        self.ranges.keys().cloned().collect()
    }

    /// An inbox with these ranges opens. Those that `begin_load` returns have to be read first.
    pub fn enter(&mut self, ranges: &[InboxRange]) {
        for range in ranges {
            let open = self.ranges.entry(range.clone()).or_insert_with(|| {
                let mut open = OpenRange::default();
                // They are known because they are in another open range too.
                self.known
                    .values()
                    .filter(|session| session.ranges().contains(range))
                    .for_each(|known| open.add(known));
                open
            });
            open.inboxes += 1;
        }
    }

    /// Those of these ranges that no inbox has read yet. If there are any, `load_ended` is called when they are read.
    pub fn begin_load(&mut self, ranges: &[InboxRange]) -> Vec<InboxRange> {
        let is_unread = |range: &&InboxRange| self.ranges.get(*range).is_some_and(|open| !open.is_loaded);
        let unread: Vec<InboxRange> = ranges.iter().filter(is_unread).cloned().collect();
        self.loads += u32::from(!unread.is_empty());
        unread
    }

    /// The reading of ranges that `begin_load` returned has ended: with their sessions, or `None` when it failed. Returns the
    /// sessions that have to be looked up, because what was read may not be what they are now.
    pub fn load_ended(&mut self, ranges: &[InboxRange], read: Option<Vec<ActiveSession>>) -> Vec<SessionId> {
        let mut unclear = Vec::new();
        if let Some(sessions) = read {
            for session in sessions {
                match self.known.get(&session.id) {
                    _ if self.changed.contains(&session.id) => unclear.push(session.id),
                    // Those who know another range of it have missed it.
                    None if self.is_in_loaded_range(&session) => unclear.push(session.id),
                    None => self.insert(session),
                    // Those who know it as it was may have missed its change.
                    Some(known) if known.seq < session.seq => unclear.push(session.id),
                    Some(_) => {}
                }
            }
            for range in ranges {
                if let Some(open) = self.ranges.get_mut(range) {
                    open.is_loaded = true;
                }
            }
        }
        self.loads -= 1;
        if self.loads == 0 {
            self.changed = HashSet::new();
        }
        unclear
    }

    /// An inbox with these ranges closes.
    pub fn leave(&mut self, ranges: &[InboxRange]) {
        let mut is_closed = false;
        for range in ranges {
            if let Some(open) = self.ranges.get_mut(range) {
                open.inboxes -= 1;
                if open.inboxes == 0 {
                    self.ranges.remove(range);
                    is_closed = true;
                }
            }
        }
        if is_closed {
            let open = &self.ranges;
            self.known.retain(|_, session| session.ranges().iter().any(|range| open.contains_key(range)));
            self.known.shrink_to(self.known.len() * 2);
        }
    }

    /// Whether an open inbox may show something else after this event. `is_open` says of a range of sessions that have ended
    /// whether an inbox has it.
    pub fn concerns(&self, event: &SessionEvent, is_open: impl Fn(&InboxRange) -> bool) -> bool {
        if self.ranges.is_empty() {
            return false;
        }
        // What is being read may be older than the event.
        if self.loads > 0 || self.known.contains_key(&event.session_id) {
            return true;
        }
        match &event.change {
            EventChange::Opened(session)
            | EventChange::Assigned(session)
            | EventChange::Transferred(session)
            | EventChange::Updated(session) => {
                ActiveSession::of(session).is_some_and(|session| self.is_of_concern(&session))
            }
            EventChange::Closed(session) => ended_ranges(session).iter().any(is_open),
            // It may be one of a session that has ended, of which only its reader is known.
            EventChange::Receipt(_) => {
                let (reader, agent) = (event.actor.clone(), AgentId::from(&event.actor));
                [InboxRange::Closed, InboxRange::ClosedOf(reader), InboxRange::ClosedUnder(agent)].iter().any(is_open)
            }
            // What an event of a newer version has done is not known.
            EventChange::Unknown => true,
            EventChange::Message(_) => false,
        }
    }

    /// Takes over a session as it was read, after all earlier readings of it; `None` when there is none. Returns what it
    /// was before, if it was active and in an open range.
    pub fn apply(&mut self, id: SessionId, session: Option<&ChatSession>) -> Option<ActiveSession> {
        let before = self.known.remove(&id);
        if let Some(before) = &before {
            self.count(before, OpenRange::remove);
        }
        if let Some(now) = session.and_then(ActiveSession::of).filter(|now| self.is_of_concern(now)) {
            self.insert(now);
        }
        if self.loads > 0 {
            self.changed.insert(id);
        }
        before
    }

    /// Whether a session is known, as an active one.
    pub fn knows(&self, id: SessionId) -> bool {
        self.known.contains_key(&id)
    }

    /// Whether an active session is not known as it is here.
    pub fn differs(&self, session: &ActiveSession) -> bool {
        self.known.get(&session.id).is_none_or(|known| known.seq != session.seq)
    }

    /// The sessions of these ranges that are not known as they were read, all of them, now or a moment ago.
    pub fn differences(&self, ranges: &[InboxRange], read: &[ActiveSession]) -> Vec<SessionId> {
        let listed: HashSet<SessionId> = read.iter().map(|session| session.id).collect();
        let ranges: HashSet<&InboxRange> = ranges.iter().collect();
        let is_behind =
            |session: &&ActiveSession| self.known.get(&session.id).is_none_or(|known| known.seq < session.seq);
        let is_gone = |known: &&ActiveSession| {
            !listed.contains(&known.id) && known.ranges().iter().any(|range| ranges.contains(range))
        };
        let behind = read.iter().filter(is_behind).map(|session| session.id);
        behind.chain(self.known.values().filter(is_gone).map(|known| known.id)).collect()
    }

    /// The counts of an open inbox of this person.
    pub fn counts(&self, owner: &InboxOwner) -> InboxCounts {
        let figures = |range: &InboxRange, of: fn(&OpenRange) -> u64| self.ranges.get(range).map_or(0, of);
        let mut counts = InboxCounts::default();
        match owner {
            InboxOwner::Customer(me) => {
                let mine = InboxRange::ActiveOfOwner(me.clone());
                counts.mine = figures(&mine, |open| open.sessions).min(MAX_ACTIVE as u64);
                counts.mine_unread = figures(&mine, |open| open.unread_by_user);
                return counts;
            }
            InboxOwner::Agent(me) => {
                let mine = InboxRange::ActiveOfAgent(me.clone());
                counts.mine = figures(&mine, |open| open.sessions).min(MAX_ACTIVE as u64);
                counts.mine_unread = figures(&mine, |open| open.unread_by_support);
            }
            InboxOwner::Admin => {}
        }
        let queues = Priority::ALL.map(InboxRange::Waiting);
        counts.waiting = queues.iter().map(|queue| figures(queue, |open| open.sessions)).sum();
        let first = |queue| self.ranges.get(queue).and_then(|open| open.waiting.first()).map(|(since, _)| *since);
        counts.longest_waiting_since = queues.iter().filter_map(first).min();
        counts
    }

    fn is_of_concern(&self, session: &ActiveSession) -> bool {
        session.ranges().iter().any(|range| self.ranges.contains_key(range))
    }

    fn is_in_loaded_range(&self, session: &ActiveSession) -> bool {
        session.ranges().iter().any(|range| self.ranges.get(range).is_some_and(|open| open.is_loaded))
    }

    fn insert(&mut self, session: ActiveSession) {
        self.count(&session, OpenRange::add);
        self.known.insert(session.id, session);
    }

    fn count(&mut self, session: &ActiveSession, change: fn(&mut OpenRange, &ActiveSession)) {
        for range in session.ranges() {
            if let Some(open) = self.ranges.get_mut(&range) {
                change(open, session);
            }
        }
    }
}
