//! Who is shown as typing in which session, when others are notified, and when typing ends. Pure: the caller passes the
//! time.
//!
//! * The sockets and the other nodes are notified of a person's typing in a session at most once in
//!   `TypingRules::min_interval`. A typing event that comes sooner waits for the end of that time, and a later one
//!   replaces it: the last state always arrives, and no start or stop more often. So a client may send one event per
//!   key stroke, and a client that alternates between start and stop costs the others no more.
//! * The node that takes a typing event from a person notifies the other nodes when it notifies its own sockets, so
//!   that they get no more of them. Each node applies the rule to the events of other nodes too: a person's requests
//!   may come to several nodes. Since events wait, one from another node may come after a later one; its time shows
//!   that, it is dropped, and the node that took the later one publishes that once more.
//! * Clocks of nodes differ, so a time orders events and is no reading of one clock: an event that a person causes here
//!   is later than every event of theirs that this node knows, whatever their clocks say (a hybrid logical clock).
//!   Clocks decide only between events of which neither node knew the other, within `TypingRules::min_interval`; every
//!   node decides alike, and clocks that differ by more than the time between the two may decide for the earlier.
//! * A message ends its author's typing on every node, together with the message and without delay, and only where it
//!   was seen. A typing event after the message waits as above.
//! * After `TypingRules::timeout` without an event, typing ends; it also ends when the typist's last subscription to
//!   the session is dropped.
//! * A node knows only its own subscriptions. When a typist's last one is dropped, it publishes a stop with `by_node`,
//!   which a node that has another subscription of theirs contradicts with a start that is `by_node`. Such a stop waits
//!   for `TypingRules::stop_delay` before it is shown, so that a contradiction comes in time to spare the sockets both.
//!   A start that is `by_node` does not prolong typing: where the typist is known it changes nothing else, and the node
//!   that published it notifies the others when typing ends.
//! * When the session closes, its typists are forgotten without an event, as the close implies the stop.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use chat_domain::model::{SessionId, Timestamp, UserId};

use crate::peers::PeerTyping;
use crate::settings::TypingRules;

/// The least difference between two times.
const TICK: Duration = Duration::from_millis(1);

/// The node that took a typing event from its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypingOrigin {
    /// This node; the others do not know of it yet.
    ThisNode,
    /// Another node, which has notified all others.
    OtherNode,
}

/// A typing event to deliver, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypingNotice {
    /// The event.
    pub event: PeerTyping,
    /// Whether the session's sockets on this node get it.
    pub to_sockets: bool,
    /// Whether the other nodes get it.
    pub to_peers: bool,
}

/// The typing of a person who types, or stopped so recently that the next event has to wait, or that an earlier one may still come.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the typist's state and what this node and the others show change independently"
)]
struct TypingState {
    user: UserId,
    /// Whether they type, by their last event, and its time, by the clock of its node.
    typing: bool,
    event_at: Timestamp,
    /// The time that sockets get for the state. It grows with each state, also when a node and not the person ended it.
    state_at: Timestamp,
    /// When that event was received here, and when the last start was.
    updated_at: Timestamp,
    typed_at: Timestamp,
    /// Whether the last event that was delivered was a start, and when it was delivered.
    shown: bool,
    shown_at: Timestamp,
    /// Whether the last event between nodes was a start, of whichever node.
    peers_show: bool,
    /// Whether a socket on this node has received their start, and not yet the stop.
    seen: bool,
    /// When the last event, which waits, is delivered.
    due: Option<Timestamp>,
    /// Whether the other nodes get it then.
    owed_to_peers: bool,
    /// Whether other nodes know of their typing from this one, which therefore publishes the end as well.
    announced: bool,
}

/// The people who are shown as typing: at most `TypingRules::max_typists` a session, those included who have lately
/// stopped.
#[derive(Debug)]
pub struct TypingTable {
    sessions: HashMap<SessionId, Vec<TypingState>>,
    rules: TypingRules,
}

impl TypingTable {
    /// An empty table.
    pub fn new(rules: TypingRules) -> Self {
        Self { sessions: HashMap::new(), rules }
    }

