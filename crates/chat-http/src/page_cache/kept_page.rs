//! A page as it is kept.

use chat_domain::model::{PageLimit, Seq};

use crate::base_url::BaseUrl;
use crate::dto::MessagesJson;

/// The newest messages of a session as of a position. It never changes.
pub(super) struct KeptPage {
    /// The position of the session row that was read together with the messages, never a later one: under a later one
    /// the page would hide what took the positions between.
    pub(super) at: Seq,
    /// Whether the session has messages before the first of these.
    pub(super) has_older: bool,
    /// What the addresses of files in it begin with; `None` when there are no files, and the page fits every address.
    pub(super) base: Option<BaseUrl>,
    pub(super) messages: MessagesJson,
}

impl KeptPage {
    /// About what the allocator and the map add to a page: a list node with key, value and two links, a slot in the
    /// table at half load, the counters of an `Arc`, and the headers of five allocations.
    const OVERHEAD: usize = 192;

    /// How many bytes it takes in memory, all around it included.
    pub(super) fn bytes(&self) -> usize {
        let base = self.base.as_ref().map_or(0, BaseUrl::len);
        size_of::<Self>() + Self::OVERHEAD + base + self.messages.heap_bytes()
    }

    /// Whether its addresses are right for someone who reached the service under `base`.
    pub(super) fn has_base(&self, base: &BaseUrl) -> bool {
        self.base.as_ref().is_none_or(|own| own == base)
    }

    /// Whether it holds the newest `limit` messages, or all that there are.
    pub(super) fn covers(&self, limit: PageLimit) -> bool {
        !self.has_older || self.messages.len() >= items(limit)
    }

    /// Whether there are messages before the newest `limit`; only for a limit that it covers.
    pub(super) fn has_more(&self, limit: PageLimit) -> bool {
        self.has_older || self.messages.len() > items(limit)
    }

    /// Whether it serves every query that `other` serves, at the same position.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        let fits = self.base.is_none() || self.base == other.base;
        fits && (!self.has_older || self.messages.len() >= other.messages.len())
    }
}

pub(super) fn items(limit: PageLimit) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}
