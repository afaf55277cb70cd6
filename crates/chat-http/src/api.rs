//! What the HTTP edge is made of.

use std::sync::Arc;

use chat_domain::ports::{Clock, HealthProbe};
use chat_domain::service::ChatService;
use chat_identity::{DownloadTickets, TokenVerifier};

use crate::access_log::AccessLog;
use crate::mounts::Mounts;
use crate::settings::HttpSettings;
use crate::traces::Traces;

/// What the HTTP edge is made of.
#[derive(Clone)]
pub struct Api {
    /// The use cases.
    pub service: ChatService,
    /// The time that tokens are checked against.
    pub clock: Arc<dyn Clock>,
    /// Which tokens are accepted.
    pub tokens: TokenVerifier,
    /// Tickets for downloads.
    pub download_tickets: DownloadTickets,
    /// The parts that readiness depends on.
    pub probes: Vec<Arc<dyn HealthProbe>>,
    /// What the operator decided.
    pub settings: HttpSettings,
    /// Where each request gets a line; `None` for nowhere.
    pub access_log: Option<AccessLog>,
    /// Which requests are traced; `None` for no request.
    pub traces: Traces,
    /// Files and pages beside the API.
    pub mounts: Mounts,
}
