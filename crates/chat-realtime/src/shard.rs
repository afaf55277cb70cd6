//! The watchers of some of the sessions, and how an event reaches them. The hub keeps every shard behind its lock.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use chat_domain::model::{
    Change, ConnectionId, LiveEvent, Published, Seq, SessionEvent, SessionId, Timestamp, TypingEvent, UserId,
};
use chat_domain::ports::End;

use crate::mailbox::Mailbox;
use crate::settings::HubSettings;
use crate::typing::{Origin, TypingNotice, TypingTable};

/// Who is to be woken once the shard's lock has been released: waking is the dear part of spreading an event.
pub(crate) type Wakers = Vec<Waker>;

/// The most connections that are remembered as replaced before they have come.
const MAX_EARLY_ENDS: usize = 256;
/// For how long they are.
const EARLY_END_LIFETIME: Duration = Duration::from_secs(30);

pub(crate) struct Shard {
    /// Sessions that someone watches; no list is empty.
    sessions: HashMap<SessionId, Watched>,
    /// Typing in those sessions, and of people at this node whom other nodes are told about.
    typing: TypingTable,
    /// Connections that were replaced before they began to watch, oldest first: a connection is entered into the
    /// registry before it registers here.
    early_ends: VecDeque<(ConnectionId, Timestamp)>,
    next_id: u64,
    subscriptions: usize,
    closed: bool,
}

struct Watched {
    /// Up to here, every watcher has been told of each durable event above the head that they began with: by the
    /// event in their queue or by a mark that says where to look. An event may have been lost on the way here although
    /// a later one came; watchers find that out by themselves.
    newest: Seq,
    watchers: Vec<Watcher>,
}

#[derive(Clone)]
pub(crate) struct Watcher {
    pub(crate) id: u64,
    pub(crate) viewer: UserId,
    pub(crate) connection: ConnectionId,
    pub(crate) mailbox: Arc<Mailbox>,
}

/// What is left to do once the shard's lock has been released.
#[derive(Default)]
pub(crate) struct Afterwards {
    pub(crate) wakers: Wakers,
    /// What this node has to say about typists to the others.
    pub(crate) for_others: Vec<TypingEvent>,
}

impl Watched {
    fn has(&self, viewer: &UserId) -> bool {
        self.watchers.iter().any(|watcher| watcher.viewer == *viewer)
    }

    /// Whether anyone would see what this person types.
    fn is_audience_of(&self, typist: &UserId) -> bool {
        self.watchers.iter().any(|watcher| watcher.viewer != *typist)
    }
}

impl Shard {
    pub(crate) fn new(settings: &HubSettings) -> Self {
        Self {
            sessions: HashMap::new(),
            typing: TypingTable::new(settings.typing),
            early_ends: VecDeque::new(),
            next_id: 0,
            subscriptions: 0,
            closed: false,
        }
    }

    /// Enters a watcher and answers with the id by which `leave` knows them. After `close` the mailbox has ended.
    pub(crate) fn join(
        &mut self,
        session: SessionId,
        viewer: UserId,
        connection: ConnectionId,
        mailbox: Arc<Mailbox>,
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        // Nobody waits on a mailbox that is only being made, so there are no wakers.
        if self.closed {
            mailbox.end(End::Stopping);
            return id;
        }
        if self.early_ends.iter().any(|(replaced, _)| *replaced == connection) {
            mailbox.end(End::Replaced);
        }
        let watcher = Watcher { id, viewer, connection, mailbox };
        // Most sessions have one or two watchers, and there are many sessions.
        let empty = || Watched { newest: Seq::ZERO, watchers: Vec::with_capacity(1) };
        self.sessions.entry(session).or_insert_with(empty).watchers.push(watcher);
        self.subscriptions += 1;
        id
    }

    /// Notes that a watcher begins at `head`. Answers whether the others may have missed something up to there.
    ///
    /// The newest position moves only when there are no others: they may have begun below `head` and not have heard of
    /// what lies between.
    pub(crate) fn begins_at(&mut self, session: SessionId, head: Seq) -> bool {
        let Some(watched) = self.sessions.get_mut(&session) else { return false };
        if watched.watchers.len() == 1 {
            watched.newest = watched.newest.max(head);
        }
        watched.newest < head
    }

    /// Removes a watcher; when it was the last of a typist, their typing ends, which the other nodes are told at once.
    pub(crate) fn leave(&mut self, session: SessionId, id: u64, now: Timestamp) -> Afterwards {
        let mut afterwards = Afterwards::default();
        let Entry::Occupied(mut entry) = self.sessions.entry(session) else { return afterwards };
        let watchers = &mut entry.get_mut().watchers;
        // Ids only grow and watchers are entered at the end, so the list is sorted.
        let Ok(index) = watchers.binary_search_by_key(&id, |watcher| watcher.id) else { return afterwards };
        let viewer = watchers.remove(index).viewer;
        give_back(watchers);
        let last_of_viewer = !watchers.iter().any(|watcher| watcher.viewer == viewer);
        let last_of_session = watchers.is_empty();
        self.subscriptions -= 1;
        let stopped = if last_of_viewer { self.typing.leave(session, &viewer, now) } else { None };
        if last_of_session {
            entry.remove();
            if self.sessions.len() < self.sessions.capacity() / 4 {
                self.sessions.shrink_to(self.sessions.len() * 2);
            }
        }
        afterwards.for_others.extend(stopped);
        afterwards
    }

