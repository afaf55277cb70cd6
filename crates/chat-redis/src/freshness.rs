//! Whether a message is new. What a node said is genuine for ever, and whoever can write to Redis can say it again. No I/O,
//! and the time is told.
//!
//! Two things together decide. Each node numbers what it says on each channel, and a number that is not larger than the
//! last one is not new. Such numbers are kept for as long as a node may be heard, and a little longer; after that, and for
//! a node that has not been heard yet, the moment counts at which it was said, by its clock.
//!
//! Nothing real is lost by this. A node says things on one connection at a time, so their numbers come in order. What one
//! connection still brings after a newer one has begun was a gap when the newer one came, and is read from the database.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chat_domain::model::Timestamp;
use uuid::Uuid;

use crate::names::{Channel, SHARDS};

/// How far the clocks of two nodes may differ, with the time that a message is on its way. So old a message may be when a
/// node hears another one for the first time: it shows at most who typed a minute ago.
pub(crate) const TOLERANCE: Duration = Duration::from_mins(1);

/// How long the numbers of a node are kept that says nothing more: until whatever it has said is too old.
const KEPT: Duration = Duration::from_mins(3);

/// The most nodes that are kept in mind; each life of a node is one.
const MAX_NODES: usize = 4_096;

const CHANNELS: usize = SHARDS as usize + 1;

/// What was heard last of a node.
struct Last {
    numbers: [u64; CHANNELS],
    at: Instant,
}

/// The newest numbers of all nodes.
#[derive(Default)]
pub(crate) struct Freshness {
    nodes: HashMap<Uuid, Last>,
}

/// Why a message is not taken for new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFresh {
    /// It was said too long ago, or will be.
    Stale,
    /// It, or a later one, was heard before.
    Replayed,
}

impl Freshness {
    /// Takes a message that is new, and refuses one that is not.
    pub(crate) fn admit(
        &mut self,
        (node, channel, number): (Uuid, Channel, u64),
        said_at: Timestamp,
        (here, now): (Timestamp, Instant),
    ) -> Result<(), NotFresh> {
        if here.since(said_at) > TOLERANCE || said_at.since(here) > TOLERANCE {
            return Err(NotFresh::Stale);
        }
        if !self.nodes.contains_key(&node) && self.nodes.len() >= MAX_NODES {
            self.tidy(now);
            if self.nodes.len() >= MAX_NODES {
                return Err(NotFresh::Stale);
            }
        }
        let last = self.nodes.entry(node).or_insert_with(|| Last { numbers: [0; CHANNELS], at: now });
        let index = match channel {
            Channel::Shard(shard) => usize::from(shard),
            Channel::Nodes => usize::from(SHARDS),
        };
        let newest = last.numbers.get_mut(index).ok_or(NotFresh::Replayed)?;
        if number <= *newest {
            return Err(NotFresh::Replayed);
        }
        *newest = number;
        last.at = now;
        Ok(())
    }

    /// Forgets nodes that say nothing more.
    pub(crate) fn tidy(&mut self, now: Instant) {
        self.nodes.retain(|_, last| now.saturating_duration_since(last.at) <= KEPT);
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
    fn a_number_is_taken_once_and_no_earlier_one_after_it() {
        let (mut fresh, now) = (Freshness::default(), Instant::now());
        let mut admit = |channel, number| fresh.admit((NODE, channel, number), at(HERE), (at(HERE), now));
        for number in [1, 2, 7] {
            assert_eq!(admit(Channel::Shard(0), number), Ok(()));
            assert_eq!(admit(Channel::Shard(0), number), Err(NotFresh::Replayed));
        }
        assert_eq!(admit(Channel::Shard(0), 3), Err(NotFresh::Replayed));
        for channel in [Channel::Shard(63), Channel::Nodes] {
            assert_eq!(admit(channel, 1), Ok(()), "each channel has its own");
        }
        assert_eq!(admit(Channel::Shard(1), 0), Err(NotFresh::Replayed), "numbers begin at 1");
    }

    #[test]
    fn what_was_said_more_than_a_minute_ago_or_will_be_is_not_taken() {
        let (mut fresh, now) = (Freshness::default(), Instant::now());
        let minute = 60_000;
        for (number, said, is_taken) in [
            (1, HERE - minute, true),
            (2, HERE - minute - 1, false),
            (3, HERE + minute, true),
            (4, HERE + minute + 1, false),
        ] {
            let admitted = fresh.admit((NODE, Channel::Nodes, number), at(said), (at(HERE), now));
            assert_eq!(admitted, if is_taken { Ok(()) } else { Err(NotFresh::Stale) }, "{said}");
        }
    }

    #[test]
    fn numbers_are_kept_until_everything_that_was_said_is_too_old() {
        let (mut fresh, start) = (Freshness::default(), Instant::now());
        fresh.admit((NODE, Channel::Nodes, 5), at(HERE), (at(HERE), start)).unwrap();
        for seconds in 0..300_u32 {
            let now = start + Duration::from_secs(1) * seconds;
            fresh.tidy(now);
            let here = at(HERE + i64::from(seconds) * 1_000);
            // Said with a clock that is ahead, which makes it look new for longest.
            let replayed = fresh.admit((NODE, Channel::Nodes, 5), at(HERE + 60_000), (here, now));
            assert!(replayed.is_err(), "after {seconds} s");
        }
        assert!(fresh.nodes.is_empty());
    }
}