    /// Takes an event that came at `now`, by this node's clock. `audience` is whether a socket on this node would show
    /// it. Returns what is to be delivered at once; the rest comes from `tick`.
    pub fn on_typing(
        &mut self,
        event: &PeerTyping,
        origin: TypingOrigin,
        audience: bool,
        now: Timestamp,
    ) -> Option<TypingNotice> {
        let rules = self.rules;
        let typists = self.sessions.get_mut(&event.session_id);
        let known = typists.as_ref().map_or(0, |typists| typists.len());
        let typist = typists.and_then(|typists| typists.iter_mut().find(|typist| typist.user == event.user_id));
        let Some(typist) = typist else {
            // A node's stop is about a person who was typing, and the table is bounded.
            if known >= rules.max_typists || (event.by_node && !event.is_typing) {
                return None;
            }
            let typist = TypingState::new(event, origin, audience, now);
            self.sessions.entry(event.session_id).or_default().push(typist);
            return Some(TypingNotice {
                event: event.clone(),
                to_sockets: true,
                to_peers: origin == TypingOrigin::ThisNode,
            });
        };
        let event = typist.ordered(event, origin);
        let event = event.as_ref();
        // A repeated start changes nothing.
        if event.by_node && event.is_typing && typist.typing {
            return None;
        }
        if origin == TypingOrigin::OtherNode {
            typist.peers_show = event.is_typing;
            if !event.by_node && typist.supersedes(event.at, rules) {
                // The nodes that do not know the later event show this one.
                if typist.announced && typist.typing != event.is_typing {
                    typist.owed_to_peers = true;
                    typist.due.get_or_insert(typist.shown_at.min(now).plus(rules.min_interval));
                }
                return None;
            }
        }
        typist.typing = event.is_typing;
        typist.state_at = event.at.max(typist.state_at.plus(TICK));
        typist.updated_at = now;
        if !event.by_node {
            typist.event_at = event.at;
            typist.typed_at = if event.is_typing { now } else { typist.typed_at };
        }
        typist.announced = origin == TypingOrigin::ThisNode;
        let delayed_until = if event.by_node && !event.is_typing { now.plus(rules.stop_delay) } else { now };
        let is_repetition = event.by_node && event.is_typing && typist.shown;
        if is_repetition || !(typist.typing || typist.shown || typist.peers_show) {
            // The sockets on this node and the other nodes have this state already.
            typist.due = None;
            return None;
        }
        typist.owed_to_peers = origin == TypingOrigin::ThisNode;
        let earliest = typist.shown_at.min(now).plus(rules.min_interval).max(delayed_until);
        if earliest > now {
            typist.due = Some(earliest);
            return None;
        }
        let (to_sockets, to_peers) = (event.is_typing || typist.shown, typist.owed_to_peers);
        typist.show(audience, now);
        let event = PeerTyping { at: typist.state_at, ..event.clone() };
        Some(TypingNotice { event, to_sockets, to_peers })
    }

