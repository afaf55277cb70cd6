//! Does what the repair says, on the hub and the log.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use chat_domain::ports::EventLog;
use metrics::counter;

use crate::hub::Hub;
use crate::repair::{Notice, Repair, Task};
use crate::timer::Timer;

/// Compares the sessions that are watched through the hub with the log and sends watchers to the log who missed
/// something, until the hub is shut down.
pub async fn run_repair_with(hub: Arc<Hub>, log: Arc<dyn EventLog>, timer: Arc<dyn Timer>) {
    let mut repair = Repair::new(hub.settings().repair, timer.now());
    while !hub.is_shut_down() {
        take_reports(&hub, &mut repair, timer.now());
        match repair.next(timer.now()) {
            Task::List(concerned) => repair.listed(hub.watched(&concerned)),
            Task::Tell(session, head) => {
                if hub.tell(session, head) {
                    counter!("chat_repair_sessions_repaired_total").increment(1);
                    repair.told();
                }
            }
            Task::Compare(sessions) => {
                let Some(answer) = unless_closed(&hub, log.heads(sessions.clone())).await else { return };
                match answer {
                    Ok(heads) => {
                        counter!("chat_repair_sessions_compared_total").increment(sessions.len() as u64);
                        let behind = heads.into_iter().filter(|(session, head)| hub.is_behind(*session, *head));
                        repair.compared(behind, timer.now());
                    }
                    Err(error) => {
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
        repair.notices().into_iter().for_each(log_notice);
    }
}

/// Takes the reports that are there, without waiting.
fn take_reports(hub: &Hub, repair: &mut Repair, now: std::time::Duration) {
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

fn log_notice(notice: Notice) {
    match notice {
        Notice::Unheard => {
            tracing::warn!("other nodes cannot be heard; sessions that are watched here are compared with the log");
        }
        Notice::HeardAgain { repaired } => {
            tracing::info!(
                repaired,
                "other nodes are heard again; {repaired} repairs of sessions were needed meanwhile"
            );
        }
        Notice::LogFails => tracing::warn!("sessions cannot be compared with the log, which fails; trying again"),
        Notice::LogAnswers => tracing::info!("sessions are compared with the log again"),
    }
}
