//! Reads what has changed, and all views from time to time, for the open inboxes of a node.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chat_domain::error::{ChatError, Result};
use chat_domain::inbox::InboxRange;
use chat_domain::model::SessionId;
use chat_domain::ports::{InboxReader, MAX_FOUND};
use metrics::counter;

use super::{Inboxes, InboxesState};
use crate::settings::InboxRules;
use crate::sync::lock;
use crate::timer::{Timer, in_time, pause_after};

/// The most ranges that are read at once in a sweep: what has changed meanwhile does not wait for long.
const RANGES_AT_ONCE: usize = 50;

/// What the reader does next.
enum InboxTask {
    /// Look up what has changed.
    Read(Vec<SessionId>),
    /// Read a piece of what the views hold.
    Sweep(SweepPiece),
}

/// A part of a sweep.
enum SweepPiece {
    Active(Vec<InboxRange>),
    Ended(InboxRange),
}

/// When the reader may read, and when it must. What has changed and the sweeps take turns, and wait for their own failures
/// alone.
struct ReadSchedule {
    rules: InboxRules,
    reads: ReadBackoff,
    sweeps: ReadBackoff,
    /// What is left of a sweep that has begun.
    sweep: Vec<SweepPiece>,
    swept_at: Duration,
    has_read_last: bool,
}

/// When something may be tried again.
struct ReadBackoff {
    not_before: Duration,
    failures: u32,
}

impl ReadSchedule {
    fn new(rules: InboxRules, now: Duration) -> Self {
        let backoff = || ReadBackoff { not_before: now, failures: 0 };
        Self { rules, reads: backoff(), sweeps: backoff(), sweep: Vec::new(), swept_at: now, has_read_last: false }
    }

    /// What is due, or when something will be if nothing changes.
    fn next(&mut self, state: &mut InboxesState, now: Duration) -> Result<InboxTask, Duration> {
        if state.active.is_empty() {
            self.sweep = Vec::new();
            return Err(now + self.rules.sweep);
        }
        let is_suspect = state.is_suspect || state.peers_unreachable;
        let next_sweep = self.swept_at + if is_suspect { self.rules.sweep_suspect } else { self.rules.sweep };
        if self.sweep.is_empty() && now >= next_sweep {
            self.begin_sweep(state, now);
        }
        let may_read = !state.changed.is_empty() && now >= self.reads.not_before;
        let may_sweep = now >= self.sweeps.not_before;
        if may_read && !(self.has_read_last && may_sweep && !self.sweep.is_empty()) {
            self.has_read_last = true;
            let ids: Vec<_> = state.changed.iter().take(MAX_FOUND).copied().collect();
            for id in &ids {
                state.changed.remove(id);
            }
            state.reading.extend(&ids);
            return Ok(InboxTask::Read(ids));
        }
        if may_sweep && let Some(piece) = self.sweep.pop() {
            self.has_read_last = false;
            return Ok(InboxTask::Sweep(piece));
        }
        let next_read = (!state.changed.is_empty()).then_some(self.reads.not_before);
        let next_sweep = if self.sweep.is_empty() { next_sweep } else { self.sweeps.not_before };
        Err(next_read.map_or(next_sweep, |next_read| next_read.min(next_sweep)))
    }

    fn begin_sweep(&mut self, state: &mut InboxesState, now: Duration) {
        state.is_suspect = false;
        self.swept_at = now;
        let ended = state.ended.keys().filter(|range| state.by_range.contains_key(range)).cloned();
        self.sweep = ended.map(SweepPiece::Ended).collect();
        let active = state.active.ranges();
        self.sweep.extend(active.chunks(RANGES_AT_ONCE).map(|ranges| SweepPiece::Active(ranges.to_vec())));
    }

