//! The inbox of a socket: its snapshots, then what changes.
//!
//! An update is taken only while there is room for it. What the client does not read stays where the newest state of each
//! session replaces the one before, so a slow client holds no more than one of each.

use std::task::{Context, Poll};
use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::error::Invalid;
use chat_domain::inbox::{InboxOwner, InboxView};
use chat_domain::model::{ChatSession, KnownPeople, PageLimit};
use chat_domain::ports::{InboxStream, InboxUpdate};
use chat_domain::service::{ChatService, OpenedInbox};
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, timeout};

use super::SubscriptionSet;
use crate::dto::{InboxSnapshotDto, InboxUpdateDto};
use crate::request::INBOX_VIEWS;
use crate::socket::close_reason::SocketCloseReason;
use crate::socket::connection::SocketConnection;
use crate::socket::jobs::in_time;
use crate::socket_protocol::{Reference, ServerFrame};

/// Frames of the inbox that wait to be written are told from those of subscriptions, which count from 1 on.
const TAG: u32 = u32::MAX;

/// How many updates are written before the sessions have their turn. Their people are looked up together.
const TURN: usize = 16;

/// How long sessions wait for the names of their people. Mostly these are in memory.
const NAMED_WITHIN: Duration = Duration::from_millis(500);

/// The inbox that a client has asked for last.
pub(super) struct SocketInbox {
    views: Vec<InboxView>,
    limit: PageLimit,
    reference: Option<Reference>,
    state: InboxState,
}