    /// Takes a durable change to the watchers of its session, and the end of its author's typing with a message.
    pub(crate) fn publish(&mut self, event: SessionEvent, now: Timestamp) -> Afterwards {
        let mut afterwards = Afterwards::default();
        let stopped = match &event.change {
            Change::Message(_) => self.typing.sent(event.session_id, &event.actor, now),
            Change::Closed(_) => {
                self.typing.forget(event.session_id);
                None
            }
            Change::Opened(_) | Change::Assigned(_) | Change::Transferred(_) | Change::Receipt(_) | Change::Unknown => {
                None
            }
        };
        let Some(watched) = self.sessions.get_mut(&event.session_id) else { return afterwards };
        watched.newest = watched.newest.max(event.seq);
        self.spread(LiveEvent::Durable(event), &mut afterwards.wakers);
        if let Some(stopped) = stopped {
            self.spread(LiveEvent::Typing(stopped), &mut afterwards.wakers);
        }
        afterwards
    }

    /// Takes a word about typing to those who are to hear of it now. `has_others` is whether there are other nodes.
    pub(crate) fn hear(&mut self, word: &TypingEvent, origin: Origin, has_others: bool, now: Timestamp) -> Afterwards {
        let mut afterwards = Afterwards::default();
        let watched = self.sessions.get(&word.session_id);
        // Where nobody is to be told, nobody is remembered.
        let is_of_use = watched.is_some() || (origin == Origin::Here && has_others);
        if !is_of_use || self.closed {
            return afterwards;
        }
        if word.by_node
            && !word.is_typing
            && watched.is_some_and(|watched| watched.has(&word.user_id))
            && let Some(vouched) = self.typing.vouch(word.session_id, &word.user_id, now)
        {
            afterwards.for_others.push(vouched);
            return afterwards;
        }
        let audience = watched.is_some_and(|watched| watched.is_audience_of(&word.user_id));
        if let Some(notice) = self.typing.hear(word, origin, audience, now) {
            self.give_notice(notice, &mut afterwards);
        }
        afterwards
    }

    fn give_notice(&self, notice: TypingNotice, afterwards: &mut Afterwards) {
        if notice.to_nodes {
            afterwards.for_others.push(notice.word.clone());
        }
        if notice.to_watchers {
            self.spread(LiveEvent::Typing(notice.word), &mut afterwards.wakers);
        }
    }

    /// Whether the session's watchers have not been told of everything up to `head`.
    pub(crate) fn is_behind(&self, session: SessionId, head: Seq) -> bool {
        self.sessions.get(&session).is_some_and(|watched| watched.newest < head)
    }

    /// Tells the session's watchers that the log has events up to `head`, unless they know. `None` when they do.
    pub(crate) fn tell(&mut self, session: SessionId, head: Seq) -> Option<Wakers> {
        let watched = self.sessions.get_mut(&session).filter(|watched| watched.newest < head)?;
        watched.newest = head;
        Some(watched.watchers.iter().filter_map(|watcher| watcher.mailbox.lose(head)).collect())
    }

    /// Ends the stream of a connection, now or when it begins.
    pub(crate) fn replace(&mut self, session: SessionId, connection: ConnectionId, now: Timestamp) -> Option<Waker> {
        let watchers = self.sessions.get(&session).map(|watched| watched.watchers.as_slice()).unwrap_or_default();
        if let Some(watcher) = watchers.iter().find(|watcher| watcher.connection == connection) {
            return watcher.mailbox.end(End::Replaced);
        }
        if self.early_ends.len() >= MAX_EARLY_ENDS {
            self.early_ends.pop_front();
        }
        self.early_ends.push_back((connection, now));
        None
    }

    /// Ends the typing of those who fell silent, and says of typing what has waited long enough.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Afterwards {
        while self.early_ends.front().is_some_and(|(_, since)| now.since(*since) > EARLY_END_LIFETIME) {
            self.early_ends.pop_front();
        }
        let mut afterwards = Afterwards::default();
        let sessions = &self.sessions;
        let audience =
            |session, user: &UserId| sessions.get(&session).is_some_and(|watched| watched.is_audience_of(user));
        for notice in self.typing.tick(audience, now) {
            self.give_notice(notice, &mut afterwards);
        }
        afterwards
    }

    /// Ends every stream, now and in future, as if each of the watchers had left.
    pub(crate) fn close(&mut self, now: Timestamp) -> Afterwards {
        self.closed = true;
        self.subscriptions = 0;
        let sessions = std::mem::take(&mut self.sessions);
        let is_here = |session, user: &UserId| sessions.get(&session).is_some_and(|watched| watched.has(user));
        let for_others = self.typing.clear(is_here, now);
        let watchers = sessions.into_values().flat_map(|watched| watched.watchers);
        let wakers = watchers.filter_map(|watcher| watcher.mailbox.end(End::Stopping)).collect();
        Afterwards { wakers, for_others }
    }

    pub(crate) fn watched(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn typists(&self) -> usize {
        self.typing.len()
    }

    fn spread(&self, event: LiveEvent, wakers: &mut Wakers) {
        let Some(watched) = self.sessions.get(&event.session_id()) else { return };
        let published = Published::new(event);
        let typist = match published.event() {
            LiveEvent::Typing(word) => Some(&word.user_id),
            LiveEvent::Durable(_) => None,
        };
        for watcher in watched.watchers.iter().filter(|watcher| typist != Some(&watcher.viewer)) {
            wakers.extend(watcher.mailbox.push(&published));
        }
    }
}

fn give_back<T>(list: &mut Vec<T>) {
    if list.capacity() > 8 && list.len() < list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
}
