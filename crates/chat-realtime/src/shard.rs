//! The watchers of some of the sessions, and how an event reaches them. The hub keeps every shard behind its lock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::task::Waker;

use chat_domain::model::{Change, LiveEvent, Published, SessionId, Timestamp, UserId};

use crate::HubSettings;
use crate::mailbox::Mailbox;
use crate::typing::{Said, TypingTable};

/// Who is to be woken once the shard's lock has been released: waking is the dear part of spreading an event.
pub(crate) type Wakers = Vec<Waker>;

pub(crate) struct Shard {
    /// Sessions that someone watches; no list is empty.
    watchers: HashMap<SessionId, Vec<Watcher>>,
    /// Typing in those sessions. Where nobody watches, nobody is remembered.
    typing: TypingTable,
    next_id: u64,
    subscriptions: usize,
    closed: bool,
}

struct Watcher {
    id: u64,
    viewer: UserId,
    mailbox: Arc<Mailbox>,
}

impl Shard {
    pub(crate) fn new(settings: &HubSettings) -> Self {
        Self {
            watchers: HashMap::new(),
            typing: TypingTable::new(settings.typing),
            next_id: 0,
            subscriptions: 0,
            closed: false,
        }
    }

    /// Enters a watcher and answers with the id by which `leave` knows them. After `close` the mailbox is closed.
    pub(crate) fn join(&mut self, session: SessionId, viewer: UserId, mailbox: Arc<Mailbox>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        if self.closed {
            // Nobody waits on a mailbox that is only being made, so there is no waker.
            mailbox.close();
            return id;
        }
        self.watchers.entry(session).or_default().push(Watcher { id, viewer, mailbox });
        self.subscriptions += 1;
        id
    }

    /// Removes a watcher; when it was the last of a typist, their typing ends.
    pub(crate) fn leave(&mut self, session: SessionId, id: u64, now: Timestamp) -> Wakers {
        let Entry::Occupied(mut entry) = self.watchers.entry(session) else { return Wakers::new() };
        let watchers = entry.get_mut();
        // Ids only grow and watchers are entered at the end, so the list is sorted.
        let Ok(index) = watchers.binary_search_by_key(&id, |watcher| watcher.id) else { return Wakers::new() };
        let viewer = watchers.remove(index).viewer;
        let last_of_viewer = !watchers.iter().any(|watcher| watcher.viewer == viewer);
        self.subscriptions -= 1;
        if watchers.is_empty() {
            entry.remove();
            self.typing.forget(session);
            return Wakers::new();
        }
        let stopped = if last_of_viewer { self.typing.leave(session, &viewer, now) } else { None };
        let mut wakers = Wakers::new();
        if let Some(stopped) = stopped {
            self.spread(LiveEvent::Typing(stopped), &mut wakers);
        }
        wakers
    }

    /// Takes an event to the watchers of its session.
    pub(crate) fn publish(&mut self, event: LiveEvent, now: Timestamp) -> Wakers {
        let mut wakers = Wakers::new();
        if !self.watchers.contains_key(&event.session_id()) {
            return wakers;
        }
        match &event {
            LiveEvent::Typing(word) => match self.typing.hear(word, now) {
                Said::Spread => {}
                Said::Known | Said::Full => return wakers,
            },
            LiveEvent::Durable(durable) => {
                if let Change::Closed(_) = durable.change {
                    self.typing.forget(durable.session_id);
                }
            }
        }
        self.spread(event, &mut wakers);
        wakers
    }

    /// Ends the typing of those who fell silent.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Wakers {
        let mut wakers = Wakers::new();
        for stopped in self.typing.tick(now) {
            self.spread(LiveEvent::Typing(stopped), &mut wakers);
        }
        wakers
    }

    /// Ends every stream, now and in future.
    pub(crate) fn close(&mut self) -> Wakers {
        self.closed = true;
        self.subscriptions = 0;
        self.typing.clear();
        let watchers = std::mem::take(&mut self.watchers);
        watchers.into_values().flatten().filter_map(|watcher| watcher.mailbox.close()).collect()
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    pub(crate) fn sessions(&self) -> usize {
        self.watchers.len()
    }

    pub(crate) fn typists(&self) -> usize {
        self.typing.len()
    }

    fn spread(&self, event: LiveEvent, wakers: &mut Wakers) {
        let Some(watchers) = self.watchers.get(&event.session_id()) else { return };
        let published = Published::new(event);
        let typist = match published.event() {
            LiveEvent::Typing(word) => Some(&word.user_id),
            LiveEvent::Durable(_) => None,
        };
        for watcher in watchers.iter().filter(|watcher| typist != Some(&watcher.viewer)) {
            wakers.extend(watcher.mailbox.push(&published));
        }
    }
}
