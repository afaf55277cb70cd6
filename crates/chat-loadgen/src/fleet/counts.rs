//! What the sockets of a fleet received, all together.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::order::OrderCheck;
use crate::error::LoadError;
use crate::http::stamp_of;
use crate::measure::{histogram, micros};
use crate::monotonic;
use crate::socket::{ClientCloseReason, Hello, SeqCursor, SeqFit, is_type};

/// Faults of order that are kept in words; the others are counted.
const KEPT_FAULTS: usize = 20;

#[derive(Debug)]
pub(super) struct FleetCounts {
    pub(super) opened: u64,
    /// Why handshakes failed and sockets ended.
    pub(super) closed: BTreeMap<ClientCloseReason, u64>,
    pub(super) messages: u64,
    pub(super) other_events: u64,
    /// Events that had come before.
    pub(super) repeated: u64,
    /// Of messages that state when they were sent and that came while their socket was open.
    pub(super) delivery: Histogram<u64>,
    /// The same of those that a later socket replayed.
    pub(super) replayed: Histogram<u64>,
    pub(super) inbox_updates: u64,
    /// Of the first update that shows a message.
    pub(super) inbox: Histogram<u64>,
    pub(super) handshake: Histogram<u64>,
    /// Sockets that resumed, from the loss of the one before to the hello.
    pub(super) resumption: Histogram<u64>,
    /// Those that did not, by the service's reason.
    pub(super) not_resumed: BTreeMap<String, u64>,
    pub(super) order_faults: u64,
    pub(super) first_faults: Vec<String>,
    order: OrderCheck,
    /// Of the first message, the frame's head excluded.
    pub(super) frame_bytes: Option<usize>,
}

/// Up to where one socket has got.
#[derive(Debug, Default)]
pub(super) struct SocketProgress {
    pub(super) cursor: SeqCursor,
    /// The newest sequence number when the socket began: events up to it are replayed.
    pub(super) head: u64,
    /// In base mode, the last message.
    pub(super) last: Option<u64>,
}

impl FleetCounts {
    pub(super) fn new() -> Result<Self, LoadError> {
        Ok(Self {
            opened: 0,
            closed: BTreeMap::new(),
            messages: 0,
            other_events: 0,
            repeated: 0,
            delivery: histogram()?,
            replayed: histogram()?,
            inbox_updates: 0,
            inbox: histogram()?,
            handshake: histogram()?,
            resumption: histogram()?,
            not_resumed: BTreeMap::new(),
            order_faults: 0,
            first_faults: Vec::new(),
            order: OrderCheck::default(),
            frame_bytes: None,
        })
    }

    /// A socket is open.
    pub(super) fn open(&mut self, took: Duration) {
        self.opened += 1;
        self.handshake.saturating_record(micros(took));
    }

    /// A socket or a subscription has begun; `lost_for` is how long there was none, when it was open before.
    pub(super) fn resume(&mut self, lost_for: Option<Duration>, hello: &Hello) {
        let Some(lost_for) = lost_for else { return };
        if hello.resumed {
            self.resumption.saturating_record(micros(lost_for));
        } else {
            *self.not_resumed.entry(hello.reason.clone().unwrap_or_default()).or_default() += 1;
        }
    }

    /// A message came.
    pub(super) fn message(
        &mut self,
        place: usize,
        (id, content): (&str, &str),
        seq: Option<u64>,
        progress: &mut SocketProgress,
    ) {
        if !self.is_new(place, seq, progress) {
            return;
        }
        self.messages += 1;
        if let Some(sent_us) = stamp_of(content) {
            let replayed = seq.is_some_and(|seq| seq <= progress.head);
            let times = if replayed { &mut self.replayed } else { &mut self.delivery };
            times.saturating_record(monotonic::now_us().saturating_sub(sent_us));
        }
        let hash = self.order.hash(id);
        let fits = match seq {
            Some(seq) => self.order.has_seq(place, seq, hash),
            None => progress.last.is_none_or(|last| self.order.follows(place, last, hash)),
        };
        progress.last = Some(hash);
        if !fits {
            self.fault(|| format!("path {place}: message {id} came where another socket had another"));
        }
    }

    /// An update of an inbox came; `sent_us` is when the message was sent that it is the first to show.
    pub(super) fn inbox_update(&mut self, sent_us: Option<u64>) {
        self.inbox_updates += 1;
        if let Some(sent_us) = sent_us {
            self.inbox.saturating_record(monotonic::now_us().saturating_sub(sent_us));
        }
    }

    /// Another durable event came.
    pub(super) fn other(&mut self, place: usize, seq: Option<u64>, progress: &mut SocketProgress) {
        self.other_events += u64::from(self.is_new(place, seq, progress));
    }

    /// A text came, of which nothing is parsed but when it was sent; returns whether it is a message.
    pub(super) fn frame(&mut self, text: &str) -> bool {
        if !is_type(text.as_bytes(), "message") {
            self.other_events += 1;
            return false;
        }
        self.messages += 1;
        self.frame_bytes.get_or_insert(text.len());
        let stamp = text.find('@').and_then(|at| text.get(at..));
        if let Some(sent_us) = stamp.and_then(stamp_of) {
            self.delivery.saturating_record(monotonic::now_us().saturating_sub(sent_us));
        }
        true
    }

    /// Whether an event did not come before. A gap before it is a fault.
    fn is_new(&mut self, place: usize, seq: Option<u64>, progress: &mut SocketProgress) -> bool {
        let Some(seq) = seq else { return true };
        match progress.cursor.take(seq) {
            SeqFit::Next => {}
            SeqFit::Known => {
                self.repeated += 1;
                return false;
            }
            SeqFit::Gap(due) => self.fault(|| format!("path {place}: seq {seq} came where {due} was due")),
        }
        true
    }

    fn fault(&mut self, words: impl FnOnce() -> String) {
        self.order_faults += 1;
        if self.first_faults.len() < KEPT_FAULTS {
            self.first_faults.push(words());
        }
    }

    /// Resets what was counted and timed, but not what is known about the order.
    pub(super) fn clear(&mut self) {
        (self.messages, self.other_events, self.repeated, self.frame_bytes) = (0, 0, 0, None);
        self.inbox_updates = 0;
        self.inbox.reset();
        self.delivery.reset();
        self.replayed.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_counted_and_timed_without_parsing_it() {
        let mut counts = FleetCounts::new().unwrap();
        let sent = monotonic::now_us();
        counts.frame(&format!(r#"{{"type":"message","data":{{"id":"m","content":"@{sent:016}@xx"}}}}"#));
        counts.frame(r#"{"type":"session_update","data":{}}"#);
        counts.frame(r#"{"type":"message","data":{"id":"m","content":"no stamp"}}"#);
        assert_eq!((counts.messages, counts.other_events, counts.delivery.len()), (2, 1, 1));
        assert!(counts.frame_bytes.is_some_and(|bytes| bytes > 60));
    }

    #[test]
    fn a_gap_is_a_fault_and_a_repeated_event_is_dropped() {
        let (mut counts, mut progress) = (FleetCounts::new().unwrap(), SocketProgress::default());
        for (id, seq) in [("a", 1), ("b", 2), ("b", 2), ("d", 4)] {
            counts.message(0, (id, "x"), Some(seq), &mut progress);
        }
        assert_eq!((counts.messages, counts.repeated, counts.order_faults), (3, 1, 1));
        assert!(counts.first_faults[0].contains("seq 4 came where 3 was due"));
        // Another socket that got another message there.
        counts.message(0, ("x", "x"), Some(1), &mut SocketProgress::default());
        assert_eq!(counts.order_faults, 2);
    }
}
