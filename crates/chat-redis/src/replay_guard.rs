//! Whether a message is new. A signature does not expire, so an attacker with access to Redis can publish a recorded
//! message again. No I/O; the caller passes the time.
//!
//! Two things together decide. Each node numbers its messages on each channel, and a number that is not larger than the
//! last one is not new. The last numbers of a node are kept until all of its messages are too old; after that, and for
//! a node of which there was no message yet, the sender's timestamp counts.
//!
//! Nothing genuine is lost by this. A node publishes on one connection at a time, so its numbers come in order. What
//! one connection still delivers after a newer one has begun was a gap when the newer one came, and is read from the
//! database.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chat_domain::model::Timestamp;
use uuid::Uuid;

use crate::names::{Channel, SHARDS};

/// How far the clocks of two nodes may differ, with the transit time of a message. The first message of a node may be
/// that old: it shows at most who typed a minute ago.
pub(crate) const TOLERANCE: Duration = Duration::from_mins(1);

/// How long the numbers of a node are kept that publishes nothing more: until all of its messages are too old.
const KEPT_FOR: Duration = Duration::from_mins(3);

/// The most nodes that are tracked; each start of a node is one.
const MAX_NODES: usize = 4_096;

const CHANNELS: usize = SHARDS as usize + 1;

/// The newest messages of a node.
struct LastSeen {
    numbers: [u64; CHANNELS],
    at: Instant,
}

/// The newest numbers of all nodes.
#[derive(Default)]
pub(crate) struct ReplayGuard {
    nodes: HashMap<Uuid, LastSeen>,
}

/// Why a message is not new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FreshnessError {
    /// It was sent too long ago, or in the future.
    Stale,
    /// It, or a later one, was received before.
    Replayed,
}

impl ReplayGuard {
    /// Admits a message that is new, and refuses any other.
    pub(crate) fn admit(
        &mut self,
        (node, channel, number): (Uuid, Channel, u64),
        sent_at: Timestamp,
        (here, now): (Timestamp, Instant),
    ) -> Result<(), FreshnessError> {
        if here.since(sent_at) > TOLERANCE || sent_at.since(here) > TOLERANCE {
            return Err(FreshnessError::Stale);
        }
        if !self.nodes.contains_key(&node) && self.nodes.len() >= MAX_NODES {
            self.tidy(now);
            if self.nodes.len() >= MAX_NODES {
                return Err(FreshnessError::Stale);
            }
        }
        let last = self.nodes.entry(node).or_insert_with(|| LastSeen { numbers: [0; CHANNELS], at: now });
        let index = match channel {
            Channel::Shard(shard) => usize::from(shard),
            Channel::Nodes => usize::from(SHARDS),
        };
        let newest = last.numbers.get_mut(index).ok_or(FreshnessError::Replayed)?;
        if number <= *newest {
            return Err(FreshnessError::Replayed);
        }
        *newest = number;
        last.at = now;
        Ok(())
    }

    /// Forgets nodes that publish nothing more.
    pub(crate) fn tidy(&mut self, now: Instant) {
        self.nodes.retain(|_, last| now.saturating_duration_since(last.at) <= KEPT_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Uuid = Uuid::from_u128(7);
    const HERE: i64 = 1_000_000_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn a_number_is_admitted_once_and_no_earlier_one_after_it() {
        let (mut guard, now) = (ReplayGuard::default(), Instant::now());
        let mut admit = |channel, number| guard.admit((NODE, channel, number), at(HERE), (at(HERE), now));
        for number in [1, 2, 7] {
            assert_eq!(admit(Channel::Shard(0), number), Ok(()));
            assert_eq!(admit(Channel::Shard(0), number), Err(FreshnessError::Replayed));
        }
        assert_eq!(admit(Channel::Shard(0), 3), Err(FreshnessError::Replayed));
        for channel in [Channel::Shard(63), Channel::Nodes] {
            assert_eq!(admit(channel, 1), Ok(()), "each channel has its own");
        }
        assert_eq!(admit(Channel::Shard(1), 0), Err(FreshnessError::Replayed), "numbers begin at 1");
    }

    #[test]
    fn messages_more_than_a_minute_off_are_stale() {
        let (mut guard, now) = (ReplayGuard::default(), Instant::now());
        let minute = 60_000;
        for (number, said, is_taken) in [
            (1, HERE - minute, true),
            (2, HERE - minute - 1, false),
            (3, HERE + minute, true),
            (4, HERE + minute + 1, false),
        ] {
            let admitted = guard.admit((NODE, Channel::Nodes, number), at(said), (at(HERE), now));
            assert_eq!(admitted, if is_taken { Ok(()) } else { Err(FreshnessError::Stale) }, "{said}");
        }
    }

    #[test]
    fn numbers_are_kept_until_all_messages_are_too_old() {
        let (mut guard, start) = (ReplayGuard::default(), Instant::now());
        guard.admit((NODE, Channel::Nodes, 5), at(HERE), (at(HERE), start)).unwrap();
        for seconds in 0..300_u32 {
            let now = start + Duration::from_secs(1) * seconds;
            guard.tidy(now);
            let here = at(HERE + i64::from(seconds) * 1_000);
            // Said with a clock that is ahead, which makes it look new for longest.
            let replayed = guard.admit((NODE, Channel::Nodes, 5), at(HERE + 60_000), (here, now));
            assert!(replayed.is_err(), "after {seconds} s");
        }
        assert!(guard.nodes.is_empty());
    }
}
