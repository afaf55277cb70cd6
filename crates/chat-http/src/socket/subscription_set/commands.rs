//! What the client of a socket with many subscriptions asks for.

use chat_domain::model::SessionId;
use chat_domain::service::SubscribeFrom;
use tokio::time::Instant;

use super::SubscriptionSet;
use super::entry::{EntryState, SubscriptionEntry};
use crate::error::{ApiError, ErrorCode};
use crate::socket::close_reason::SocketCloseReason;
use crate::socket::connection::SocketConnection;
use crate::socket_protocol::{ClientCommand, ClientFrame, CloseCode, MAX_SUBSCRIPTIONS, Reference, ServerFrame};

impl SubscriptionSet {
    /// Does what a frame asks for, if it is about a session.
    pub(in crate::socket) fn on_command(
        &mut self,
        frame: ClientFrame,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        if let ClientCommand::OpenInbox(views, limit) = &frame.command {
            self.spend(now)?;
            self.open_inbox(views, *limit, frame.reference.as_ref(), connection, now);
            return Ok(());
        }
        let Some(session) = frame.session.clone() else { return Ok(()) };
        match frame.command {
            ClientCommand::Subscribe(from) => {
                self.spend(now)?;
                self.subscribe(&session, from, frame.reference.as_ref(), connection, now);
            }
            ClientCommand::Unsubscribe => {
                self.spend(now)?;
                self.unsubscribe(&session, frame.reference.as_ref(), connection, now);
            }
            _ => self.pass_on(&session, frame, connection, now),
        }
        Ok(())
    }

    /// Takes a frame from the budget of subscriptions, which is another than that of all other frames: a client that
    /// connects again subscribes to all its sessions at once.
    fn spend(&mut self, now: Instant) -> Result<(), SocketCloseReason> {
        if self.budget.take(now) { Ok(()) } else { Err(CloseCode::TooManyFrames.into()) }
    }

    fn subscribe(
        &mut self,
        session: &str,
        from: SubscribeFrom,
        reference: Option<&Reference>,
        connection: &mut SocketConnection,
        now: Instant,
    ) {
        let Some(id) = SessionId::parse(session) else {
            // What is no id is the id of no session.
            let (code, reason) = (CloseCode::Gone, CloseCode::Gone.reason().to_owned());
            return connection.send_frame(&ServerFrame::unsubscribed(session, code, reason), now);
        };
        if self.place_of(session).is_some() {
            let error = ApiError::new(ErrorCode::AlreadySubscribed, "this socket is subscribed to the session already");
            return connection.send_error_about(session, &error, reference, now);
        }
        if self.entries.len() >= MAX_SUBSCRIPTIONS {
            let message = format!("this socket has {MAX_SUBSCRIPTIONS} subscriptions, and no more are allowed");
            let error = ApiError::new(ErrorCode::TooManySubscriptions, message);
            return connection.send_error_about(session, &error, reference, now);
        }
        self.next_tag = self.next_tag.wrapping_add(1).max(1);
        let vacant = self.entries.vacant_entry();
        let place = vacant.key();
        vacant.insert(Box::new(SubscriptionEntry {
            state: EntryState::Waiting,
            session: id,
            from,
            tag: self.next_tag,
            mark: self.ready.mark(place),
            has_turn: false,
            wants_check: false,
        }));
        self.waiting.push_back(place);
        self.start_openings();
    }

    fn unsubscribe(
        &mut self,
        session: &str,
        reference: Option<&Reference>,
        connection: &mut SocketConnection,
        now: Instant,
    ) {
        let Some(place) = self.place_of(session) else {
            return refuse_unsubscribed(session, reference, connection, now);
        };
        self.remove(place, connection);
        let (code, reason) = (CloseCode::Done, CloseCode::Done.reason().to_owned());
        connection.send_frame(&ServerFrame::unsubscribed(session, code, reason), now);
        self.start_openings();
    }

    /// Passes a frame on to the subscription of its session.
    fn pass_on(&mut self, session: &str, frame: ClientFrame, connection: &mut SocketConnection, now: Instant) {
        let place = self.place_of(session);
        let live = place.and_then(|place| self.entries.get_mut(place)).and_then(|entry| entry.live());
        let (Some(live), Some(place)) = (live, place) else {
            return refuse_unsubscribed(session, frame.reference.as_ref(), connection, now);
        };
        live.on_command(frame, connection, now);
        live.start_jobs(connection, now);
        self.next_due = self.next_due.min(live.deadline());
        self.woken.push(place);
    }

    fn place_of(&self, session: &str) -> Option<usize> {
        let id = SessionId::parse(session)?;
        self.entries.iter().find(|(_, entry)| entry.session == id).map(|(place, _)| place)
    }
}

fn refuse_unsubscribed(session: &str, reference: Option<&Reference>, connection: &mut SocketConnection, now: Instant) {
    let error = ApiError::new(ErrorCode::NotSubscribed, "this socket is not subscribed to the session");
    connection.send_error_about(session, &error, reference, now);
}
