//! Clocks that differ. What a node signs under a clock that is off is not believed, and the metric does not name the node:
//! the log does, now and then.

use std::time::{Duration, Instant};

use chat_domain::model::Timestamp;
use tracing::warn;
use uuid::Uuid;

use crate::freshness::TOLERANCE;

/// How often at most the log names a node. Who records what nodes say and repeats it later causes the line too.
const PAUSE: Duration = Duration::from_mins(1);

/// Reports nodes whose signed messages are of another time.
#[derive(Default)]
pub(crate) struct Skew {
    said_at: Option<Instant>,
}

impl Skew {
    /// Takes a signed message that is stale.
    pub(crate) fn report(&mut self, node: Uuid, said_at: Timestamp, (here, now): (Timestamp, Instant)) {
        if let Some(offset_ms) = self.notice(said_at, (here, now)) {
            warn!(
                %node,
                offset_ms,
                "what another server says is more than a minute old or ahead by its clock, and is read from the database \
                 instead, up to 15 s late: compare the clocks of the servers. If they agree, recorded messages are \
                 published again in Redis"
            );
        }
    }

    /// How far the sender's clock is ahead of ours, in milliseconds, when the log is to say so.
    fn notice(&mut self, said_at: Timestamp, (here, now): (Timestamp, Instant)) -> Option<i64> {
        // A message is also refused when there are too many nodes, which is another matter.
        if here.since(said_at) <= TOLERANCE && said_at.since(here) <= TOLERANCE {
            return None;
        }
        if self.said_at.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return None;
        }
        self.said_at = Some(now);
        Some(said_at.unix_ms().saturating_sub(here.unix_ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_reported_once_a_minute_with_its_offset() {
        let (mut skew, start) = (Skew::default(), Instant::now());
        let here = Timestamp::from_unix_ms(1_000_000_000);
        let mut notices = Vec::new();
        for second in 0..150 {
            let now = start + Duration::from_secs(second);
            for offset in [60_000, -60_000, 61_000, -90_000] {
                let said_at = Timestamp::from_unix_ms(here.unix_ms() + offset);
                notices.extend(skew.notice(said_at, (here, now)).map(|offset| (second, offset)));
            }
        }
        assert_eq!(notices, [(0, 61_000), (60, 61_000), (120, 61_000)]);
        let behind = Timestamp::from_unix_ms(here.unix_ms() - 90_000);
        assert_eq!(skew.notice(behind, (here, start + Duration::from_mins(9))), Some(-90_000));
    }
}
