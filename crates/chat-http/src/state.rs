//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Api;

/// The API and whether this node is about to stop.
pub(crate) struct State {
    api: Api,
    draining: Arc<AtomicBool>,
}

impl State {
    pub(crate) fn new(api: Api, draining: Arc<AtomicBool>) -> Self {
        Self { api, draining }
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
