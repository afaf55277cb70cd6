//! The subscriptions of a socket whose client names the sessions: each is opened, has its turns and ends on its own.
//!
//! A subscription that wakes is looked at, and the others are not. Those that have events take turns, so that a busy
//! session does not hold up a quiet one. What ends one of them is reported in `unsubscribed`; what ends the access of the
//! person ends the socket.
//!
//! | module | what lives there |
//! |---|---|
//! | `entry` | one subscription: asked for, being opened, or live |
//! | `commands` | what the client asks for |
//! | `inbox` | the inbox of the person: snapshots, then what changes |
//! | `opening` | a few subscriptions at a time are opened |
//! | `rights` | the checks of the right to each session, and of the person |

mod commands;
mod entry;
mod inbox;
mod opening;
mod rights;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use chat_domain::model::{Principal, SessionId, SocketId};
use chat_domain::service::PersonalSocket;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use slab::Slab;
use tokio::time::Instant;

use self::entry::{EntryState, SubscriptionEntry};
use self::inbox::SocketInbox;
use super::close_reason::SocketCloseReason;
use super::connection::SocketConnection;
use super::frame_budget::SubscriptionBudget;
use super::live_subscription::TakeOutcome;
use super::pending_watermarks::UnfinishedWatermarks;
use super::ready_set::ReadySet;
use crate::socket_protocol::ServerFrame;

/// How many events of a session are written before those of the next one have their turn.
const TURN: usize = 16;

/// The subscriptions of one socket.
pub(super) struct SubscriptionSet {
    /// On the heap each, since room for more of them is kept.
    entries: Slab<Box<SubscriptionEntry>>,
    ready: ReadySet,
    /// Places that were woken, to be looked at.
    woken: Vec<usize>,
    /// Places that may have events, in the order of their turns.
    turns: VecDeque<usize>,
    /// Places that wait to be opened.
    waiting: VecDeque<usize>,
    /// Places whose right is to be checked.
    to_check: VecDeque<usize>,
    budget: SubscriptionBudget,
    /// When the first of the subscriptions has something due, or before.
    next_due: Instant,
    /// When the access of the person is checked again.
    person_check_at: Instant,
    /// What the client has confirmed of subscriptions that have ended, until it is recorded.
    leaving: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    next_tag: u32,
    /// Whether a subscription has failed for a cause that was logged.
    has_warned: bool,
    inbox: Option<Box<SocketInbox>>,
    person: PersonalSocket,
}

impl SubscriptionSet {
    /// The subscriptions of a new socket: none.
    pub(super) fn new(person: PersonalSocket, connection: &SocketConnection, now: Instant) -> Self {
        let person_check_at = now + connection.app.settings.sockets.recheck_every;
        Self {
            entries: Slab::new(),
            ready: ReadySet::default(),
            woken: Vec::new(),
            turns: VecDeque::new(),
            waiting: VecDeque::new(),
            to_check: VecDeque::new(),
            budget: SubscriptionBudget::new(now),
            next_due: person_check_at,
            person_check_at,
            leaving: FuturesUnordered::new(),
            next_tag: 0,
            has_warned: false,
            inbox: None,
            person,
        }
    }

    pub(super) fn socket_id(&self) -> SocketId {
        self.person.socket_id()
    }

    pub(super) fn viewer(&self) -> &Principal {
        self.person.viewer()
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        self.next_due
    }

    /// Does what is due by the time.
    pub(super) fn on_time(&mut self, connection: &mut SocketConnection, now: Instant) -> Result<(), SocketCloseReason> {
        if now < self.next_due {
            return Ok(());
        }
        self.check_person(connection, now)?;
        self.next_due = self.person_check_at;
        let places: Vec<usize> = self.entries.iter().map(|(place, _)| place).collect();
        for place in places {
            let Some(live) = self.entries.get_mut(place).and_then(|entry| entry.live()) else { continue };
            let outcome = live.on_time(connection, now);
            self.next_due = self.next_due.min(live.deadline());
            match outcome {
                Ok(due) => {
                    if due.check {
                        self.want_check(place);
                    }
                    if due.poll {
                        self.woken.push(place);
                    }
                }
                Err(reason) => self.end(place, reason, connection, now)?,
            }
        }
        self.start_checks();
        Ok(())
    }

    /// Looks at the subscriptions that were woken: takes what their jobs have come to.
    pub(super) fn on_jobs(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        self.ready.take(connection.subscription_waker(cx), &mut self.woken);
        while let Some(place) = self.woken.pop() {
            self.look_at(place, connection, now)?;
            if self.woken.is_empty() {
                self.start_checks();
                self.start_openings();
            }
        }
        while let Poll::Ready(Some(())) = self.leaving.poll_next_unpin(cx) {}
        Ok(())
    }

