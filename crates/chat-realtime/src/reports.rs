//! Suspected gaps on their way from the hub to the repair. Bounded, also while no repair runs.

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};

use chat_domain::model::{Seq, SessionId};

use crate::peers::SuspectedGap;
use crate::sync::{Mutex, lock};

/// The most gaps that are kept one by one.
const MAX_GAPS: usize = 64;
/// The most sessions that are kept one by one.
const MAX_SUSPECTS: usize = 1_000;

/// What was reported since the reports were last taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct GapReports {
    /// Where events may have been missed.
    pub gaps: Vec<SuspectedGap>,
    /// The newest report whether the other nodes are reachable.
    pub peers_reachable: Option<bool>,
    /// Sessions whose log was seen ahead of their subscriptions, with its head.
    pub suspects: HashMap<SessionId, Seq>,
}

impl GapReports {
    fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.peers_reachable.is_none() && self.suspects.is_empty()
    }

    pub(crate) fn add_gap(&mut self, gap: SuspectedGap) {
        if self.gaps.contains(&gap) || self.gaps.contains(&SuspectedGap::AllSessions) {
            return;
        }
        if gap == SuspectedGap::AllSessions || self.gaps.len() >= MAX_GAPS {
            self.gaps = vec![SuspectedGap::AllSessions];
        } else {
            self.gaps.push(gap);
        }
    }

    pub(crate) fn suspect(&mut self, session: SessionId, head: Seq) {
        if self.suspects.len() >= MAX_SUSPECTS && !self.suspects.contains_key(&session) {
            // Comparing all of them is cheaper than keeping so many.
            self.suspects = HashMap::new();
            self.add_gap(SuspectedGap::AllSessions);
            return;
        }
        let newest = self.suspects.entry(session).or_insert(head);
        *newest = (*newest).max(head);
    }
}

/// The reports that wait for the repair.
#[derive(Default)]
pub(crate) struct GapReportQueue {
    inner: Mutex<PendingReports>,
}

#[derive(Default)]
struct PendingReports {
    reports: GapReports,
    waker: Option<Waker>,
    closed: bool,
}

impl GapReportQueue {
    /// Adds to the reports.
    pub(crate) fn add(&self, report: impl FnOnce(&mut GapReports)) {
        let mut inner = lock(&self.inner);
        report(&mut inner.reports);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Closes it.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the reports, once there are any; `None` once closed.
    pub(crate) fn poll_take(&self, context: &Context<'_>) -> Poll<Option<GapReports>> {
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
