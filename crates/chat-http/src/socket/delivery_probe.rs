//! *Delivered* by pong: frames and pings travel in order, so the pong to a ping says that every frame before it arrived.

use std::time::Duration;

use chat_domain::model::Seq;
use tokio::time::Instant;

/// Knows which messages have been written to the socket and which of them the peer has confirmed.
#[derive(Debug, Default)]
pub(super) struct DeliveryProbe {
    written: Seq,
    asked: Seq,
    confirmed: Seq,
    ping_at: Option<Instant>,
}

impl DeliveryProbe {
    /// A message of the other side was written at `now`. One ping, after `ping_after`, asks for all that are written until
    /// it is sent.
    pub(super) fn wrote(&mut self, seq: Seq, now: Instant, ping_after: Duration) {
        self.written = self.written.max(seq);
        self.ping_at.get_or_insert(now + ping_after);
    }

    /// When a ping is wanted.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ping_at
    }

    /// The payload of a ping that is sent now: the position of the newest message before it.
    pub(super) fn ping(&mut self) -> [u8; 8] {
        self.ping_at = None;
        self.asked = self.written;
        self.asked.get().to_be_bytes()
    }

    /// What a pong newly confirms. A payload that no ping carried confirms nothing.
    pub(super) fn pong(&mut self, payload: &[u8]) -> Option<Seq> {
        let position = Seq::new(u64::from_be_bytes(payload.try_into().ok()?));
        let news = position <= self.asked && position > self.confirmed;
        news.then(|| {
            self.confirmed = position;
            position
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_millis(500);

    #[test]
    fn a_pong_confirms_what_was_written_before_its_ping_and_nothing_later() {
        let now = Instant::now();
        let mut probe = DeliveryProbe::default();
        probe.wrote(Seq::new(3), now, AFTER);
        assert_eq!(probe.deadline(), Some(now + AFTER));
        let ping = probe.ping();
        probe.wrote(Seq::new(4), now, AFTER);
        assert_eq!(probe.pong(&ping), Some(Seq::new(3)));
        assert_eq!(probe.pong(&ping), None, "the same pong again says nothing new");
        let ping = probe.ping();
        assert_eq!(probe.pong(&ping), Some(Seq::new(4)));
    }

    #[test]
    fn a_pong_that_answers_no_ping_of_ours_confirms_nothing() {
        let mut probe = DeliveryProbe::default();
        probe.wrote(Seq::new(3), Instant::now(), AFTER);
        for payload in [&b""[..], b"abc", &3_u64.to_be_bytes(), &u64::MAX.to_be_bytes()] {
            assert_eq!(probe.pong(payload), None);
        }
    }
}