    fn look_at(
        &mut self,
        place: usize,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        let Some(entry) = self.entries.get_mut(place) else { return Ok(()) };
        let waker = entry.take_mark();
        let mut cx = Context::from_waker(&waker);
        match &mut entry.state {
            EntryState::Waiting => Ok(()),
            EntryState::Opening(opening) => match opening.as_mut().poll(&mut cx) {
                Poll::Ready(outcome) => self.on_opened(place, outcome, connection, now),
                Poll::Pending => Ok(()),
            },
            EntryState::Live(live) => {
                let outcome = live.on_jobs(&mut cx, connection, now);
                self.next_due = self.next_due.min(live.deadline());
                self.give_turn(place);
                outcome.or_else(|reason| self.end(place, reason, connection, now))
            }
        }
    }

    /// Lets the subscription have a turn behind those that wait for theirs.
    fn give_turn(&mut self, place: usize) {
        if let Some(entry) = self.entries.get_mut(place)
            && !std::mem::replace(&mut entry.has_turn, true)
        {
            self.turns.push_back(place);
        }
    }

    /// Writes events while there is room for them, of one session after the other.
    pub(super) fn take_events(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<TakeOutcome, SocketCloseReason> {
        self.check_person_socket(cx, connection)?;
        let inbox_has_more = self.take_inbox(cx, connection, now)?;
        if connection.has_room() {
            self.next_due = self.inbox_deadline().map_or(self.next_due, |deadline| deadline.min(self.next_due));
        }
        while connection.has_room() {
            let Some(place) = self.turns.pop_front() else {
                return Ok(if inbox_has_more { TakeOutcome::More } else { TakeOutcome::Empty });
            };
            let Some(entry) = self.entries.get_mut(place) else { continue };
            entry.has_turn = false;
            let waker = entry.take_mark();
            let Some(live) = entry.live() else { continue };
            let taken = live.take_events(&mut Context::from_waker(&waker), connection, TURN, now);
            self.next_due = self.next_due.min(live.deadline());
            match taken {
                Ok(TakeOutcome::Empty) => {}
                Ok(TakeOutcome::More) => self.give_turn(place),
                Err(reason) => self.end(place, reason, connection, now)?,
            }
        }
        Ok(TakeOutcome::More)
    }

    /// While there is no room for events: looks only at whether a subscription that was woken has ended.
    pub(super) fn poll_closed(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        self.check_person_socket(cx, connection)?;
        self.check_inbox(cx, connection)?;
        for place in self.turns.clone() {
            let Some(entry) = self.entries.get_mut(place) else { continue };
            let waker = entry.take_mark();
            let Some(live) = entry.live() else { continue };
            if let Err(reason) = live.poll_closed(&mut Context::from_waker(&waker), connection) {
                self.end(place, reason, connection, now)?;
            }
        }
        Ok(())
    }

    /// Ends one subscription, unless the reason ends the socket.
    fn end(
        &mut self,
        place: usize,
        reason: SocketCloseReason,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        if reason.ends_socket() {
            if reason.ends_access() {
                connection.discard_queued();
            }
            return Err(reason);
        }
        if let (Some(session), Some(code)) = (self.remove(place, connection), reason.code()) {
            connection.send_frame(&ServerFrame::unsubscribed(&session.to_string(), code, reason.text()), now);
        }
        Ok(())
    }

    /// Ends a subscription, and lets be recorded what the client has confirmed of it.
    fn remove(&mut self, place: usize, connection: &SocketConnection) -> Option<SessionId> {
        let entry = self.entries.try_remove(place)?;
        let session = entry.session;
        if let EntryState::Live(live) = &entry.state
            && let Some(pending) = live.pending_watermarks(&connection.app)
        {
            self.leaving.push(Box::pin(pending.record()));
        }
        tracing::debug!(session.id = %session, socket.id = %self.socket_id(), "subscription ended");
        Some(session)
    }

    /// Whether something that the client has said is being recorded or shown.
    pub(super) fn is_recording(&self) -> bool {
        !self.leaving.is_empty() || self.entries.iter().any(|(_, entry)| entry.is_recording())
    }

    /// What is to be recorded when the socket ends.
    pub(super) fn into_unfinished(self, connection: &SocketConnection) -> UnfinishedWatermarks {
        let live = self.entries.iter().filter_map(|(_, entry)| match &entry.state {
            EntryState::Live(live) => live.pending_watermarks(&connection.app),
            EntryState::Waiting | EntryState::Opening(_) => None,
        });
        UnfinishedWatermarks { not_started: live.collect(), running: self.leaving.into_iter().collect() }
    }
}
