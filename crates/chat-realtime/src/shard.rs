//! The subscriptions of some of the sessions, and how an event reaches them. The hub keeps every shard behind a lock.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use chat_domain::model::{EventChange, LiveEvent, Seq, SessionEvent, SessionId, SocketId, Timestamp, UserId};
use chat_domain::ports::{SharedEvent, StreamCloseReason};

use crate::mailbox::Mailbox;
use crate::peers::PeerTyping;
use crate::settings::HubSettings;
use crate::typing::{TypingNotice, TypingOrigin, TypingTable};

/// The streams to wake once the shard's lock has been released: waking is the expensive part of a delivery.
pub(crate) type Wakers = Vec<Waker>;

/// The most sockets that are kept as replaced before their subscription is registered.
const MAX_REPLACED_EARLY: usize = 256;
/// For how long they are kept.
const REPLACED_EARLY_LIFETIME: Duration = Duration::from_secs(30);

pub(crate) struct HubShard {
    /// Sessions with subscriptions; no list is empty.
    sessions: HashMap<SessionId, SubscribedSession>,
    /// Typing in those sessions, and of people at this node which other nodes show.
    typing: TypingTable,
    /// Sockets that were replaced before their subscription was registered here, oldest first.
    replaced_early: VecDeque<(SocketId, Timestamp)>,
    next_id: u64,
    subscriptions: usize,
    closed: bool,
}

struct SubscribedSession {
    /// Up to here, every subscription knows of each durable event above the head that it started with: by the event in
    /// its queue or by a marked gap. An event may have been lost on the way here although a later one came; streams
    /// notice that themselves.
    newest: Seq,
    subscribers: Vec<Subscriber>,
}

#[derive(Clone)]
pub(crate) struct Subscriber {
    pub(crate) id: u64,
    pub(crate) viewer: UserId,
    pub(crate) socket: SocketId,
    pub(crate) mailbox: Arc<Mailbox>,
}

/// What remains to be done once the shard's lock has been released.
#[derive(Default)]
pub(crate) struct ShardEffects {
    pub(crate) wakers: Wakers,
    /// Typing events for the other nodes.
    pub(crate) for_peers: Vec<PeerTyping>,
}

impl SubscribedSession {
    fn has_subscriber(&self, viewer: &UserId) -> bool {
        self.subscribers.iter().any(|subscriber| subscriber.viewer == *viewer)
    }

    /// Whether a socket of another person would show their typing.
    fn is_audience_of(&self, typist: &UserId) -> bool {
        self.subscribers.iter().any(|subscriber| subscriber.viewer != *typist)
    }
}

impl HubShard {
    pub(crate) fn new(settings: &HubSettings) -> Self {
        Self {
            sessions: HashMap::new(),
            typing: TypingTable::new(settings.typing),
            replaced_early: VecDeque::new(),
            next_id: 0,
            subscriptions: 0,
            closed: false,
        }
    }

    /// Adds a subscription and returns its id for `unsubscribe`. After `close` the mailbox is closed at once.
    pub(crate) fn subscribe(
        &mut self,
        session: SessionId,
        viewer: UserId,
        socket: SocketId,
        mailbox: Arc<Mailbox>,
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        // No stream waits for a new mailbox, so there are no wakers.
        if self.closed {
            mailbox.close(StreamCloseReason::NodeStopping);
            return id;
        }
        if self.replaced_early.iter().any(|(replaced, _)| *replaced == socket) {
            mailbox.close(StreamCloseReason::Replaced);
        }
        let subscriber = Subscriber { id, viewer, socket, mailbox };
        // Most sessions have one or two subscriptions, and there are many sessions.
        let empty = || SubscribedSession { newest: Seq::ZERO, subscribers: Vec::with_capacity(1) };
        self.sessions.entry(session).or_insert_with(empty).subscribers.push(subscriber);
        self.subscriptions += 1;
        id
    }

