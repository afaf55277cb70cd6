//! A part of the cache: pages in the order of their last use, and how many bytes they take.

use std::cmp::Ordering;
use std::sync::Arc;

use chat_domain::model::{Seq, SessionId};
use lru::LruCache;
use metrics::{Gauge, gauge};

use super::kept_page::KeptPage;

/// How much all parts hold together, for the operator.
#[derive(Clone)]
pub(super) struct Sizes {
    bytes: Gauge,
    entries: Gauge,
}

impl Sizes {
    pub(super) fn register() -> Self {
        Self { bytes: gauge!("chat_page_cache_bytes"), entries: gauge!("chat_page_cache_entries") }
    }
}

/// Pages of at most `capacity` bytes together.
pub(super) struct PageShard {
    /// Bounded by bytes, not by their number.
    pages: LruCache<SessionId, Arc<KeptPage>>,
    capacity: usize,
    bytes: usize,
    sizes: Sizes,
}

impl PageShard {
    pub(super) fn new(capacity: usize, sizes: Sizes) -> Self {
        Self { pages: LruCache::unbounded(), capacity, bytes: 0, sizes }
    }

    /// The page of that session, which now counts as just used.
    pub(super) fn get(&mut self, session: SessionId) -> Option<Arc<KeptPage>> {
        self.pages.get(&session).map(Arc::clone)
    }

    /// Keeps a page that was just read, unless a better one is there. `expected` is the position of the page that was
    /// there before the store was asked.
    pub(super) fn keep_newer(&mut self, session: SessionId, page: Arc<KeptPage>, expected: Option<Seq>) {
        let size = page.bytes();
        let fits = size <= self.capacity;
        if let Some(held) = self.pages.peek(&session) {
            let held_is_better = match held.at.cmp(&page.at) {
                // Of two requests that race, the one that read later wins, in whichever order they arrive here. But a
                // page that was there before this request asked cannot be ahead of the store, unless the database was
                // set back to an earlier moment; then positions are used again, and the page is wrong.
                Ordering::Greater => expected != Some(held.at),
                Ordering::Equal => !fits || held.replaces(&page),
                Ordering::Less => false,
            };
            if held_is_better {
                return;
            }
            self.remove(session);
        }
        if !fits {
            return;
        }
        while self.bytes + size > self.capacity {
            let Some((_, oldest)) = self.pages.pop_lru() else { break };
            self.subtract(&oldest);
        }
        self.bytes += size;
        self.sizes.bytes.increment(as_figure(size));
        self.sizes.entries.increment(1.0);
        self.pages.put(session, page);
    }

    fn remove(&mut self, session: SessionId) {
        if let Some(page) = self.pages.pop(&session) {
            self.subtract(&page);
        }
    }

    fn subtract(&mut self, page: &KeptPage) {
        self.bytes -= page.bytes();
        self.sizes.bytes.decrement(as_figure(page.bytes()));
        self.sizes.entries.decrement(1.0);
    }

    /// How many bytes its pages take, and how many there are.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.bytes, self.pages.len())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
fn as_figure(bytes: usize) -> f64 {
    bytes as f64
}
