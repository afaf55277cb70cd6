//! Reading the log for many at once: those who lost the same events share one reading and its events, so that a burst
//! that overflows a thousand queues costs the database a few readings, and each event is encoded once.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chat_domain::error::{ChatError, Result};
use chat_domain::model::{Seq, SessionId};
use chat_domain::ports::{EventLog, LogLimit, LogPage};
use futures_util::future::{FutureExt, Shared, WeakShared};
use metrics::counter;

use crate::page::{Page, page_of};
use crate::sync::{Mutex, lock};

/// The most bytes of pages, about, that are kept for those who come a little later.
const RECENT_BYTES: usize = 1024 * 1024;

/// Full pages of at least so many events, or of so many bytes, are kept: few enough to look through.
const LONG_PAGE: usize = 16;
const HEAVY_PAGE: usize = 64 * 1024;

/// Which piece of the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Piece {
    session: SessionId,
    after: Seq,
    limit: u32,
}

type Answer = Result<Page, Arc<ChatError>>;
type Flight = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A reading under way. Whoever polls it drives it, for all.
pub(crate) type Reading = Shared<Flight>;

/// The log, read once for all who want the same piece of it.
pub(crate) struct SharedReads {
    log: Arc<dyn EventLog>,
    page_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Readings under way, each with its number.
    flights: HashMap<Piece, (u64, WeakShared<Flight>)>,
    next_flight: u64,
    /// Full pages, the newest last. A full page never changes: what has a position keeps it.
    recent: VecDeque<(Piece, Page)>,
    recent_bytes: usize,
}

impl SharedReads {
    /// Reads this log, in pages of at most so many bytes.
    pub(crate) fn new(log: Arc<dyn EventLog>, page_bytes: usize) -> Arc<Self> {
        Arc::new(Self { log, page_bytes, inner: Mutex::default() })
    }

    /// Joins the reading of this piece, or begins it.
    pub(crate) fn read(self: &Arc<Self>, session: SessionId, after: Seq, limit: u32) -> Reading {
        let piece = Piece { session, after, limit };
        let mut inner = lock(&self.inner);
        if let Some((_, page)) = inner.recent.iter().find(|(recent, _)| *recent == piece) {
            let page = Arc::clone(page);
            return ready(page);
        }
        if let Some(reading) = inner.flights.get(&piece).and_then(|(_, flight)| flight.upgrade()) {
            return reading;
        }
        let number = inner.next_flight;
        inner.next_flight += 1;
        let landing = Landing { reads: Arc::clone(self), piece, number };
        let flight: Flight = Box::pin(async move { landing.reads.fetch(piece).await.map_err(Arc::new) });
        let reading = flight.shared();
        if let Some(weak) = reading.downgrade() {
            inner.flights.insert(piece, (number, weak));
        }
        reading
    }

    async fn fetch(&self, piece: Piece) -> Result<Page> {
        let limit = LogLimit { events: piece.limit, bytes: self.page_bytes };
        let LogPage { events, is_full } = self.log.read(piece.session, piece.after, limit).await?;
        counter!("chat_catch_up_events_total").increment(events.len() as u64);
        let page = page_of(events);
        // A page that is not full may have more to say a moment later, and a short one is read as fast as it is found.
        if is_full && (page.len() >= LONG_PAGE || weight(&page) >= HEAVY_PAGE) {
            lock(&self.inner).keep(piece, Arc::clone(&page));
        }
        Ok(page)
    }

    /// How many readings are under way.
    #[cfg(test)]
    pub(crate) fn flights(&self) -> usize {
        lock(&self.inner).flights.len()
    }
}

impl Inner {
    fn keep(&mut self, piece: Piece, page: Page) {
        self.recent_bytes += weight(&page);
        self.recent.push_back((piece, page));
        while self.recent_bytes > RECENT_BYTES
            && let Some((_, page)) = self.recent.pop_front()
        {
            self.recent_bytes = self.recent_bytes.saturating_sub(weight(&page));
        }
    }
}

/// Forgets a reading when it has ended, or when all who waited for it have gone.
struct Landing {
    reads: Arc<SharedReads>,
    piece: Piece,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut inner = lock(&self.reads.inner);
        if inner.flights.get(&self.piece).is_some_and(|(number, _)| *number == self.number) {
            inner.flights.remove(&self.piece);
        }
        if inner.flights.is_empty() {
            inner.flights = HashMap::new();
        }
    }
}

fn ready(page: Page) -> Reading {
    let flight: Flight = Box::pin(std::future::ready(Ok(page)));
    flight.shared()
}

fn weight(page: &Page) -> usize {
    page.iter().map(|event| event.event().weight()).sum()
}

/// The failure of a shared reading as each of those who waited is told of it.
pub(crate) fn retold(error: &Arc<ChatError>) -> ChatError {
    match &**error {
        ChatError::Unavailable { reason, retry_after } => {
            ChatError::Unavailable { reason: reason.clone(), retry_after: *retry_after }
        }
        _ => ChatError::internal(Arc::clone(error)),
    }
}
