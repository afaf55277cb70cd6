//! Shared reads of the log: streams that lost the same events share one read and its events, so that a burst that
//! overflows a thousand queues costs the database a few reads, and each event is encoded once.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chat_domain::error::{ChatError, Result};
use chat_domain::model::{Seq, SessionId};
use chat_domain::ports::{EventLog, LogLimit, LogPage};
use futures_util::future::{FutureExt, Shared, WeakShared};
use metrics::counter;

use crate::page::{SharedPage, bytes_of, page_of};
use crate::sync::{Mutex, lock};

/// The most bytes of pages, about, that are kept for streams that need them a little later.
const RECENT_BYTES: usize = 1024 * 1024;

/// Full pages of at least this many events, or bytes, are kept: few enough for a linear search.
const LONG_PAGE: usize = 16;
const HEAVY_PAGE: usize = 64 * 1024;

/// The page of a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PageKey {
    session: SessionId,
    after: Seq,
    limit: u32,
}

type ReadResult = Result<SharedPage, Arc<ChatError>>;
type ReadFuture = Pin<Box<dyn Future<Output = ReadResult> + Send>>;

/// A read in progress. Any stream that polls it drives it, for all.
pub(crate) type SharedRead = Shared<ReadFuture>;

/// The log, read once for all streams that need the same page.
pub(crate) struct SharedReads {
    log: Arc<dyn EventLog>,
    page_bytes: usize,
    inner: Mutex<ReadsInProgress>,
}

#[derive(Default)]
struct ReadsInProgress {
    /// Reads in progress, each with its number.
    in_flight: HashMap<PageKey, (u64, WeakShared<ReadFuture>)>,
    next_number: u64,
    /// Full pages, the newest last. A full page never changes.
    recent: VecDeque<(PageKey, SharedPage)>,
    recent_bytes: usize,
}

impl SharedReads {
    /// Reads this log, in pages of at most this many bytes.
    pub(crate) fn new(log: Arc<dyn EventLog>, page_bytes: usize) -> Arc<Self> {
        Arc::new(Self { log, page_bytes, inner: Mutex::default() })
    }

    /// Joins the read of this page, or starts it.
    pub(crate) fn read(self: &Arc<Self>, session: SessionId, after: Seq, limit: u32) -> SharedRead {
        let key = PageKey { session, after, limit };
        let mut inner = lock(&self.inner);
        if let Some((_, page)) = inner.recent.iter().find(|(recent, _)| *recent == key) {
            let page = Arc::clone(page);
            return ready(page);
        }
        if let Some(reading) = inner.in_flight.get(&key).and_then(|(_, future)| future.upgrade()) {
            return reading;
        }
        let number = inner.next_number;
        inner.next_number += 1;
        let guard = ReadGuard { reads: Arc::clone(self), key, number };
        let future: ReadFuture = Box::pin(async move { guard.reads.fetch(key).await.map_err(Arc::new) });
        let reading = future.shared();
        if let Some(weak) = reading.downgrade() {
            inner.in_flight.insert(key, (number, weak));
        }
        reading
    }

    async fn fetch(&self, key: PageKey) -> Result<SharedPage> {
        let limit = LogLimit { events: key.limit, bytes: self.page_bytes };
        let LogPage { events, is_full } = self.log.read(key.session, key.after, limit).await?;
        counter!("chat_catch_up_events_total").increment(events.len() as u64);
        let page = page_of(events);
        // A page that is not full may be longer a moment later, and a short one is read as fast as it is found.
        if is_full && (page.len() >= LONG_PAGE || weight(&page) >= HEAVY_PAGE) {
            lock(&self.inner).keep(key, Arc::clone(&page));
        }
        Ok(page)
    }

    /// How many reads are in progress.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        lock(&self.inner).in_flight.len()
    }
}

impl ReadsInProgress {
    fn keep(&mut self, key: PageKey, page: SharedPage) {
        self.recent_bytes += weight(&page);
        self.recent.push_back((key, page));
        while self.recent_bytes > RECENT_BYTES
            && let Some((_, page)) = self.recent.pop_front()
        {
            self.recent_bytes = self.recent_bytes.saturating_sub(weight(&page));
        }
    }
}

/// Removes a read when it has ended, or when no stream waits for it any more.
struct ReadGuard {
    reads: Arc<SharedReads>,
    key: PageKey,
    number: u64,
}

impl Drop for ReadGuard {
    fn drop(&mut self) {
        let mut inner = lock(&self.reads.inner);
        if inner.in_flight.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            inner.in_flight.remove(&self.key);
        }
        if inner.in_flight.is_empty() {
            inner.in_flight = HashMap::new();
        }
    }
}

fn ready(page: SharedPage) -> SharedRead {
    let future: ReadFuture = Box::pin(std::future::ready(Ok(page)));
    future.shared()
}

fn weight(page: &SharedPage) -> usize {
    page.iter().map(|event| bytes_of(event)).sum()
}

/// The error of a shared read, as each stream that waited returns it.
pub(crate) fn shared_error(error: &Arc<ChatError>) -> ChatError {
    match &**error {
        ChatError::Unavailable { reason, retry_after } => {
            ChatError::Unavailable { reason: reason.clone(), retry_after: *retry_after }
        }
        _ => ChatError::internal(Arc::clone(error)),
    }
}
