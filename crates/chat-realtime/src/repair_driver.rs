//! Does what the repair says, on the hub and the log.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_domain::error::ChatError;
use chat_domain::ports::EventLog;
use metrics::counter;

use crate::hub::Hub;
use crate::repair::{Notice, Repair, Task};
use crate::timer::Timer;

/// How many sessions' watchers are told before other tasks of the thread get a turn.
const TOLD_AT_A_TIME: u32 = 64;

/// Compares the sessions that are watched through the hub with the log and sends watchers to the log who missed
/// something, until the hub is shut down.
pub async fn run_repair_with(hub: Arc<Hub>, log: Arc<dyn EventLog>, timer: Arc<dyn Timer>) {
    let rules = hub.settings().repair;
    let mut repair = Repair::new(rules, timer.now());
    let mut told: u32 = 0;
    while !hub.is_shut_down() {
        take_reports(&hub, &mut repair, timer.now());
        let task = repair.next(timer.now());
        // Before the task, which may be a long wait.
        repair.notices().into_iter().for_each(log_notice);
        match task {
            Task::List(concerned) => repair.listed(hub.watched(&concerned)),
            Task::Tell(session, head) => {
                if hub.tell(session, head) {
                    counter!("chat_repair_sessions_repaired_total").increment(1);
                    repair.told();
                }
                told = told.wrapping_add(1);
                if told.is_multiple_of(TOLD_AT_A_TIME) {
                    let_others_run().await;
                }
            }
            Task::Compare(sessions) => {
                let answer = in_time(timer.as_ref(), rules.answer, log.heads(sessions.clone()));
                let Some(answer) = unless_closed(&hub, answer).await else { return };
                match answer.unwrap_or_else(|| Err(ChatError::unavailable("the event log does not answer in time"))) {
                    Ok(heads) => {
                        counter!("chat_repair_sessions_compared_total").increment(sessions.len() as u64);
                        let behind = heads.into_iter().filter(|(session, head)| hub.is_behind(*session, *head));
                        repair.compared(behind, timer.now());
                    }
                    Err(error) => {
                        counter!("chat_repair_failures_total").increment(1);
                        tracing::debug!("cannot ask the log for the heads of {} sessions: {error}", sessions.len());
                        repair.failed(sessions, timer.now());
                    }
                }
            }
            Task::WaitUntil(time) => {
                let mut sleep = timer.sleep(time.saturating_sub(timer.now()));
                let reports = poll_fn(|context| match hub.reports().poll_take(context) {
                    Poll::Ready(reports) => Poll::Ready(reports),
                    Poll::Pending => sleep.as_mut().poll(context).map(|()| Some(crate::reports::Reports::default())),
                });
                let Some(reports) = reports.await else { return };
                repair.report(reports, timer.now());
            }
        }
    }
}

/// Takes the reports that are there, without waiting.
fn take_reports(hub: &Hub, repair: &mut Repair, now: Duration) {
    let context = std::task::Context::from_waker(std::task::Waker::noop());
    if let Poll::Ready(Some(reports)) = hub.reports().poll_take(&context) {
        repair.report(reports, now);
    }
}

/// What the future says, or `None` when the hub is shut down before.
async fn unless_closed<F: Future>(hub: &Hub, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match hub.reports().poll_closed(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(context).map(Some),
    })
    .await
}

/// What the future says, or `None` when it has not said it within the limit.
async fn in_time<F: Future>(timer: &dyn Timer, limit: Duration, future: F) -> Option<F::Output> {
    let mut over = timer.sleep(limit);
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => over.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// Gives other tasks a turn, on any scheduler.
async fn let_others_run() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn log_notice(notice: Notice) {
    match notice {
        Notice::Unheard => {
            tracing::debug!(
                "other nodes cannot be heard: all sessions that are watched here are compared with the database"
            );
        }
        Notice::HeardAgain { repaired } => {
            tracing::debug!(
                repaired,
                "other nodes are heard again; {repaired} repairs of sessions were needed meanwhile"
            );
        }
        Notice::LogFails => tracing::warn!("sessions cannot be compared with the database, which fails; trying again"),
        Notice::LogAnswers => tracing::info!("sessions are compared with the database again"),
    }
}
