//! What a socket has asked the stores for. The answers are waited for beside everything else, so that a store that is
//! slow holds up neither pings nor events.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::Seq;
use chat_domain::service::Right;
use tokio::time::timeout;

use super::protocol::Reference;
use crate::auth::VerifiedToken;

/// How long the stores may take; they have shorter limits of their own.
const LIMIT: Duration = Duration::from_secs(10);

/// What has been asked for. Of each kind there is one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whether the watcher may still see the session.
    Recheck,
    /// The same for a newer token.
    Renewal,
    /// To note that messages have arrived.
    Delivered,
    /// To mark messages as read.
    Read,
    /// To show that someone is typing.
    Typing,
}

/// An answer.
pub(super) enum Done {
    Recheck(Result<Right, ChatError>),
    Renewal(Box<(VerifiedToken, Option<Reference>)>, Result<Right, ChatError>),
    Delivered(Seq, Result<(), ChatError>),
    Read(Seq, Result<(), ChatError>),
    Typing(Option<Reference>, Result<(), ChatError>),
}

struct Job {
    kind: Kind,
    work: Pin<Box<dyn Future<Output = Done>>>,
}

/// What is under way. Without any, it has no memory of its own.
#[derive(Default)]
pub(super) struct Jobs(Vec<Job>);

impl Jobs {
    /// Takes the place of a job of the same kind, whose answer nobody waits for any more.
    pub(super) fn start(&mut self, kind: Kind, work: impl Future<Output = Done> + 'static) {
        self.0.retain(|job| job.kind != kind);
        self.0.push(Job { kind, work: Box::pin(work) });
    }

    /// Gives up a job of that kind, whose answer means nothing any more.
    pub(super) fn stop(&mut self, kind: Kind) {
        self.0.retain(|job| job.kind != kind);
    }

    pub(super) fn is_running(&self, kind: Kind) -> bool {
        self.0.iter().any(|job| job.kind == kind)
    }

    /// The next answer. Pending also when nothing is under way.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        let ready = self.0.iter_mut().enumerate().find_map(|(index, job)| match job.work.as_mut().poll(cx) {
            Poll::Ready(done) => Some((index, done)),
            Poll::Pending => None,
        });
        let Some((index, done)) = ready else { return Poll::Pending };
        drop(self.0.swap_remove(index));
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Poll::Ready(done)
    }
}

/// Work with a limit of time.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T, ChatError>>) -> Result<T, ChatError> {
    timeout(LIMIT, work).await.unwrap_or_else(|_elapsed| Err(ChatError::unavailable("the stores take too long")))
}
