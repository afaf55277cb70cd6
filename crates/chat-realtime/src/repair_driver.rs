//! Performs the tasks of the repair on the hub and the log.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_domain::error::ChatError;
use chat_domain::ports::EventLog;
use metrics::counter;

use crate::hub::Hub;
use crate::repair::{Repair, RepairNotice, RepairTask};
use crate::timer::{Timer, in_time};

/// How many sessions are marked before other tasks of the thread get a turn.
const MARKS_PER_TURN: u32 = 64;

/// Compares the sessions that have subscriptions in the hub with the log, and sends subscriptions that missed events to
/// the log, until the hub is shut down.
pub async fn run_repair_with(hub: Arc<Hub>, log: Arc<dyn EventLog>, timer: Arc<dyn Timer>) {
    let rules = hub.settings().repair;
    let mut repair = Repair::new(rules, timer.now());
    let mut marked: u32 = 0;
    while !hub.is_shut_down() {
        take_reports(&hub, &mut repair, timer.now());
        let task = repair.next(timer.now());
        // Before the task, which may be a long wait.
        repair.notices().into_iter().for_each(log_notice);
        match task {
            RepairTask::List(concerned) => repair.listed(hub.subscribed_sessions(&concerned)),
            RepairTask::MarkGap(session, head) => {
                if hub.mark_gap(session, head) {
                    counter!("chat_repair_sessions_repaired_total").increment(1);
                    repair.repaired();
                }
                marked = marked.wrapping_add(1);
                if marked.is_multiple_of(MARKS_PER_TURN) {
                    let_others_run().await;
                }
            }
            RepairTask::Compare(sessions) => {
                let query = in_time(timer.as_ref(), rules.query_timeout, log.heads(sessions.clone()));
                let Some(outcome) = unless_closed(&hub, query).await else { return };
                match outcome.unwrap_or_else(|| Err(ChatError::unavailable("the event log does not respond in time"))) {
                    Ok(heads) => {
                        counter!("chat_repair_sessions_compared_total").increment(sessions.len() as u64);
                        let ahead = heads.into_iter().filter(|(session, head)| hub.has_gap(*session, *head));
                        repair.compared(ahead, timer.now());
                    }
                    Err(error) => {
                        counter!("chat_repair_failures_total").increment(1);
                        tracing::debug!(
                            "cannot query the event log for the heads of {} sessions: {error}",
                            sessions.len()
                        );
                        repair.failed(sessions, timer.now());
                    }
                }
            }
            RepairTask::WaitUntil(time) => {
                let mut sleep = timer.sleep(time.saturating_sub(timer.now()));
                let reports = poll_fn(|context| match hub.reports().poll_take(context) {
                    Poll::Ready(reports) => Poll::Ready(reports),
                    Poll::Pending => sleep.as_mut().poll(context).map(|()| Some(crate::reports::GapReports::default())),
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

/// The future's output, or `None` when the hub is shut down before.
async fn unless_closed<F: Future>(hub: &Hub, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match hub.reports().poll_closed(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(context).map(Some),
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

fn log_notice(notice: RepairNotice) {
    match notice {
        RepairNotice::PeersUnreachable => {
            tracing::debug!(
                "the other nodes are unreachable: all sessions with subscriptions are compared with the database"
            );
        }
        RepairNotice::PeersReachable { repaired } => {
            tracing::debug!(
                repaired,
                "the other nodes are reachable again; {repaired} sessions had to be repaired meanwhile"
            );
        }
        RepairNotice::LogUnavailable => {
            tracing::warn!("cannot compare sessions with the database, whose queries fail; trying again");
        }
        RepairNotice::LogAvailable => tracing::info!("sessions are compared with the database again"),
    }
}
