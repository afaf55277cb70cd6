//! The newest page of sessions in use, kept as JSON and shown only after the store has said that it is current.
//!
//! A page is kept under the position of its session, read in the same call of the store. A later request names that
//! position to the store (`MessageQuery::known`), which reads the session row all the same: for the domain to decide
//! whether the caller may see it, and to compare positions. Every change that a page can show takes the session's next
//! position, so an equal position means an equal page. No node has to tell another that something has changed.
//!
//! A receipt that is committed between the store's reading of the row and of the page may show in a page kept under
//! the position before it. That does no harm: the receipt took the next position, so a request that reads the row after it
//! finds another position and gets a new page. Only a request that read the row before the receipt gets that page, and
//! it could have got the same from the store.
//!
//! A kept page shows its authors as they were known when it was written: a change of a name takes no position.
//!
//! What is not here: the wire form (`dto`), rights (the domain), pages before or after a message (read from the store).

mod kept_page;
mod shard;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_domain::error::Input;
use chat_domain::model::{
    ChatSession, KnownPeople, MessageCursor, MessagePage, MessageQuery, PageLimit, Seq, SessionId,
};
use metrics::{Counter, counter};

use self::kept_page::{KeptPage, items};
use self::shard::{PageShard, Sizes};
use crate::base_url::BaseUrl;
use crate::dto::{MessagesJson, PageBody};
use crate::error::ApiError;

/// How many parts the cache has, each with its own lock and an equal share of the bytes.
const SHARDS: usize = 16;

/// Newest pages, at most one per session, within a number of bytes. Those that were not asked for longest leave first.
///
/// No lock is held while a page is written or the store is asked.
pub(crate) struct PageCache {
    /// Empty when nothing is to be kept.
    shards: Box<[Mutex<PageShard>]>,
    hits: Counter,
    misses: Counter,
}

impl PageCache {
    /// A cache of at most that many bytes; 0 keeps nothing. Its figures are registered here, once.
    pub(crate) fn new(bytes: usize) -> Self {
        let sizes = Sizes::register();
        let shards = if bytes == 0 { 0 } else { SHARDS };
        Self {
            shards: (0..shards).map(|_| Mutex::new(PageShard::new(bytes / SHARDS, sizes.clone()))).collect(),
            hits: counter!("chat_page_cache_hits_total"),
            misses: counter!("chat_page_cache_misses_total"),
        }
    }

    /// Looks for the page and adds to the query what is known of it. Whether the page may be shown, and is current, is
    /// for the answer to the query to say.
    pub(crate) fn look_up(
        &self,
        session: SessionId,
        query: Input<MessageQuery>,
        base: BaseUrl,
    ) -> (Input<MessageQuery>, Lookup<'_>) {
        let asked = query.as_ref().ok().filter(|query| query.cursor == MessageCursor::Newest);
        let limit = query.as_ref().map_or(PageLimit::MESSAGES, |query| query.limit);
        let shard = asked.and_then(|_| self.shard(session));
        let held = shard.and_then(|shard| lock(shard).get(session));
        let held_at = held.as_ref().map(|page| page.at);
        let kept = held.filter(|page| page.has_base(&base) && page.covers(limit));
        let known = kept.as_ref().map(|page| page.at);
        let query = query.map(|query| MessageQuery { known, ..query });
        (query, Lookup { cache: self, shard, held_at, kept, limit, base })
    }

    fn shard(&self, session: SessionId) -> Option<&Mutex<PageShard>> {
        // The last bits of a UUIDv7 are random, so sessions spread evenly.
        let spread = session.as_uuid().as_u128() % SHARDS as u128;
        usize::try_from(spread).ok().and_then(|index| self.shards.get(index))
    }
}

/// A panic under the lock cannot leave a wrong page: pages never change, and what is kept is compared with the store.
fn lock(shard: &Mutex<PageShard>) -> MutexGuard<'_, PageShard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request for a page, between the question to the store and the answer.
pub(crate) struct Lookup<'a> {
    cache: &'a PageCache,
    /// Where the page belongs; `None` for a page that is not kept.
    shard: Option<&'a Mutex<PageShard>>,
    /// The position of the session's page before the store was asked, whether or not that page will do.
    held_at: Option<Seq>,
    /// That page, if it will do.
    kept: Option<Arc<KeptPage>>,
    limit: PageLimit,
    base: BaseUrl,
}

impl Lookup<'_> {
    /// The body: from the page that the store returned, with what is known of its authors, or, if it returned none,
    /// from the page that was found here.
    pub(crate) fn body(
        self,
        session: &ChatSession,
        page: Option<MessagePage>,
        people: &KnownPeople,
    ) -> Result<PageBody, ApiError> {
        let limit = items(self.limit);
        let total = session.progress.message_count;
        let Some(page) = page else {
            let kept =
                self.kept.ok_or_else(|| ApiError::internal("the store left out a page that is not in the cache"))?;
            self.cache.hits.increment(1);
            return Ok(kept.messages.page(limit, total, kept.has_more(self.limit)));
        };
        let messages = MessagesJson::write(&page.messages, &self.base, people)
            .map_err(|error| ApiError::internal(format!("cannot write a page of messages: {error}")))?;
        let body = messages.page(limit, total, page.has_more);
        if let Some(shard) = self.shard {
            self.cache.misses.increment(1);
            let has_files = page.messages.iter().any(|message| !message.attachments.is_empty());
            let page = KeptPage {
                at: session.progress.last_seq,
                has_older: page.has_more,
                base: has_files.then_some(self.base),
                messages,
            };
            lock(shard).keep_newer(session.id, Arc::new(page), self.held_at);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests;
