//! Where a socket of extended mode is in the events of its session, and how the next one begins there.

use super::Hello;

/// The last position that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    seq: u64,
    /// Empty before the first hello.
    epoch: String,
}

/// How an event stands to what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Next,
    /// It came before, as it may after a resumption.
    Known,
    /// This one was due.
    Gap(u64),
}

impl Cursor {
    /// The query that begins after what came; from the first event on when nothing did.
    pub(crate) fn query(&self) -> String {
        if self.epoch.is_empty() {
            return format!("since={}", self.seq);
        }
        format!("since={}&epoch={}", self.seq, self.epoch)
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// A socket begins. One that did not resume begins at the newest position.
    pub(crate) fn begin(&mut self, hello: &Hello) {
        self.epoch.clone_from(&hello.epoch);
        if !hello.resumed {
            self.seq = hello.seq;
        }
    }

    /// Everything up to this position is known from elsewhere.
    pub(crate) fn reach(&mut self, seq: u64, epoch: &str) {
        epoch.clone_into(&mut self.epoch);
        self.seq = seq;
    }

    /// A heartbeat came. Where it names the position that is due, the service passes over an event of a kind that it does
    /// not know; whether it does.
    pub(crate) fn passes(&mut self, heartbeat: u64) -> bool {
        let is_due = heartbeat == self.seq + 1;
        if is_due {
            self.seq = heartbeat;
        }
        is_due
    }

    /// An event came.
    pub(crate) fn take(&mut self, seq: u64) -> Fit {
        let due = self.seq + 1;
        if seq < due {
            return Fit::Known;
        }
        self.seq = seq;
        if seq == due { Fit::Next } else { Fit::Gap(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_drops_what_it_knows_and_sees_what_is_missing() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.query(), "since=0");
        cursor.begin(&Hello { epoch: "e".to_owned(), seq: 9, resumed: true, reason: None });
        assert_eq!(
            [cursor.take(1), cursor.take(2), cursor.take(1), cursor.take(4)],
            [Fit::Next, Fit::Next, Fit::Known, Fit::Gap(3)]
        );
        assert_eq!(cursor.query(), "since=4&epoch=e");
        assert_eq!([cursor.passes(4), cursor.passes(6), cursor.passes(5)], [false, false, true]);
        assert_eq!(cursor.take(6), Fit::Next, "5 was passed over");
        cursor.begin(&Hello { epoch: "f".to_owned(), seq: 9, resumed: false, reason: None });
        assert_eq!((cursor.take(9), cursor.take(10)), (Fit::Known, Fit::Next));
    }
}
