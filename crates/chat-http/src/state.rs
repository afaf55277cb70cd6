//! What all handlers share.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::web::{Bytes, Data};

use crate::api::Api;
use crate::body_slots::BodySlots;
use crate::error::{ApiError, ErrorCode};
use crate::forwarding::UntrustedForwarding;
use crate::metering::{self, SocketMetrics};
use crate::page_cache::PageCache;
use crate::rate_limits::RateLimits;
use crate::readiness::Readiness;
use crate::socket_permits::{SocketPermit, SocketPermits};

/// When a client should try again: with a load balancer in front, another node may have one at once.
const RETRY_SOCKET_SECONDS: u64 = 5;

/// What every handler gets.
pub(crate) type App = Data<AppState>;

/// The API and whether this node is about to stop.
pub(crate) struct AppState {
    api: Api,
    draining: Arc<AtomicBool>,
    pub(crate) readiness: Readiness,
    pub(crate) untrusted_forwarding: UntrustedForwarding,
    pub(crate) sockets: SocketMetrics,
    pub(crate) pages: PageCache,
    socket_permits: SocketPermits,
    pub(crate) rates: RateLimits,
    pub(crate) uploads: Arc<BodySlots>,
    pub(crate) json_bodies: Arc<BodySlots>,
    /// The description of the API, which is the same for every client.
    pub(crate) openapi: OnceLock<Bytes>,
}

impl AppState {
    pub(crate) fn new(api: Api, draining: Arc<AtomicBool>) -> Self {
        let pages = PageCache::new(api.settings.page_cache_bytes);
        let socket_permits = SocketPermits::new(api.settings.transport.sockets);
        let (uploads, json_bodies) = (BodySlots::for_uploads(api.settings.uploads), BodySlots::for_json());
        let (readiness, sockets) = (Readiness::default(), SocketMetrics::new());
        let rates = RateLimits::new(api.settings.rates);
        let untrusted_forwarding = UntrustedForwarding::new(metering::untrusted_forwarding());
        Self {
            api,
            draining,
            readiness,
            untrusted_forwarding,
            sockets,
            pages,
            socket_permits,
            rates,
            uploads,
            json_bodies,
            openapi: OnceLock::new(),
        }
    }

    /// Permits one more socket: 503 when the node holds as many as its limit of open files allows.
    pub(crate) fn socket_permit(&self) -> Result<SocketPermit, ApiError> {
        self.socket_permits.take().ok_or_else(|| {
            ApiError::new(ErrorCode::Unavailable, "this node holds as many sockets as it can; connect again later")
                .with_header(RETRY_AFTER, HeaderValue::from(RETRY_SOCKET_SECONDS))
        })
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Deref for AppState {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}
