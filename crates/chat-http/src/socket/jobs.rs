//! The calls of use cases that a socket has started. The socket polls them beside everything else, so a slow store delays
//! neither pings nor events.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::Seq;
use chat_domain::service::AccessState;
use chat_identity::{TokenError, VerifiedToken};
use tokio::time::timeout;

use crate::socket_protocol::Reference;

/// How long the stores may take; they have shorter limits of their own.
const LIMIT: Duration = Duration::from_secs(10);

/// What a job does. At most one of each kind runs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobKind {
    /// Checks whether the viewer may still see the session.
    Recheck,
    /// Checks a newer token whose key has to be fetched.
    TokenCheck,
    /// Checks whether the person of a newer token may see the session.
    Renewal,
    /// Records the delivery of messages.
    Delivered,
    /// Marks messages as read.
    Read,
    /// Shows that the viewer types.
    Typing,
}

/// What a job came to.
pub(super) enum JobOutcome {
    Recheck(Result<AccessState, ChatError>),
    TokenCheck(Box<TokenCheck>),
    Renewal(Box<(VerifiedToken, Option<Reference>)>, Result<AccessState, ChatError>),
    Delivered(Seq, Result<(), ChatError>),
    Read(Seq, Result<(), ChatError>),
    Typing(Option<Reference>, Result<(), ChatError>),
}

/// A newer token, after its check.
pub(super) struct TokenCheck {
    pub(super) verified: Result<VerifiedToken, TokenError>,
    /// Of the frame that it came in.
    pub(super) reference: Option<Reference>,
}

struct Job {
    kind: JobKind,
    work: Pin<Box<dyn Future<Output = JobOutcome>>>,
}

/// The running jobs. Without any, it is a null pointer: most sockets have none at most times.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "an empty list would take three words of every idle socket")]
pub(super) struct Jobs(Option<Box<Vec<Job>>>);

impl Jobs {
    /// Starts a job. A running one of the same kind is dropped.
    pub(super) fn start(&mut self, kind: JobKind, work: impl Future<Output = JobOutcome> + 'static) {
        self.stop(kind);
        self.0.get_or_insert_default().push(Job { kind, work: Box::pin(work) });
    }

    /// Drops the running job of that kind, if any.
    pub(super) fn stop(&mut self, kind: JobKind) {
        if let Some(jobs) = &mut self.0 {
            jobs.retain(|job| job.kind != kind);
        }
    }

    pub(super) fn is_running(&self, kind: JobKind) -> bool {
        self.0.iter().flat_map(|jobs| jobs.iter()).any(|job| job.kind == kind)
    }

    /// Whether something that the client has said is being recorded or shown.
    pub(super) fn is_recording(&self) -> bool {
        [JobKind::Delivered, JobKind::Read, JobKind::Typing].into_iter().any(|kind| self.is_running(kind))
    }

    /// The outcome of the next job that finishes. Pending also while no job runs.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<JobOutcome> {
        let Some(jobs) = &mut self.0 else { return Poll::Pending };
        let ready = jobs.iter_mut().enumerate().find_map(|(index, job)| match job.work.as_mut().poll(cx) {
            Poll::Ready(outcome) => Some((index, outcome)),
            Poll::Pending => None,
        });
        let Some((index, outcome)) = ready else { return Poll::Pending };
        drop(jobs.swap_remove(index));
        if jobs.is_empty() {
            self.0 = None;
        }
        Poll::Ready(outcome)
    }
}

/// The work, or a failure when it takes too long.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T, ChatError>>) -> Result<T, ChatError> {
    timeout(LIMIT, work).await.unwrap_or_else(|_elapsed| Err(ChatError::unavailable("the stores take too long")))
}
