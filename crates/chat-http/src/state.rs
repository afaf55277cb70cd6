//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Api;
use crate::metering::SocketMetrics;
use crate::page_cache::PageCache;
use crate::readiness::Readiness;

/// The API and whether this node is about to stop.
pub(crate) struct State {
    api: Api,
    draining: Arc<AtomicBool>,
    pub(crate) readiness: Readiness,
    pub(crate) sockets: SocketMetrics,
    pub(crate) pages: PageCache,
}

impl State {
    pub(crate) fn new(api: Api, draining: Arc<AtomicBool>) -> Self {
        let pages = PageCache::new(api.settings.page_cache_bytes);
        Self { api, draining, readiness: Readiness::default(), sockets: SocketMetrics::new(), pages }
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
