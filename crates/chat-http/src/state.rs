//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Api;
use crate::error::{ApiError, ErrorCode};
use crate::metering::SocketMetrics;
use crate::page_cache::PageCache;
use crate::readiness::Readiness;
use crate::uploads::Uploads;

/// When it makes sense to try again for a place: with a load balancer in front, another node may have one at once.
const RETRY_SOCKET_SECONDS: u64 = 5;

/// The API and whether this node is about to stop.
pub(crate) struct State {
    api: Api,
    draining: Arc<AtomicBool>,
    pub(crate) readiness: Readiness,
    pub(crate) sockets: SocketMetrics,
    pub(crate) pages: PageCache,
    socket_places: Arc<Semaphore>,
    pub(crate) uploads: Arc<Uploads>,
}

/// A socket's place among those that the node holds.
pub(crate) type SocketPlace = OwnedSemaphorePermit;

impl State {
    pub(crate) fn new(api: Api, draining: Arc<AtomicBool>) -> Self {
        let pages = PageCache::new(api.settings.page_cache_bytes);
        let socket_places = Arc::new(Semaphore::new(api.settings.transport.sockets.min(Semaphore::MAX_PERMITS)));
        let uploads = Uploads::new(api.settings.uploads);
        let (readiness, sockets) = (Readiness::default(), SocketMetrics::new());
        Self { api, draining, readiness, sockets, pages, socket_places, uploads }
    }

    /// Takes a place for one more socket: 503 when the node holds as many as its limit of open files allows.
    pub(crate) fn socket_place(&self) -> Result<SocketPlace, ApiError> {
        Arc::clone(&self.socket_places).try_acquire_owned().map_err(|_full| {
            ApiError::new(ErrorCode::Unavailable, "this node holds as many sockets as it can; connect again later")
                .with_header(RETRY_AFTER, HeaderValue::from(RETRY_SOCKET_SECONDS))
        })
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Deref for State {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}
