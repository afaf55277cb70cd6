//! What a client of the extended mode says, and what becomes of it.

use chat_domain::ChatError;
use chat_domain::error::{Invalid, Refusal};
use chat_domain::model::Seq;
use chat_domain::service::Right;
use tokio::time::Instant;

use super::CloseCode;
use super::connection::End;
use super::conversation::{Conversation, RECORD_GAP, RETRY_AFTER, note_unrecorded_delivery};
use super::cumulative::Cumulative;
use super::jobs::{Done, Kind, in_time};
use super::protocol::{ClientFrame, Command, Mode, Reference, ServerFrame, parse_client_frame};
use crate::auth::{TokenError, VerifiedToken};
use crate::error::ApiError;

/// What a client said besides what arrived.
pub(super) struct Said {
    /// How far it has read.
    pub(super) read: Cumulative,
    /// What it called the newest frame that said so.
    read_reference: Option<Reference>,
    /// Whether someone types, until that is shown.
    typing: Option<(bool, Option<Reference>)>,
    /// What it called the newest acknowledgement.
    ack_reference: Option<Reference>,
}

impl Said {
    fn new() -> Self {
        Self { read: Cumulative::new(RECORD_GAP), read_reference: None, typing: None, ack_reference: None }
    }
}

impl Conversation {
    pub(super) fn on_text(&mut self, text: &str, now: Instant) -> Result<(), End> {
        let Ok(ClientFrame { command, reference }) = parse_client_frame(text) else {
            return Err(End::Close(CloseCode::BadFrame));
        };
        match command {
            Command::Ack(seq) | Command::Read(seq) if seq > self.cursor => {
                let invalid = Invalid::new("seq", "must not be ahead of what was sent on this socket");
                self.refuse(&invalid.into(), reference.as_ref(), now);
            }
            Command::Ack(seq) => self.on_ack(seq, reference),
            Command::Read(seq) => {
                let said = self.said.get_or_insert_with(|| Box::new(Said::new()));
                said.read.want(seq);
                said.read_reference = reference;
            }
            Command::Typing(is_typing) => {
                // The newest counts: whoever stops at once never began.
                self.said.get_or_insert_with(|| Box::new(Said::new())).typing = Some((is_typing, reference));
            }
            Command::Auth(token) => self.on_auth(&token, reference, now),
            // That something came is all that a heartbeat says.
            Command::Heartbeat(_) | Command::Unknown => {}
        }
        Ok(())
    }

    fn on_ack(&mut self, seq: Seq, reference: Option<Reference>) {
        self.delivered.want(seq);
        if reference.is_some() {
            self.said.get_or_insert_with(|| Box::new(Said::new())).ack_reference = reference;
        }
    }

    fn on_auth(&mut self, token: &str, reference: Option<Reference>, now: Instant) {
        let token = match self.app.tokens.verify(token, self.app.clock.now()) {
            Ok(token) if token.principal.id == self.watch.viewer().id => token,
            Ok(_) => {
                let refusal = ApiError::unauthenticated("the token names another person than the socket's");
                return self.refuse(&refusal, reference.as_ref(), now);
            }
            Err(error) => {
                return self.refuse(&ApiError::unauthenticated(error.to_string()), reference.as_ref(), now);
            }
        };
        // With less than before, nothing is shown by the former role from here on: what happens waits for the answer.
        if self.watch.lower_to(token.principal.role) {
            self.right_is_asked = true;
            // It asks for the former role.
            self.jobs.stop(Kind::Recheck);
        }
        let right = self.watch.right_of(token.principal.clone());
        let asked = Box::new((token, reference));
        self.jobs.start(Kind::Renewal, async { Done::Renewal(asked, in_time(right).await) });
    }

    /// Starts what is due and not under way.
    pub(super) fn start_jobs(&mut self, now: Instant) {
        if let Some(up_to) = self.delivered.start(now) {
            let (service, viewer) = (self.app.service.clone(), self.watch.viewer().clone());
            let session = self.watch.session_id();
            self.jobs.start(Kind::Delivered, async move {
                Done::Delivered(up_to, in_time(service.mark_delivered(&viewer, session, up_to)).await)
            });
        }
        let Some(said) = &mut self.said else { return };
        if let Some(up_to) = said.read.start(now) {
            let (service, viewer) = (self.app.service.clone(), self.watch.viewer().clone());
            let session = self.watch.session_id();
            self.jobs.start(Kind::Read, async move {
                Done::Read(up_to, in_time(service.mark_read_up_to(&viewer, session, up_to)).await)
            });
        }
        if !self.jobs.is_running(Kind::Typing)
            && let Some((is_typing, reference)) = said.typing.take()
        {
            let (service, viewer) = (self.app.service.clone(), self.watch.viewer().clone());
            let session = self.watch.session_id();
            self.jobs.start(Kind::Typing, async move {
                Done::Typing(reference, in_time(service.send_typing(&viewer, session, Ok(is_typing))).await)
            });
        }
    }