    /// Records that a subscription starts at `head`. Returns whether the others may have missed an event up to there.
    ///
    /// `newest` moves only when there are no others: they may have started below `head` and not know of the events
    /// between.
    pub(crate) fn set_start(&mut self, session: SessionId, head: Seq) -> bool {
        let Some(subscribed) = self.sessions.get_mut(&session) else { return false };
        if subscribed.subscribers.len() == 1 {
            subscribed.newest = subscribed.newest.max(head);
        }
        subscribed.newest < head
    }

    /// Removes a subscription; if it was the last one of a typist, their typing ends, which is published to the other
    /// nodes at once.
    pub(crate) fn unsubscribe(&mut self, session: SessionId, id: u64, now: Timestamp) -> ShardEffects {
        let mut effects = ShardEffects::default();
        let Entry::Occupied(mut entry) = self.sessions.entry(session) else { return effects };
        let subscribers = &mut entry.get_mut().subscribers;
        // Ids only grow and subscriptions are added at the end, so the list is sorted.
        let Ok(index) = subscribers.binary_search_by_key(&id, |subscriber| subscriber.id) else { return effects };
        let viewer = subscribers.remove(index).viewer;
        shrink(subscribers);
        let last_of_viewer = !subscribers.iter().any(|subscriber| subscriber.viewer == viewer);
        let last_of_session = subscribers.is_empty();
        self.subscriptions -= 1;
        let stopped = if last_of_viewer { self.typing.on_leave(session, &viewer, now) } else { None };
        if last_of_session {
            entry.remove();
            if self.sessions.len() < self.sessions.capacity() / 4 {
                self.sessions.shrink_to(self.sessions.len() * 2);
            }
        }
        effects.for_peers.extend(stopped);
        effects
    }

    /// Delivers a durable event to the subscriptions of its session, and with a message the end of its author's typing.
    pub(crate) fn publish(&mut self, event: SessionEvent, now: Timestamp) -> ShardEffects {
        let mut effects = ShardEffects::default();
        let stopped = match &event.change {
            EventChange::Message(_) => self.typing.on_message(event.session_id, &event.actor, now),
            EventChange::Closed(_) => {
                self.typing.forget(event.session_id);
                None
            }
            EventChange::Opened(_)
            | EventChange::Assigned(_)
            | EventChange::Transferred(_)
            | EventChange::Updated(_)
            | EventChange::Receipt(_)
            | EventChange::Unknown => None,
        };
        let Some(subscribed) = self.sessions.get_mut(&event.session_id) else { return effects };
        subscribed.newest = subscribed.newest.max(event.seq);
        self.deliver(LiveEvent::Durable(event), &mut effects.wakers);
        if let Some(stopped) = stopped {
            self.deliver(LiveEvent::Typing(stopped.into()), &mut effects.wakers);
        }
        effects
    }

    /// Takes a typing event and delivers it if it is due. `has_peers` is whether there are other nodes.
    pub(crate) fn typing(
        &mut self,
        event: &PeerTyping,
        origin: TypingOrigin,
        has_peers: bool,
        now: Timestamp,
    ) -> ShardEffects {
        let mut effects = ShardEffects::default();
        let subscribed = self.sessions.get(&event.session_id);
        // Typing that neither a socket nor another node would show is not kept.
        let is_of_use = subscribed.is_some() || (origin == TypingOrigin::ThisNode && has_peers);
        if !is_of_use || self.closed {
            return effects;
        }
        if event.by_node
            && !event.is_typing
            && subscribed.is_some_and(|subscribed| subscribed.has_subscriber(&event.user_id))
            && let Some(contradiction) = self.typing.contradict_stop(event.session_id, &event.user_id, now)
        {
            effects.for_peers.push(contradiction);
            return effects;
        }
        let audience = subscribed.is_some_and(|subscribed| subscribed.is_audience_of(&event.user_id));
        if let Some(notice) = self.typing.on_typing(event, origin, audience, now) {
            self.apply_notice(notice, &mut effects);
        }
        effects
    }

