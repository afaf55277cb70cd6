//! Up to which event a socket of extended mode has got, and how the next socket resumes after it.

use super::Hello;

/// The sequence number of the last event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeqCursor {
    seq: u64,
    /// Empty before the first hello.
    epoch: String,
}

/// How the sequence number of an event fits to the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeqFit {
    Next,
    /// The event came before, as it may after a resumption.
    Known,
    /// Events are missing from this number on.
    Gap(u64),
}

impl SeqCursor {
    /// The query that begins after what came; from the first event on when nothing did.
    pub(crate) fn query(&self) -> String {
        if self.epoch.is_empty() {
            return format!("since={}", self.seq);
        }
        format!("since={}&epoch={}", self.seq, self.epoch)
    }

    /// Where a subscription begins that continues after what came; `None` before the first one.
    pub(crate) fn since(&self) -> Option<(u64, &str)> {
        (!self.epoch.is_empty()).then_some((self.seq, self.epoch.as_str()))
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// A socket begins. A socket that did not resume begins at the newest event.
    pub(crate) fn begin(&mut self, hello: &Hello) {
        self.epoch.clone_from(&hello.epoch);
        if !hello.resumed {
            self.seq = hello.seq;
        }
    }

    /// Everything up to this sequence number is known from elsewhere.
    pub(crate) fn reach(&mut self, seq: u64, epoch: &str) {
        epoch.clone_into(&mut self.epoch);
        self.seq = seq;
    }

    /// A heartbeat came. If it has the number that is due, the service passes over an event of a kind that it does not
    /// know; returns whether it does.
    pub(crate) fn passes(&mut self, heartbeat: u64) -> bool {
        let is_due = heartbeat == self.seq + 1;
        if is_due {
            self.seq = heartbeat;
        }
        is_due
    }

    /// An event came.
    pub(crate) fn take(&mut self, seq: u64) -> SeqFit {
        let due = self.seq + 1;
        if seq < due {
            return SeqFit::Known;
        }
        self.seq = seq;
        if seq == due { SeqFit::Next } else { SeqFit::Gap(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_finds_repeated_and_missing_events() {
        let mut cursor = SeqCursor::default();
        assert_eq!(cursor.query(), "since=0");
        cursor.begin(&Hello { epoch: "e".to_owned(), seq: 9, resumed: true, reason: None });
        assert_eq!(
            [cursor.take(1), cursor.take(2), cursor.take(1), cursor.take(4)],
            [SeqFit::Next, SeqFit::Next, SeqFit::Known, SeqFit::Gap(3)]
        );
        assert_eq!(cursor.query(), "since=4&epoch=e");
        assert_eq!([cursor.passes(4), cursor.passes(6), cursor.passes(5)], [false, false, true]);
        assert_eq!(cursor.take(6), SeqFit::Next, "5 was passed over");
        cursor.begin(&Hello { epoch: "f".to_owned(), seq: 9, resumed: false, reason: None });
        assert_eq!((cursor.take(9), cursor.take(10)), (SeqFit::Known, SeqFit::Next));
    }
}
