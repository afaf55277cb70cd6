//! What the client of a socket has confirmed and asked for, until the stores have recorded it.
//!
//! The socket passes in what frames ask for; the calls of the use cases are its jobs, whose
//! results come back here.

use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::error::Invalid;
use chat_domain::model::Seq;
use chat_domain::service::{ChatService, SessionSubscription};
use tokio::time::Instant;

use super::jobs::{JobKind, JobOutcome, Jobs, in_time};
use super::pending_watermarks::PendingWatermarks;
use super::times::RECORD_GAP;
use super::watermark_recorder::WatermarkRecorder;
use crate::error::ApiError;
use crate::socket_protocol::{ClientCommand, Reference, SocketMode};

/// What is not recorded yet.
pub(super) struct InboundState {
    /// Up to where the client has received messages.
    delivered: WatermarkRecorder,
    /// On the heap, because most sockets send nothing but acknowledgements.
    requests: Option<Box<Requests>>,
}

/// What a client of the extended mode has sent besides acknowledgements.
struct Requests {
    /// Up to where it has read.
    read: WatermarkRecorder,
    /// The `ref` of the newest `read`.
    read_reference: Option<Reference>,
    /// The `ref` of the newest `ack` that has one.
    ack_reference: Option<Reference>,
    /// The newest `typing`, until it is shown.
    typing: Option<(bool, Option<Reference>)>,
}

/// A request that failed, with the `ref` of its frame.
pub(super) type FailedRequest = (ChatError, Option<Reference>);

impl InboundState {
    pub(super) fn new(mode: SocketMode) -> Self {
        // In base mode the pings have their own rhythm, and each asks for the delivery once.
        let gap = if mode == SocketMode::Base { Duration::ZERO } else { RECORD_GAP };
        Self { delivered: WatermarkRecorder::new(gap), requests: None }
    }

    /// The client has received all messages up to this position.
    pub(super) fn delivered_up_to(&mut self, seq: Seq) {
        self.delivered.advance_to(seq);
    }

    /// Takes what a frame asks for. `sent_up_to` is the newest position that was sent of the session; `typing` counts one
    /// more typing event of the viewer.
    ///
    /// # Errors
    /// Why it is not done, with the `ref` of the frame, for an error frame.
    pub(super) fn on_command(
        &mut self,
        command: &ClientCommand,
        reference: Option<Reference>,
        sent_up_to: Seq,
        typing: impl FnOnce() -> Result<(), ApiError>,
    ) -> Result<(), (ApiError, Option<Reference>)> {
        match *command {
            ClientCommand::Ack(seq) | ClientCommand::Read(seq) if seq > sent_up_to => {
                let invalid = Invalid::new("seq", "must not be ahead of what was sent on this socket");
                return Err((invalid.into(), reference));
            }
            ClientCommand::Ack(seq) => {
                self.delivered.advance_to(seq);
                if reference.is_some() {
                    self.requests().ack_reference = reference;
                }
            }
            ClientCommand::Read(seq) => {
                let requests = self.requests();
                requests.read.advance_to(seq);
                requests.read_reference = reference;
            }
            ClientCommand::Typing(is_typing) => match typing() {
                // Without its stop, a typing would be shown until it ends by itself.
                Err(refusal) if is_typing => return Err((refusal, reference)),
                // Only the newest state is shown: a stop right behind a start cancels it.
                _ => self.requests().typing = Some((is_typing, reference)),
            },
            // Any frame is a sign of life; a heartbeat asks for nothing else. The others are the socket's to do.
            ClientCommand::Heartbeat(_)
            | ClientCommand::Unknown
            | ClientCommand::Auth(_)
            | ClientCommand::Subscribe(_)
            | ClientCommand::Unsubscribe
            | ClientCommand::OpenInbox(..) => {}
        }
        Ok(())
    }

    fn requests(&mut self) -> &mut Requests {
        self.requests.get_or_insert_with(|| {
            Box::new(Requests {
                read: WatermarkRecorder::new(RECORD_GAP),
                read_reference: None,
                ack_reference: None,
                typing: None,
            })
        })
    }

    /// Starts the jobs that are due and not running.
    pub(super) fn start_jobs(
        &mut self,
        jobs: &mut Jobs,
        service: &ChatService,
        subscription: &SessionSubscription,
        now: Instant,
    ) {
        let session = subscription.session_id();
        let caller = || (service.clone(), subscription.viewer().clone());
        if let Some(up_to) = self.delivered.start(now) {
            let (service, viewer) = caller();
            jobs.start(JobKind::Delivered, async move {
                JobOutcome::Delivered(up_to, in_time(service.mark_delivered(&viewer, session, up_to)).await)
            });
        }
        let Some(requests) = &mut self.requests else { return };
        if let Some(up_to) = requests.read.start(now) {
            let (service, viewer) = caller();
            jobs.start(JobKind::Read, async move {
                JobOutcome::Read(up_to, in_time(service.mark_read_up_to(&viewer, session, up_to)).await)
            });
        }
        if !jobs.is_running(JobKind::Typing)
            && let Some((is_typing, reference)) = requests.typing.take()
        {
            let (service, viewer) = caller();
            jobs.start(JobKind::Typing, async move {
                JobOutcome::Typing(reference, in_time(service.send_typing(&viewer, session, Ok(is_typing))).await)
            });
        }
    }

    /// Takes the outcome of recording a delivery. Returns the failure to report, once for a series of them.
    pub(super) fn on_delivered(
        &mut self,
        up_to: Seq,
        outcome: Result<(), ChatError>,
        now: Instant,
    ) -> Option<FailedRequest> {
        let Err(error) = outcome else {
            self.delivered.settled(up_to);
            return None;
        };
        let reference = self.requests.as_mut().and_then(|requests| requests.ack_reference.take());
        is_reported(&mut self.delivered, up_to, &error, now).then_some((error, reference))
    }

    /// The same for a reading.
    pub(super) fn on_read(
        &mut self,
        up_to: Seq,
        outcome: Result<(), ChatError>,
        now: Instant,
    ) -> Option<FailedRequest> {
        let requests = self.requests.as_mut()?;
        let Err(error) = outcome else {
            requests.read.settled(up_to);
            return None;
        };
        let reference = requests.read_reference.take();
        is_reported(&mut requests.read, up_to, &error, now).then_some((error, reference))
    }

    /// When a job is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let read = self.requests.as_ref().and_then(|requests| requests.read.deadline());
        self.delivered.deadline().into_iter().chain(read).min()
    }

    /// What is to be recorded when the socket ends.
    pub(super) fn pending_watermarks(
        &self,
        service: &ChatService,
        subscription: &SessionSubscription,
    ) -> Option<PendingWatermarks> {
        let delivered = self.delivered.pending();
        let read = self.requests.as_ref().and_then(|requests| requests.read.pending());
        (delivered.is_some() || read.is_some()).then(|| PendingWatermarks {
            service: service.clone(),
            viewer: subscription.viewer().clone(),
            session: subscription.session_id(),
            delivered,
            read,
        })
    }
}

/// Notes that a watermark was not recorded. Returns whether the client gets to know: a refusal is final; of a series of
/// failures, which are retried, only the first is reported.
fn is_reported(recorder: &mut WatermarkRecorder, up_to: Seq, error: &ChatError, now: Instant) -> bool {
    if error.is_certain() {
        recorder.settled(up_to);
        return true;
    }
    recorder.failed(now)
}
