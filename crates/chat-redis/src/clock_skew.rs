//! Clocks that differ. Messages of a node whose clock is off are rejected as stale, and the metric does not name the
//! node: the log does, from time to time.

use std::time::{Duration, Instant};

use chat_domain::model::Timestamp;
use tracing::warn;
use uuid::Uuid;

use crate::replay_guard::TOLERANCE;

/// How often at most the log names a node. Recorded messages that are published again cause the line too.
const PAUSE: Duration = Duration::from_mins(1);

/// Reports nodes whose signed messages are stale.
#[derive(Default)]
pub(crate) struct ClockSkew {
    logged_at: Option<Instant>,
}

impl ClockSkew {
    /// Reports a signed message that is stale.
    pub(crate) fn report(&mut self, node: Uuid, sent_at: Timestamp, (here, now): (Timestamp, Instant)) {
        if let Some(offset_ms) = self.notice(sent_at, (here, now)) {
            warn!(
                %node,
                offset_ms,
                "messages of another node are more than a minute old or ahead by its clock; its events are read from the \
                 database instead, up to 15 s late: compare the clocks of the nodes. If they agree, recorded messages \
                 are published again in Redis"
            );
        }
    }

    /// How far the sender's clock is ahead of the own one, in milliseconds, if it is to be logged.
    fn notice(&mut self, sent_at: Timestamp, (here, now): (Timestamp, Instant)) -> Option<i64> {
        // A message is also refused when there are too many nodes, which is another matter.
        if here.since(sent_at) <= TOLERANCE && sent_at.since(here) <= TOLERANCE {
            return None;
        }
        if self.logged_at.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return None;
        }
        self.logged_at = Some(now);
        Some(sent_at.unix_ms().saturating_sub(here.unix_ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_reported_once_a_minute_with_its_offset() {
        let (mut clock_skew, start) = (ClockSkew::default(), Instant::now());
        let here = Timestamp::from_unix_ms(1_000_000_000);
        let mut notices = Vec::new();
        for second in 0..150 {
            let now = start + Duration::from_secs(second);
            for offset in [60_000, -60_000, 61_000, -90_000] {
                let sent_at = Timestamp::from_unix_ms(here.unix_ms() + offset);
                notices.extend(clock_skew.notice(sent_at, (here, now)).map(|offset| (second, offset)));
            }
        }
        assert_eq!(notices, [(0, 61_000), (60, 61_000), (120, 61_000)]);
        let behind = Timestamp::from_unix_ms(here.unix_ms() - 90_000);
        assert_eq!(clock_skew.notice(behind, (here, start + Duration::from_mins(9))), Some(-90_000));
    }
}