    pub(super) fn on_done(&mut self, done: Done, now: Instant) -> Result<(), End> {
        match done {
            Done::Recheck(Ok(right)) => self.conclude(right),
            Done::Recheck(Err(error)) => {
                let session = self.watch.session_id();
                tracing::warn!(session.id = %session, error.cause = %error, "recheck failed");
                Ok(())
            }
            Done::Renewal(asked, right) => {
                let (token, reference) = *asked;
                self.on_renewal(token, reference.as_ref(), right, now)
            }
            // Sooner than the directory is looked at.
            Done::Delivered(_, Err(ChatError::Forbidden(Refusal::AgentDeactivated)))
            | Done::Read(_, Err(ChatError::Forbidden(Refusal::AgentDeactivated))) => self.conclude(Right::Lost),
            Done::Delivered(up_to, outcome) => {
                self.on_delivered(up_to, outcome, now);
                Ok(())
            }
            Done::Read(up_to, outcome) => {
                self.on_read(up_to, outcome, now);
                Ok(())
            }
            Done::Typing(reference, outcome) => {
                if let Err(error) = outcome {
                    self.refuse(&error.into(), reference.as_ref(), now);
                }
                Ok(())
            }
        }
    }

    fn conclude(&mut self, right: Right) -> Result<(), End> {
        self.watch.conclude(right);
        let code = match right {
            Right::Held => {
                // Events stop the recheck that they ask more of, so this one began after them.
                self.recheck_is_owed = false;
                // Unless a newer question is under way, whose answer counts.
                self.right_is_asked &= self.jobs.is_running(Kind::Renewal);
                return Ok(());
            }
            Right::Lost => CloseCode::AccessLost,
            Right::Gone => CloseCode::Gone,
        };
        // Since when nobody knows: what waits may be what the peer had no right to see any more.
        self.discard_queued();
        Err(End::Close(code))
    }

    fn on_renewal(
        &mut self,
        token: VerifiedToken,
        reference: Option<&Reference>,
        right: Result<Right, ChatError>,
        now: Instant,
    ) -> Result<(), End> {
        match right {
            Ok(Right::Held) => {}
            Ok(right) => return self.conclude(right),
            Err(error) => {
                if self.right_is_asked {
                    // The former role is gone all the same, and whether the lower one suffices is still to be found out.
                    self.recheck_at = self.recheck_at.min(now + RETRY_AFTER);
                }
                self.refuse(&error.into(), reference, now);
                return Ok(());
            }
        }
        let at = self.app.clock.now();
        if token.expires_at <= at {
            // While the stores were asked. It may be a higher role than the one that is in question.
            if self.right_is_asked {
                self.recheck_at = now;
            }
            self.refuse(&ApiError::unauthenticated(TokenError::Expired.to_string()), reference, now);
            return Ok(());
        }
        // It names the same person, or it would not have come this far.
        if self.watch.go_on_as(token.principal).is_ok() {
            self.right_is_asked = false;
            if self.recheck_is_owed {
                // The renewal may have read the session before the event, and a recheck that runs asks for the former role.
                self.recheck_now(now);
            }
            self.renew_token(token.expires_at, now, at);
            self.say(&ServerFrame::auth_ok(token.expires_at), now);
        }
        Ok(())
    }

    fn on_delivered(&mut self, up_to: Seq, outcome: Result<(), ChatError>, now: Instant) {
        let Err(error) = outcome else { return self.delivered.settled(up_to) };
        let reference = self.said.as_mut().and_then(|said| said.ack_reference.take());
        if error.is_certain() {
            self.delivered.settled(up_to);
        } else if !self.delivered.failed(now) {
            // Told once; what follows is the same trouble.
            return;
        }
        if self.mode == Mode::Extended {
            self.refuse(&error.into(), reference.as_ref(), now);
        } else {
            note_unrecorded_delivery(self.watch.session_id(), &error);
        }
    }

    fn on_read(&mut self, up_to: Seq, outcome: Result<(), ChatError>, now: Instant) {
        let Some(said) = &mut self.said else { return };
        let Err(error) = outcome else { return said.read.settled(up_to) };
        let reference = said.read_reference.take();
        if error.is_certain() {
            said.read.settled(up_to);
        } else if !said.read.failed(now) {
            return;
        }
        self.refuse(&error.into(), reference.as_ref(), now);
    }

    /// Says what was not done, and why, in the words of the error table.
    fn refuse(&mut self, error: &ApiError, reference: Option<&Reference>, now: Instant) {
        if let Some(cause) = error.cause() {
            let (session, code) = (self.watch.session_id(), error.code().as_str());
            if error.is_fault() {
                tracing::warn!(session.id = %session, error.code = code, error.cause = cause, "socket's request failed");
            } else {
                tracing::debug!(session.id = %session, error.code = code, error.cause = cause, "socket's request refused");
            }
        }
        self.say(&ServerFrame::error(error, reference), now);
    }
}
