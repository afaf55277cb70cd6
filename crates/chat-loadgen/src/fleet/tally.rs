//! What the sockets of a fleet saw, all together.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::order::Order;
use crate::error::LoadError;
use crate::http::stamp_of;
use crate::measure::{histogram, micros};
use crate::monotonic;
use crate::socket::{Cursor, Fit, Hello, SocketEnd, is_kind};

/// Faults of order that are kept in words; the others are counted.
const KEPT_FAULTS: usize = 20;

#[derive(Debug)]
pub(super) struct Tally {
    pub(super) opened: u64,
    /// Why handshakes failed and sockets ended.
    pub(super) ends: BTreeMap<SocketEnd, u64>,
    pub(super) messages: u64,
    pub(super) other_events: u64,
    /// Events that had come before.
    pub(super) repeated: u64,
    /// Of messages that say when they were sent and that came while their socket was open.
    pub(super) delivery: Histogram<u64>,
    /// The same of those that a new socket brought later.
    pub(super) replayed: Histogram<u64>,
    pub(super) handshake: Histogram<u64>,
    /// Sockets that went on where another one had been lost, from the loss to the hello.
    pub(super) resumption: Histogram<u64>,
    /// Those that did not, by the service's reason.
    pub(super) not_resumed: BTreeMap<String, u64>,
    pub(super) order_faults: u64,
    pub(super) first_faults: Vec<String>,
    order: Order,
    /// Frames of the first message, head excluded.
    pub(super) frame_bytes: Option<usize>,
}

/// Where one socket is.
#[derive(Debug, Default)]
pub(super) struct Track {
    pub(super) cursor: Cursor,
    /// The newest position when the socket began: what stands up to there is replayed.
    pub(super) head: u64,
    /// In base mode, the last message.
    pub(super) last: Option<u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, LoadError> {
        Ok(Self {
            opened: 0,
            ends: BTreeMap::new(),
            messages: 0,
            other_events: 0,
            repeated: 0,
            delivery: histogram()?,
            replayed: histogram()?,
            handshake: histogram()?,
            resumption: histogram()?,
            not_resumed: BTreeMap::new(),
            order_faults: 0,
            first_faults: Vec::new(),
            order: Order::default(),
            frame_bytes: None,
        })
    }

    pub(super) fn end(&mut self, end: SocketEnd) {
        *self.ends.entry(end).or_default() += 1;
    }

    /// A socket is open; `lost_for` is how long there was none, when it was there before.
    pub(super) fn open(&mut self, took: Duration, lost_for: Option<Duration>, hello: Option<&Hello>) {
        self.opened += 1;
        self.handshake.saturating_record(micros(took));
        let (Some(hello), Some(lost_for)) = (hello, lost_for) else { return };
        if hello.resumed {
            self.resumption.saturating_record(micros(lost_for));
        } else {
            *self.not_resumed.entry(hello.reason.clone().unwrap_or_default()).or_default() += 1;
        }
    }

    /// A message came whole.
    pub(super) fn message(&mut self, place: usize, id: &str, content: &str, seq: Option<u64>, track: &mut Track) {
        let fresh = seq.is_none_or(|seq| self.positioned(place, seq, track));
        if !fresh {
            return;
        }
        self.messages += 1;
        if let Some(sent_us) = stamp_of(content) {
            let replayed = seq.is_some_and(|seq| seq <= track.head);
            let times = if replayed { &mut self.replayed } else { &mut self.delivery };
            times.saturating_record(monotonic::now_us().saturating_sub(sent_us));
        }
        let hash = self.order.hash(id);
        let fits = match seq {
            Some(seq) => self.order.stands_at(place, seq, hash),
            None => track.last.is_none_or(|last| self.order.follows(place, last, hash)),
        };
        track.last = Some(hash);
        if !fits {
            self.fault(|| format!("place {place}: message {id} came where another socket had another"));
        }
    }

    /// Another durable event came.
    pub(super) fn other(&mut self, place: usize, seq: Option<u64>, track: &mut Track) {
        if seq.is_none_or(|seq| self.positioned(place, seq, track)) {
            self.other_events += 1;
        }
    }

    /// A text came, of which nothing is read but whether it is a message, which is answered, and when it was
    /// sent.
    pub(super) fn frame(&mut self, text: &[u8]) -> bool {
        if !is_kind(text, "message") {
            self.other_events += 1;
            return false;
        }
        self.messages += 1;
        self.frame_bytes.get_or_insert(text.len());
        let stamp = text.iter().position(|byte| *byte == b'@').and_then(|at| text.get(at..at + 18));
        if let Some(sent_us) = stamp.and_then(|stamp| stamp_of(std::str::from_utf8(stamp).ok()?)) {
            self.delivery.saturating_record(monotonic::now_us().saturating_sub(sent_us));
        }
        true
    }

    /// Whether the event is new.
    fn positioned(&mut self, place: usize, seq: u64, track: &mut Track) -> bool {
        match track.cursor.take(seq) {
            Fit::Next => {}
            Fit::Known => {
                self.repeated += 1;
                return false;
            }
            Fit::Gap(due) => self.fault(|| format!("place {place}: position {seq} came where {due} was due")),
        }
        true
    }

    fn fault(&mut self, words: impl FnOnce() -> String) {
        self.order_faults += 1;
        if self.first_faults.len() < KEPT_FAULTS {
            self.first_faults.push(words());
        }
    }

    /// Forgets what was counted and timed, but not what is known about the order.
    pub(super) fn clear_counts(&mut self) {
        self.messages = 0;
        self.other_events = 0;
        self.repeated = 0;
        self.frame_bytes = None;
        self.delivery.reset();
        self.replayed.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_counted_and_timed_without_being_read() {
        let mut tally = Tally::new().unwrap();
        let sent = monotonic::now_us();
        tally.frame(format!(r#"{{"type":"message","data":{{"id":"m","content":"@{sent:016}@xx"}}}}"#).as_bytes());
        tally.frame(br#"{"type":"session_update","data":{}}"#);
        tally.frame(br#"{"type":"message","data":{"id":"m","content":"no stamp"}}"#);
        assert_eq!((tally.messages, tally.other_events, tally.delivery.len()), (2, 1, 1));
        assert!(tally.frame_bytes.is_some_and(|bytes| bytes > 60));
    }

    #[test]
    fn a_gap_is_a_fault_and_a_repetition_is_dropped() {
        let (mut tally, mut track) = (Tally::new().unwrap(), Track::default());
        for (id, seq) in [("a", 1), ("b", 2), ("b", 2), ("d", 4)] {
            tally.message(0, id, "x", Some(seq), &mut track);
        }
        assert_eq!((tally.messages, tally.repeated, tally.order_faults), (3, 1, 1));
        assert!(tally.first_faults[0].contains("position 4 came where 3 was due"));
        // Another socket that saw another message there.
        tally.message(0, "x", "x", Some(1), &mut Track::default());
        assert_eq!(tally.order_faults, 2);
    }
}