    /// Takes over what has become of a task.
    fn finished(&mut self, task: InboxTask, outcome: Result<()>, inboxes: &Inboxes, now: Duration) {
        let Err(error) = outcome else {
            let was_read = matches!(task, InboxTask::Read(_));
            let backoff = if was_read { &mut self.reads } else { &mut self.sweeps };
            backoff.not_before = if was_read { now + self.rules.gap } else { now };
            if std::mem::take(&mut backoff.failures) > 0 {
                tracing::info!("inboxes are read again");
            }
            return;
        };
        counter!("chat_inbox_read_failures_total").increment(1);
        let backoff = match task {
            InboxTask::Read(ids) => {
                inboxes.give_back(ids);
                &mut self.reads
            }
            InboxTask::Sweep(piece) => {
                // Behind the others, which may be readable.
                self.sweep.insert(0, piece);
                &mut self.sweeps
            }
        };
        if backoff.failures == 0 {
            tracing::warn!(error.cause = %error, "cannot read what has changed for the open inboxes; trying again");
        }
        backoff.not_before = now + pause_after(backoff.failures, self.rules.first_pause, self.rules.longest_pause);
        backoff.failures = backoff.failures.saturating_add(1);
    }
}

/// Reads what changes for the open inboxes until they are shut down.
pub async fn run_inboxes_with(
    inboxes: Arc<Inboxes>,
    sessions: Arc<dyn InboxReader>,
    timer: Arc<dyn Timer>,
    rules: InboxRules,
) {
    counter!("chat_inbox_read_failures_total").increment(0);
    let mut schedule = ReadSchedule::new(rules, timer.now());
    while let Some(task) = next_task(&inboxes, &mut schedule, timer.as_ref()).await {
        let work = work(&inboxes, sessions.as_ref(), &task);
        let outcome = in_time(timer.as_ref(), rules.read_timeout, work).await;
        let too_long = || Err(ChatError::unavailable("reading sessions for the inboxes takes too long"));
        schedule.finished(task, outcome.unwrap_or_else(too_long), &inboxes, timer.now());
    }
}

async fn work(inboxes: &Inboxes, sessions: &dyn InboxReader, task: &InboxTask) -> Result<()> {
    match task {
        InboxTask::Read(ids) => {
            let found = sessions.find_many(ids.clone()).await?;
            inboxes.apply(ids, found);
        }
        InboxTask::Sweep(SweepPiece::Active(ranges)) => {
            let read = sessions.active(ranges.clone()).await?;
            inboxes.compare_active(ranges, &read);
        }
        InboxTask::Sweep(SweepPiece::Ended(range)) => {
            let read = sessions.ended(range.clone()).await?;
            inboxes.compare_ended(range, read);
        }
    }
    Ok(())
}

impl Inboxes {
    /// Takes back what could not be read.
    fn give_back(&self, ids: Vec<SessionId>) {
        let mut state = lock(&self.state);
        for id in ids {
            if state.reading.remove(&id) {
                state.changed.insert(id);
            }
        }
    }
}

/// What is due next, as soon as it is; `None` after the shutdown.
async fn next_task(inboxes: &Inboxes, schedule: &mut ReadSchedule, timer: &dyn Timer) -> Option<InboxTask> {
    let mut sleep = None;
    poll_fn(|context: &mut Context<'_>| {
        loop {
            let mut state = lock(&inboxes.state);
            if state.is_shut_down {
                return Poll::Ready(None);
            }
            let now = timer.now();
            let at = match schedule.next(&mut state, now) {
                Ok(task) => return Poll::Ready(Some(task)),
                Err(at) => at,
            };
            // Under the lock, so that a change either is seen here or finds the waker.
            state.reader = Some(context.waker().clone());
            drop(state);
            let (until, slept) = sleep.get_or_insert_with(|| (at, timer.sleep(at.saturating_sub(now))));
            if *until != at {
                (*until, *slept) = (at, timer.sleep(at.saturating_sub(now)));
            }
            if slept.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            sleep = None;
        }
    })
    .await
}