    /// Takes a message of `user`. Returns the end of their typing if a socket on this node shows it; the other nodes
    /// see the message themselves.
    pub fn on_message(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<PeerTyping> {
        let typist = self.find(session, user)?;
        let was_seen = typist.seen;
        let was_shown = typist.shown;
        typist.typing = false;
        typist.state_at = typist.next(now);
        typist.peers_show = false;
        typist.due = None;
        typist.owed_to_peers = false;
        if was_shown {
            typist.show(false, now);
        }
        was_seen.then(|| stopped(session, user.clone(), typist.state_at))
    }

    /// Takes the end of the last subscription of `user` to the session on this node. Returns the stop for the other
    /// nodes; the sockets here get it later, unless another node contradicts.
    pub fn on_leave(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<PeerTyping> {
        let rules = self.rules;
        let typist = self.find(session, user).filter(|typist| typist.typing)?;
        typist.typing = false;
        typist.event_at = typist.next(now);
        typist.state_at = typist.event_at;
        typist.peers_show = false;
        typist.announced = false;
        typist.owed_to_peers = false;
        let due = typist.shown_at.min(now).plus(rules.min_interval).max(now.plus(rules.stop_delay));
        typist.due = typist.shown.then_some(due);
        Some(stopped_by_node(session, user.clone(), typist.state_at))
    }

    /// Contradicts another node's stop of `user`, who has a subscription here. Returns the start for the other nodes,
    /// if they type.
    pub fn contradict_stop(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<PeerTyping> {
        let typist = self.find(session, user).filter(|typist| typist.typing)?;
        typist.announced = true;
        typist.peers_show = true;
        Some(PeerTyping { is_typing: true, ..stopped_by_node(session, user.clone(), now) })
    }

    /// Forgets all typists of a session.
    pub fn forget(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// Forgets all typists. Returns the stops for the other nodes: of those who type here, by `is_here`, and those that
    /// the other nodes have yet to get.
    pub fn clear(&mut self, is_here: impl Fn(SessionId, &UserId) -> bool, now: Timestamp) -> Vec<PeerTyping> {
        let mut events = Vec::new();
        for (session, typists) in std::mem::take(&mut self.sessions) {
            for typist in typists {
                let at = typist.next(now);
                if typist.typing && is_here(session, &typist.user) {
                    events.push(stopped_by_node(session, typist.user, at));
                } else if !typist.typing && typist.owed_to_peers && typist.due.is_some() {
                    events.push(stopped(session, typist.user, at));
                }
            }
        }
        events
    }

    /// Ends typing that has timed out, and returns the events that have waited long enough. `audience` is whether a
    /// socket on this node would show that person's typing in that session.
    pub fn tick(&mut self, audience: impl Fn(SessionId, &UserId) -> bool, now: Timestamp) -> Vec<TypingNotice> {
        let rules = self.rules;
        let mut notices = Vec::new();
        self.sessions.retain(|&session, typists| {
            typists.retain_mut(|typist| {
                typist.clamp_to_clock(rules, now);
                typist.time_out(rules, now);
                if typist.due.is_some_and(|due| due <= now) {
                    let was_seen = typist.seen;
                    let audience = audience(session, &typist.user);
                    let (to_peers, is_typing) = (typist.owed_to_peers, typist.typing);
                    typist.show(audience, now);
                    let event = PeerTyping { is_typing, ..stopped(session, typist.user.clone(), typist.state_at) };
                    notices.push(TypingNotice { event, to_sockets: is_typing || was_seen, to_peers });
                }
                typist.typing
                    || typist.due.is_some()
                    || now.since(typist.shown_at.max(typist.updated_at)) < rules.max_delay()
            });
            !typists.is_empty()
        });
        notices
    }

    /// How many people are shown as typing.
    pub fn len(&self) -> usize {
        self.sessions.values().flatten().filter(|typist| typist.shown).count()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn find(&mut self, session: SessionId, user: &UserId) -> Option<&mut TypingState> {
        self.sessions.get_mut(&session)?.iter_mut().find(|typist| typist.user == *user)
    }
}

impl TypingState {
    /// A person who was not in the table, whose event is delivered at once.
    fn new(event: &PeerTyping, origin: TypingOrigin, audience: bool, now: Timestamp) -> Self {
        Self {
            user: event.user_id.clone(),
            typing: event.is_typing,
            event_at: event.at,
            state_at: event.at,
            updated_at: now,
            typed_at: now,
            shown: event.is_typing,
            shown_at: now,
            peers_show: event.is_typing,
            seen: event.is_typing && audience,
            due: None,
            owed_to_peers: false,
            announced: origin == TypingOrigin::ThisNode,
        }
    }

    /// The event with a time behind those of all known events, if it was taken by this node.
    fn ordered<'a>(&self, event: &'a PeerTyping, origin: TypingOrigin) -> Cow<'a, PeerTyping> {
        if origin == TypingOrigin::ThisNode && event.at <= self.event_at.max(self.state_at) {
            Cow::Owned(PeerTyping { at: self.next(event.at), ..event.clone() })
        } else {
            Cow::Borrowed(event)
        }
    }

    /// The time of an event at `at` by this node's clock.
    fn next(&self, at: Timestamp) -> Timestamp {
        at.max(self.event_at.max(self.state_at).plus(TICK))
    }

    /// Whether an event of that time is older than the last event. An event that is much older comes from a node whose
    /// clock is wrong, as no event waits for so long.
    fn supersedes(&self, at: Timestamp, rules: TypingRules) -> bool {
        at < self.event_at && self.event_at.since(at) < rules.max_delay()
    }

    /// Records that the last event is delivered.
    fn show(&mut self, audience: bool, now: Timestamp) {
        self.shown = self.typing;
        self.shown_at = now;
        self.seen = self.typing && (self.seen || audience);
        self.peers_show = if self.owed_to_peers { self.typing } else { self.peers_show };
        self.due = None;
        self.owed_to_peers = false;
    }

    /// A clock that was set back must not prolong typing, or waiting, beyond the rules from now.
    fn clamp_to_clock(&mut self, rules: TypingRules, now: Timestamp) {
        self.updated_at = self.updated_at.min(now);
        self.typed_at = self.typed_at.min(now);
        self.shown_at = self.shown_at.min(now);
        self.due = self.due.map(|due| due.min(now.plus(rules.min_interval)));
    }

    /// Ends typing after the timeout.
    fn time_out(&mut self, rules: TypingRules, now: Timestamp) {
        if self.typing && now.since(self.typed_at) >= rules.timeout {
            self.typing = false;
            self.event_at = self.next(now);
            self.state_at = self.event_at;
            self.owed_to_peers = self.announced;
            self.due = Some(self.shown_at.plus(rules.min_interval).max(now));
        }
    }
}

/// A stop.
fn stopped(session_id: SessionId, user_id: UserId, at: Timestamp) -> PeerTyping {
    PeerTyping { session_id, user_id, is_typing: false, at, by_node: false }
}

/// A stop because the typist's last subscription on a node ended.
fn stopped_by_node(session_id: SessionId, user_id: UserId, at: Timestamp) -> PeerTyping {
    PeerTyping { by_node: true, ..stopped(session_id, user_id, at) }
}
