//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::Gauge;

use crate::Api;
use crate::metering;
use crate::page_cache::PageCache;
use crate::readiness::Readiness;

/// The API and whether this node is about to stop.
pub(crate) struct State {
    api: Api,
    draining: Arc<AtomicBool>,
    pub(crate) readiness: Readiness,
    pub(crate) sockets_open: Gauge,
    pub(crate) pages: PageCache,
}

impl State {
    pub(crate) fn new(api: Api, draining: Arc<AtomicBool>) -> Self {
        let pages = PageCache::new(api.settings.page_cache_bytes);
        Self { api, draining, readiness: Readiness::default(), sockets_open: metering::sockets_open(), pages }
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
