//! Reads what has changed, and all views from time to time, for the open inboxes of a node.

use std::future::{Future, poll_fn};
use std::pin::pin;
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
use crate::timer::Timer;

/// What the reader does next.
enum InboxTask {
    Read(Vec<SessionId>),
    Sweep { active: Vec<InboxRange>, ended: Vec<InboxRange> },
}

/// When the reader may read, and when it must.
struct Schedule {
    rules: InboxRules,
    not_before: Duration,
    swept_at: Duration,
    failures: u32,
}

impl Schedule {
    /// What is due, or when something will be if nothing changes.
    fn next(&self, state: &mut InboxesState, now: Duration) -> Result<InboxTask, Duration> {
        if state.active.is_empty() {
            return Err(now + self.rules.sweep);
        }
        let is_suspect = state.is_suspect || state.peers_unreachable;
        let pause = if is_suspect { self.rules.sweep_suspect } else { self.rules.sweep };
        let sweep_at = self.not_before.max(self.swept_at + pause);
        if now >= sweep_at {
            state.is_suspect = false;
            let (active, ended) = (state.active.ranges(), state.ended.keys().cloned().collect());
            return Ok(InboxTask::Sweep { active, ended });
        }
        if state.changed.is_empty() {
            return Err(sweep_at);
        }
        if now < self.not_before {
            return Err(self.not_before);
        }
        let ids: Vec<_> = state.changed.iter().take(MAX_FOUND).copied().collect();
        for id in &ids {
            state.changed.remove(id);
        }
        Ok(InboxTask::Read(ids))
    }

    fn succeeded(&mut self, now: Duration) {
        self.not_before = now + self.rules.gap;
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!("inboxes are read again");
        }
    }

    fn failed(&mut self, now: Duration, error: &ChatError) {
        counter!("chat_inbox_read_failures_total").increment(1);
        if self.failures == 0 {
            tracing::warn!(error.cause = %error, "cannot read what has changed for the open inboxes; trying again");
        }
        let pause = self.rules.first_pause.saturating_mul(1 << self.failures.min(16));
        self.not_before = now + pause.min(self.rules.longest_pause);
        self.failures = self.failures.saturating_add(1);
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
    let now = timer.now();
    let mut schedule = Schedule { rules, not_before: now, swept_at: now, failures: 0 };
    while let Some(task) = next_task(&inboxes, &schedule, timer.as_ref()).await {
        let limit = schedule.rules.read_timeout;
        let outcome = match &task {
            InboxTask::Read(ids) => {
                let found = in_time(timer.as_ref(), limit, sessions.find_many(ids.clone())).await;
                found.map(|found| inboxes.apply(ids, found))
            }
            InboxTask::Sweep { active, ended } => {
                let swept = in_time(timer.as_ref(), limit, sweep(&inboxes, sessions.as_ref(), active, ended)).await;
                swept.inspect(|()| schedule.swept_at = timer.now())
            }
        };
        match outcome {
            Ok(()) => schedule.succeeded(timer.now()),
            Err(error) => {
                inboxes.give_back(task);
                schedule.failed(timer.now(), &error);
            }
        }
    }
}

/// Reads what the views hold.
async fn sweep(
    inboxes: &Inboxes,
    sessions: &dyn InboxReader,
    active: &[InboxRange],
    ended: &[InboxRange],
) -> Result<()> {
    let read = sessions.active(active.to_vec()).await?;
    inboxes.compare_active(active, &read);
    for range in ended {
        let read = sessions.ended(range.clone()).await?;
        inboxes.compare_ended(range, read);
    }
    Ok(())
}

impl Inboxes {
    /// Takes back what could not be done.
    fn give_back(&self, task: InboxTask) {
        let mut state = lock(&self.state);
        match task {
            InboxTask::Read(ids) => state.changed.extend(ids),
            InboxTask::Sweep { .. } => state.is_suspect = true,
        }
    }
}

/// What is due next, as soon as it is; `None` after the shutdown.
async fn next_task(inboxes: &Inboxes, schedule: &Schedule, timer: &dyn Timer) -> Option<InboxTask> {
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

async fn in_time<T>(timer: &dyn Timer, limit: Duration, reading: impl Future<Output = Result<T>>) -> Result<T> {
    let mut over = timer.sleep(limit);
    let mut reading = pin!(reading);
    poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Ready(read) => Poll::Ready(read),
        Poll::Pending => over
            .as_mut()
            .poll(context)
            .map(|()| Err(ChatError::unavailable("reading sessions for the inboxes takes too long"))),
    })
    .await
}