    fn apply_notice(&self, notice: TypingNotice, effects: &mut ShardEffects) {
        if notice.to_peers {
            effects.for_peers.push(notice.event.clone());
        }
        if notice.to_sockets {
            self.deliver(LiveEvent::Typing(notice.event.into()), &mut effects.wakers);
        }
    }

    /// Whether the session's subscriptions do not know of everything up to `head`.
    pub(crate) fn has_gap(&self, session: SessionId, head: Seq) -> bool {
        self.sessions.get(&session).is_some_and(|subscribed| subscribed.newest < head)
    }

    /// Marks a gap up to `head` for the session's subscriptions. `None` if they know of everything up to there.
    pub(crate) fn mark_gap(&mut self, session: SessionId, head: Seq) -> Option<Wakers> {
        let subscribed = self.sessions.get_mut(&session).filter(|subscribed| subscribed.newest < head)?;
        subscribed.newest = head;
        Some(subscribed.subscribers.iter().filter_map(|subscriber| subscriber.mailbox.mark_gap(head)).collect())
    }

    /// Closes the stream of a socket as replaced, now or when it is registered.
    pub(crate) fn close_replaced(&mut self, session: SessionId, socket: SocketId, now: Timestamp) -> Option<Waker> {
        let subscribers =
            self.sessions.get(&session).map(|subscribed| subscribed.subscribers.as_slice()).unwrap_or_default();
        if let Some(subscriber) = subscribers.iter().find(|subscriber| subscriber.socket == socket) {
            return subscriber.mailbox.close(StreamCloseReason::Replaced);
        }
        if self.replaced_early.len() >= MAX_REPLACED_EARLY {
            self.replaced_early.pop_front();
        }
        self.replaced_early.push_back((socket, now));
        None
    }

    /// Ends typing that has timed out, and delivers typing that has waited long enough.
    pub(crate) fn tick(&mut self, now: Timestamp) -> ShardEffects {
        while self.replaced_early.front().is_some_and(|(_, since)| now.since(*since) > REPLACED_EARLY_LIFETIME) {
            self.replaced_early.pop_front();
        }
        let mut effects = ShardEffects::default();
        let sessions = &self.sessions;
        let audience =
            |session, user: &UserId| sessions.get(&session).is_some_and(|subscribed| subscribed.is_audience_of(user));
        for notice in self.typing.tick(audience, now) {
            self.apply_notice(notice, &mut effects);
        }
        effects
    }

    /// Closes every stream, now and in future, as if each subscription had been dropped.
    pub(crate) fn close(&mut self, now: Timestamp) -> ShardEffects {
        self.closed = true;
        self.subscriptions = 0;
        let sessions = std::mem::take(&mut self.sessions);
        let is_here =
            |session, user: &UserId| sessions.get(&session).is_some_and(|subscribed| subscribed.has_subscriber(user));
        let for_peers = self.typing.clear(is_here, now);
        let subscribers = sessions.into_values().flat_map(|subscribed| subscribed.subscribers);
        let wakers =
            subscribers.filter_map(|subscriber| subscriber.mailbox.close(StreamCloseReason::NodeStopping)).collect();
        ShardEffects { wakers, for_peers }
    }

    pub(crate) fn subscribed_sessions(&self) -> impl Iterator<Item = SessionId> {
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

    fn deliver(&self, event: LiveEvent, wakers: &mut Wakers) {
        let Some(subscribed) = self.sessions.get(&event.session_id()) else { return };
        let published = SharedEvent::new(event);
        let typist = match published.event() {
            LiveEvent::Typing(event) => Some(&event.user_id),
            LiveEvent::Durable(_) => None,
        };
        for subscriber in subscribed.subscribers.iter().filter(|subscriber| typist != Some(&subscriber.viewer)) {
            wakers.extend(subscriber.mailbox.push(&published));
        }
    }
}

fn shrink<T>(list: &mut Vec<T>) {
    if list.capacity() > 8 && list.len() < list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
}
