//! Watermarks that a client confirmed and no store has recorded when its socket ends.

use chat_domain::ChatError;
use chat_domain::model::{Principal, Seq, SessionId};
use chat_domain::service::ChatService;
use futures_util::future::LocalBoxFuture;

/// The watermarks that are still to be recorded.
pub(super) struct PendingWatermarks {
    pub(super) service: ChatService,
    pub(super) viewer: Principal,
    pub(super) session: SessionId,
    pub(super) delivered: Option<Seq>,
    pub(super) read: Option<Seq>,
}

/// The watermarks whose recording is not finished when a socket ends.
#[derive(Default)]
pub(super) struct UnfinishedWatermarks {
    /// Those that no store was asked to record.
    pub(super) not_started: Vec<PendingWatermarks>,
    /// Those of subscriptions that ended before, which are being recorded.
    pub(super) running: Vec<LocalBoxFuture<'static, ()>>,
}

impl PendingWatermarks {
    /// Records them. A failure is logged.
    pub(super) async fn record(self) {
        let Self { service, viewer, session, delivered, read } = self;
        if let Some(up_to) = delivered
            && let Err(error) = service.mark_delivered(&viewer, session, up_to).await
        {
            log_failed_delivery(session, &error);
        }
        if let Some(up_to) = read
            && let Err(error) = service.mark_read_up_to(&viewer, session, up_to).await
        {
            tracing::debug!(session.id = %session, error.cause = %error, "reading not recorded");
        }
    }
}

/// Logs that a delivery was not recorded. A refusal is no fault.
pub(super) fn log_failed_delivery(session: SessionId, error: &ChatError) {
    if error.is_certain() {
        tracing::debug!(session.id = %session, error.cause = %error, "delivery not recorded");
    } else {
        tracing::warn!(session.id = %session, error.cause = %error, "delivery not recorded");
    }
}