enum InboxState {
    /// The stores are asked for it.
    Opening(LocalBoxFuture<'static, Result<(OpenedInbox, KnownPeople), ChatError>>),
    /// Its updates are sent.
    Open(Box<dyn InboxStream>),
    /// The people of these updates are looked up.
    Naming(Box<dyn InboxStream>, Vec<InboxUpdate>, LocalBoxFuture<'static, KnownPeople>),
}

impl SubscriptionSet {
    /// Opens the inbox, in place of an inbox that is open.
    pub(super) fn open_inbox(
        &mut self,
        names: &[String],
        limit: Option<u64>,
        reference: Option<&Reference>,
        connection: &mut SocketConnection,
        now: Instant,
    ) {
        match parse(names, limit) {
            Ok((views, limit)) => self.begin_inbox(views, limit, reference.cloned(), connection),
            Err(invalid) => {
                self.close_inbox(connection);
                connection.send_error(&invalid.into(), reference, None, now);
            }
        }
    }

    /// Opens the inbox once more: the person may see another one.
    pub(super) fn reopen_inbox(&mut self, connection: &mut SocketConnection) {
        if let Some(SocketInbox { views, limit, reference, .. }) = self.inbox.take().map(|inbox| *inbox) {
            self.begin_inbox(views, limit, reference, connection);
        }
    }

    fn begin_inbox(
        &mut self,
        views: Vec<InboxView>,
        limit: PageLimit,
        reference: Option<Reference>,
        connection: &mut SocketConnection,
    ) {
        self.close_inbox(connection);
        let opened = self.person.open_inbox(views.clone(), limit);
        let service = connection.app.service.clone();
        let opening = in_time(async move {
            let opened = opened.await?;
            let sessions = opened.snapshots.iter().flat_map(|(_, page)| &page.sessions);
            let people = named(&service, sessions).await;
            Ok((opened, people))
        });
        let state = InboxState::Opening(Box::pin(opening));
        self.inbox = Some(Box::new(SocketInbox { views, limit, reference, state }));
        // It is polled for the first time when the frames have been read.
    }

    fn close_inbox(&mut self, connection: &mut SocketConnection) {
        self.inbox = None;
        connection.discard_of(TAG);
    }

    /// Writes what the inbox has, while there is room for it. Returns whether there may be more at once.
    pub(super) fn take_inbox(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<bool, SocketCloseReason> {
        let Some(inbox) = &mut self.inbox else { return Ok(false) };
        let owner = InboxOwner::of(self.person.viewer());
        if let InboxState::Opening(opening) = &mut inbox.state {
            let Poll::Ready(outcome) = opening.as_mut().poll(cx) else { return Ok(false) };
            match outcome {
                Ok((OpenedInbox { snapshots, updates }, people)) => {
                    for (view, page) in &snapshots {
                        let snapshot = InboxSnapshotDto::new(page, *view, owner.party(), &people);
                        connection.send_frame_of(TAG, &ServerFrame::Inbox(snapshot), now);
                    }
                    inbox.state = InboxState::Open(updates);
                }
                Err(error) => {
                    let reference = inbox.reference.take();
                    self.inbox = None;
                    connection.send_error(&error.into(), reference.as_ref(), None, now);
                    return Ok(false);
                }
            }
        }
        inbox.write_updates(cx, &owner, connection, now)
    }

    /// While there is no room: looks only at whether the inbox has ended.
    pub(super) fn check_inbox(
        &mut self,
        cx: &Context<'_>,
        connection: &SocketConnection,
    ) -> Result<(), SocketCloseReason> {
        let updates = self.inbox.as_mut().and_then(|inbox| inbox.updates());
        match updates.map(|updates| updates.poll_closed(cx)) {
            Some(Poll::Ready(reason)) => Err(SocketCloseReason::of_stream(reason, connection.opened_while_draining)),
            Some(Poll::Pending) | None => Ok(()),
        }
    }

    /// When an update may be sent that waits for its time.
    pub(super) fn inbox_deadline(&self) -> Option<Instant> {
        match &self.inbox.as_ref()?.state {
            InboxState::Open(updates) => updates.deadline().map(Instant::from_std),
            InboxState::Opening(_) | InboxState::Naming(..) => None,
        }
    }
}

impl SocketInbox {
    fn updates(&mut self) -> Option<&mut Box<dyn InboxStream>> {
        match &mut self.state {
            InboxState::Open(updates) | InboxState::Naming(updates, ..) => Some(updates),
            InboxState::Opening(_) => None,
        }
    }

    /// Takes updates, looks up their people and writes them, a turn of them at most.
    fn write_updates(
        &mut self,
        cx: &mut Context<'_>,
        owner: &InboxOwner,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<bool, SocketCloseReason> {
        if let InboxState::Open(updates) = &mut self.state {
            let mut taken = Vec::new();
            while taken.len() < TURN && connection.has_room() {
                match updates.poll_next(cx, now.into_std()) {
                    Poll::Ready(Ok(update)) => taken.push(update),
                    Poll::Ready(Err(reason)) => {
                        return Err(SocketCloseReason::of_stream(reason, connection.opened_while_draining));
                    }
                    Poll::Pending => break,
                }
            }
            if taken.is_empty() {
                return Ok(false);
            }
            let service = connection.app.service.clone();
            let sessions: Vec<_> = taken.iter().filter_map(|update| update.session.clone()).collect();
            let naming = Box::pin(async move { named(&service, sessions.iter().map(AsRef::as_ref)).await });
            self.replace_state(|updates| InboxState::Naming(updates, taken, naming));
        }
        let InboxState::Naming(_, taken, naming) = &mut self.state else { return Ok(false) };
        let Poll::Ready(people) = naming.as_mut().poll(cx) else { return Ok(false) };
        for update in std::mem::take(taken) {
            let session = update.session_id;
            let update = Box::new(InboxUpdateDto::new(&update, owner.party(), &people));
            connection.send_frame_of(TAG, &ServerFrame::InboxUpdate { session, update }, now);
        }
        self.replace_state(InboxState::Open);
        Ok(true)
    }

    /// Goes on with the updates in another state.
    fn replace_state(&mut self, next: impl FnOnce(Box<dyn InboxStream>) -> InboxState) {
        let opening = InboxState::Opening(Box::pin(std::future::pending()));
        self.state = match std::mem::replace(&mut self.state, opening) {
            InboxState::Open(updates) | InboxState::Naming(updates, ..) => next(updates),
            opening @ InboxState::Opening(_) => opening,
        };
    }
}

/// The people of sessions in an inbox. Without their names rather than not at all.
async fn named<'a>(service: &ChatService, sessions: impl Iterator<Item = &'a ChatSession>) -> KnownPeople {
    let ids: Vec<_> = sessions.flat_map(ChatSession::people_of_item).collect();
    match timeout(NAMED_WITHIN, service.find_people(ids)).await {
        Ok(Ok(people)) => people,
        Ok(Err(error)) => {
            tracing::debug!(error.cause = %error, "the people of an inbox are not known");
            KnownPeople::default()
        }
        Err(_elapsed) => KnownPeople::default(),
    }
}

fn parse(names: &[String], limit: Option<u64>) -> Result<(Vec<InboxView>, PageLimit), Invalid> {
    let mut views = Vec::new();
    for name in names {
        let view = InboxView::parse(name);
        let view = view.ok_or_else(|| Invalid::new("views", INBOX_VIEWS))?;
        if !views.contains(&view) {
            views.push(view);
        }
    }
    if views.is_empty() {
        return Err(Invalid::new("views", "must name at least one view"));
    }
    let limit = limit.map_or(Some(PageLimit::INBOX), PageLimit::clamped);
    Ok((views, limit.ok_or_else(|| Invalid::new("limit", "must be at least 1"))?))
}
