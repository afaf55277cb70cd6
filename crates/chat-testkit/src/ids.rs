//! Ids that are the same in every run.

use std::sync::atomic::{AtomicU64, Ordering};

use chat_domain::ports::IdGenerator;
use uuid::Uuid;

use crate::fixtures;

/// Counts up and makes a well-formed UUIDv7 of each number, so that later ids sort behind earlier ones.
#[derive(Debug)]
pub struct SequentialIds(AtomicU64);

impl SequentialIds {
    /// Starts at 1.
    pub fn new() -> Self {
        Self::starting_at(1)
    }

    /// Starts at `first`; two generators of one test stay apart when their starts do.
    pub fn starting_at(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }
}

impl Default for SequentialIds {
    fn default() -> Self {
        Self::new()
    }
}

impl IdGenerator for SequentialIds {
    fn next_id(&self) -> Uuid {
        fixtures::uuid(fixtures::FixtureKind::Generated, self.0.fetch_add(1, Ordering::Relaxed))
    }
}
