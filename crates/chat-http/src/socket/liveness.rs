//! Whether the peer is still there.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::SocketSettings;

/// How many unanswered pings are counted at most: before that many a silent peer is closed. A peer that answers none, and
/// sends other frames instead, does not earn the right to send any number of pongs later.
const MOST_UNANSWERED: u32 = 40;

/// Pings a peer at intervals and notices when it has been silent for too long after a ping. The intervals are the caller's,
/// as all sockets have the same.
#[derive(Debug)]
pub(super) struct Liveness {
    next_ping: Instant,
    /// Set by a ping, cleared by anything that comes in.
    silent_at: Option<Instant>,
    /// How many pings have not been answered by a pong of their own.
    unanswered: u32,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LivenessAction {
    Nothing,
    Ping,
    GiveUp,
}

impl Liveness {
    pub(super) fn new(ping_every: Duration, now: Instant) -> Self {
        Self { next_ping: now + ping_every, silent_at: None, unanswered: 0 }
    }

    /// When something will be due next.
    pub(super) fn deadline(&self) -> Instant {
        self.silent_at.map_or(self.next_ping, |silent_at| silent_at.min(self.next_ping))
    }

    pub(super) fn due(&self, now: Instant) -> LivenessAction {
        if self.silent_at.is_some_and(|silent_at| now >= silent_at) {
            LivenessAction::GiveUp
        } else if now >= self.next_ping {
            LivenessAction::Ping
        } else {
            LivenessAction::Nothing
        }
    }

    /// A ping is sent. By the settings, the next one is due and the peer must be heard of.
    pub(super) fn pinged(&mut self, now: Instant, settings: &SocketSettings) {
        self.next_ping = now + settings.ping_every;
        // Later pings do not extend the time that an earlier one left unanswered.
        self.silent_at.get_or_insert(now + settings.silence_limit);
        self.unanswered = self.unanswered.saturating_add(1).min(MOST_UNANSWERED);
    }

    /// Notes a pong. Returns whether a ping was open that it can answer.
    pub(super) fn answered(&mut self) -> bool {
        let expected = self.unanswered > 0;
        self.unanswered = self.unanswered.saturating_sub(1);
        expected
    }

    pub(super) fn heard(&mut self) {
        self.silent_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: Duration = Duration::from_secs(25);
    const SILENCE: Duration = Duration::from_secs(35);

    fn settings() -> SocketSettings {
        SocketSettings { ping_every: PING, silence_limit: SILENCE, ..SocketSettings::default() }
    }

    #[test]
    fn a_silent_peer_is_closed_at_the_limit_despite_further_pings() {
        let start = Instant::now();
        let mut liveness = Liveness::new(PING, start);
        assert_eq!(liveness.due(start + PING), LivenessAction::Ping);
        liveness.pinged(start + PING, &settings());
        liveness.pinged(start + PING + Duration::from_secs(30), &settings());
        assert_eq!(liveness.deadline(), start + PING + SILENCE);
        assert_eq!(liveness.due(start + PING + SILENCE), LivenessAction::GiveUp);
    }

    #[test]
    fn each_ping_allows_one_free_pong() {
        let start = Instant::now();
        let mut liveness = Liveness::new(PING, start);
        assert!(!liveness.answered());
        liveness.pinged(start, &settings());
        liveness.pinged(start, &settings());
        assert!(liveness.answered());
        assert!(liveness.answered());
        assert!(!liveness.answered());
    }

    #[test]
    fn free_pongs_do_not_accumulate() {
        let start = Instant::now();
        let mut liveness = Liveness::new(PING, start);
        for _ in 0..10_000 {
            liveness.pinged(start, &settings());
            liveness.heard();
        }
        assert_eq!((0..10_000).filter(|_| liveness.answered()).count(), 40);
    }

    #[test]
    fn any_frame_is_a_sign_of_life() {
        let start = Instant::now();
        let mut liveness = Liveness::new(PING, start);
        liveness.pinged(start + PING, &settings());
        liveness.heard();
        assert_eq!(liveness.due(start + PING + Duration::from_secs(1)), LivenessAction::Nothing);
        assert_eq!(liveness.deadline(), start + PING + PING);
    }
}
