//! Until when the socket's token is valid, and when the client is reminded of a newer one.

use std::time::Duration;

use chat_domain::model::Timestamp;
use tokio::time::Instant;

/// How long before its end a client is reminded of a newer token.
const WARNING: Duration = Duration::from_mins(1);

/// The end of a token, by the monotonic clock and by the wall clock. Whichever comes first counts: the former stands
/// still while a machine is suspended, the latter may be set back.
#[derive(Debug)]
pub(super) struct TokenLifetime {
    ends: Instant,
    expires_at: Timestamp,
    warn_at: Option<Instant>,
}

impl TokenLifetime {
    /// A token that ends at `expires_at`; `wall_now` is the same moment as `now` by the wall clock.
    pub(super) fn new(expires_at: Timestamp, now: Instant, wall_now: Timestamp) -> Self {
        Self { ends: now + expires_at.since(wall_now), expires_at, warn_at: None }
    }

    /// The same with a reminder some time before the end, or at once if less is left.
    pub(super) fn with_warning(mut self, now: Instant) -> Self {
        self.warn_at = Some(self.ends.checked_sub(WARNING).map_or(now, |at| at.max(now)));
        self
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub(super) fn has_ended(&self, now: Instant, wall_now: Timestamp) -> bool {
        now >= self.ends || wall_now >= self.expires_at
    }

    /// Whether the reminder is due. Returns `true` once.
    pub(super) fn take_warning(&mut self, now: Instant) -> bool {
        self.warn_at.take_if(|at| now >= *at).is_some()
    }

    /// When the reminder or the end is due.
    pub(super) fn deadline(&self) -> Instant {
        self.warn_at.map_or(self.ends, |at| at.min(self.ends))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wall(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1_000)
    }

    #[test]
    fn a_token_ends_by_whichever_clock_comes_first() {
        let start = Instant::now();
        let token = TokenLifetime::new(wall(110), start, wall(100));
        assert!(!token.has_ended(start + SECOND * 9, wall(109)));
        assert!(token.has_ended(start + SECOND * 10, wall(50)));
        assert!(token.has_ended(start, wall(110)));
    }

    #[test]
    fn the_client_is_warned_once_a_minute_before_the_end() {
        let start = Instant::now();
        let mut token = TokenLifetime::new(wall(200), start, wall(100)).with_warning(start);
        assert_eq!(token.deadline(), start + SECOND * 40);
        assert!(!token.take_warning(start + SECOND * 39));
        assert!(token.take_warning(start + SECOND * 40));
        assert!(!token.take_warning(start + SECOND * 41));
        assert_eq!(token.deadline(), start + SECOND * 100);
    }

    #[test]
    fn the_warning_is_due_at_once_if_less_than_a_minute_is_left() {
        let start = Instant::now();
        let mut token = TokenLifetime::new(wall(130), start, wall(100)).with_warning(start);
        assert!(token.take_warning(start));
    }
}
