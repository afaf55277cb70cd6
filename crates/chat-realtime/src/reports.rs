//! What the hub has to say to the repair: where something may have been lost. Bounded, also when nobody listens.

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};

use chat_domain::model::{Seq, SessionId};
use chat_domain::ports::Missed;

use crate::sync::{Mutex, lock};

/// The most places that are remembered one by one.
const MAX_MISSED: usize = 64;
/// The most sessions that are.
const MAX_SUSPECTS: usize = 1_000;

/// What came up since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// Where events may have been lost.
    pub missed: Vec<Missed>,
    /// The newest word on whether the other nodes can be heard.
    pub heard: Option<bool>,
    /// Sessions whose log was seen at a position that their watchers had not heard of.
    pub suspects: HashMap<SessionId, Seq>,
}

impl Reports {
    fn is_empty(&self) -> bool {
        self.missed.is_empty() && self.heard.is_none() && self.suspects.is_empty()
    }

    pub(crate) fn missed(&mut self, missed: Missed) {
        if self.missed.contains(&missed) || self.missed.contains(&Missed::Everywhere) {
            return;
        }
        if missed == Missed::Everywhere || self.missed.len() >= MAX_MISSED {
            self.missed = vec![Missed::Everywhere];
        } else {
            self.missed.push(missed);
        }
    }

    pub(crate) fn suspect(&mut self, session: SessionId, head: Seq) {
        if self.suspects.len() >= MAX_SUSPECTS && !self.suspects.contains_key(&session) {
            // Looking at all of them is cheaper than remembering so many.
            self.suspects = HashMap::new();
            self.missed(Missed::Everywhere);
            return;
        }
        let newest = self.suspects.entry(session).or_insert(head);
        *newest = (*newest).max(head);
    }
}

/// Where reports wait for the one that drives the repair.
#[derive(Default)]
pub(crate) struct ReportBox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    reports: Reports,
    waker: Option<Waker>,
    closed: bool,
}

impl ReportBox {
    /// Adds to the reports.
    pub(crate) fn add(&self, report: impl FnOnce(&mut Reports)) {
        let mut inner = lock(&self.inner);
        report(&mut inner.reports);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends it.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What came up; `None` once closed.
    pub(crate) fn poll_take(&self, context: &Context<'_>) -> Poll<Option<Reports>> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Poll::Ready(None);
        }
        if !inner.reports.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut inner.reports)));
        }
        inner.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Ready once closed.
    pub(crate) fn poll_closed(&self, context: &Context<'_>) -> Poll<()> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Poll::Ready(());
        }
        inner.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
