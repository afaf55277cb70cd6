//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Api;
use crate::readiness::Readiness;

/// The API and whether this node is about to stop.
pub(crate) struct State {
    api: Api,
    draining: Arc<AtomicBool>,
    pub(crate) readiness: Readiness,
}

impl State {
    pub(crate) fn new(api: Api, draining: Arc<AtomicBool>) -> Self {
        Self { api, draining, readiness: Readiness::default() }
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
