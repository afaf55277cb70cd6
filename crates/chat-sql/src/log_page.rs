//! Where a page of the log ends that may weigh only so much: decided on lengths, before a text is read.

use chat_domain::model::{Seq, SessionEvent, SessionId};
use chat_domain::ports::{LogLimit, LogPage};

use crate::values::to_db;

/// The data of most changes of a session is shorter than this. That of a receipt grows with the messages that it names, and
/// that of a session which was updated has its details.
const LONG_DATA: usize = 1024;

/// A change in the log that has not been read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeighedChange {
    /// The position.
    pub seq: i64,
    /// About what `LogLimit::bytes_of` will be. Details have escapes in JSON, so they may weigh more here: then the page
    /// ends sooner than it had to.
    weight: usize,
}

impl WeighedChange {
    /// A row of `chat_messages`, by the length of its text in bytes and the number of its files.
    pub fn message(seq: i64, content_bytes: i32, files: i32) -> Self {
        Self { seq, weight: LogLimit::bytes_of_message(length(content_bytes), length(files)) }
    }

    /// A row of `chat_session_events`, by the length of its data in bytes.
    pub fn event(seq: i64, data_bytes: i32) -> Self {
        let data = length(data_bytes);
        let least = LogLimit::bytes_of_message(0, 0);
        Self { seq, weight: if data < LONG_DATA { least } else { data.max(least) } }
    }
}

fn length(length: i32) -> usize {
    usize::try_from(length).unwrap_or_default()
}

/// The positions of a page: what to read, first to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSpan {
    /// The session.
    pub session: SessionId,
    /// The position before the page.
    pub after: Seq,
    /// The first position, as its column holds it.
    pub first: i64,
    /// The last position that may be in the page, as its column holds it.
    pub last: i64,
    limit: LogLimit,
    is_cut: bool,
}

impl LogSpan {
    /// As many positions after `after` as the limit allows, if they weigh nothing, in a session whose newest change is at
    /// `head`.
    pub fn new(session: SessionId, after: Seq, limit: LogLimit, head: Seq) -> Self {
        let before = to_db(after.get());
        Self {
            session,
            after,
            first: before.saturating_add(1),
            last: before.saturating_add(i64::from(limit.events)).min(to_db(head.get())),
            limit,
            is_cut: false,
        }
    }

    /// Whether the changes have to be weighed. A single one is read whatever it weighs.
    pub fn needs_weighing(&self) -> bool {
        self.last > self.first && self.limit.bytes < usize::MAX
    }

    /// The span as far as these changes, which are all of it in any order, fit.
    #[must_use]
    pub fn weighed(self, mut changes: Vec<WeighedChange>) -> Self {
        changes.sort_unstable_by_key(|change| change.seq);
        let mut bytes: usize = 0;
        let too_much = changes.into_iter().find(|change| {
            bytes = bytes.saturating_add(change.weight);
            change.seq > self.first && bytes > self.limit.bytes
        });
        too_much.map_or(self, |change| Self { last: change.seq - 1, is_cut: true, ..self })
    }

    /// The page, of the events that were read.
    pub fn page(&self, events: Vec<SessionEvent>) -> LogPage {
        let page = LogPage::within(self.limit, events);
        LogPage { is_full: page.is_full || self.is_cut, ..page }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn span(events: u32, bytes: usize) -> LogSpan {
        LogSpan::new(SessionId::new(Uuid::from_u128(1)), Seq::new(4), LogLimit { events, bytes }, Seq::new(9))
    }

    #[test]
    fn a_span_ends_at_the_head_or_at_the_number_of_events() {
        assert_eq!((span(100, 1).first, span(100, 1).last), (5, 9));
        assert_eq!((span(2, 1).first, span(2, 1).last), (5, 6));
        assert!(!span(1, 1).needs_weighing(), "one is read whatever it weighs");
        assert!(!span(100, usize::MAX).needs_weighing());
        assert!(span(2, 1).needs_weighing());
    }

    #[test]
    fn a_span_is_cut_before_the_change_that_weighs_too_much() {
        let changes =
            |heavy: i64| (5..=9).map(move |seq| WeighedChange::message(seq, if seq == heavy { 5_000 } else { 0 }, 0));
        let last = |heavy, bytes| span(100, bytes).weighed(changes(heavy).rev().collect()).last;
        assert_eq!(last(7, 5_000), 6);
        assert_eq!(last(7, 512 + 5_256), 7);
        assert_eq!(last(5, 1), 5, "there is always one");
        assert_eq!(last(0, 5 * 256), 9);
        assert_eq!(last(0, 5 * 256 - 1), 8);
    }

    #[test]
    fn a_receipt_of_many_messages_weighs_what_it_names() {
        assert_eq!(WeighedChange::event(5, 300), WeighedChange::message(5, 0, 0));
        assert_eq!(WeighedChange::event(5, 39_050).weight, 39_050);
    }
}
