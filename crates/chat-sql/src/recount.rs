//! What a comparison of counters with the rows that they count has found. The statements are the stores'.

use crate::{Corrupt, from_db};

/// How many sessions are compared when a database has more than are worth counting.
const SAMPLE_SESSIONS: i64 = 1_000;
/// How many messages and events are looked at for one without a session.
const SAMPLE_ROWS: i64 = 20_000;
/// Up to so many messages everything is counted: a matter of a second.
const COUNTED_MESSAGES: i64 = 200_000;

/// How much is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecountScope {
    /// All rows if they are few, else a sample of them.
    Sample,
    /// All rows, however long it takes.
    Everything,
}

/// The bounds of a recount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecountBounds {
    /// How many sessions are compared, of the newest and again from a place in the middle on.
    pub sessions: i64,
    /// How many rows are looked at for one without a session, in each table.
    pub rows: i64,
    /// Whether the counters over all sessions are compared too, which needs all rows.
    pub is_complete: bool,
}

impl RecountBounds {
    /// The bounds for a database with so many sessions and messages by its counters. Each session counts as a message,
    /// since its events are counted too.
    pub fn new(scope: RecountScope, sessions: i64, messages: i64) -> Self {
        let few = sessions.saturating_add(messages) <= COUNTED_MESSAGES;
        if few || scope == RecountScope::Everything {
            return Self { sessions: i64::MAX, rows: i64::MAX, is_complete: true };
        }
        Self { sessions: SAMPLE_SESSIONS, rows: SAMPLE_ROWS, is_complete: false }
    }

    /// Where in the ids between `first` and `last` the sample begins, by a random number.
    pub fn start(&self, first: u128, last: u128, random: u128) -> u128 {
        if self.is_complete { 0 } else { first + random % last.saturating_sub(first).saturating_add(1).max(1) }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecountReport {
    /// Whether all rows were counted.
    pub is_complete: bool,
    /// Sessions that were compared.
    pub sessions: u64,
    /// Those of them whose `message_count` or `last_seq` is not what their rows say.
    pub wrong_sessions: u64,
    /// Sessions that messages or events name and that are not there. No foreign key prevents them.
    pub missing_sessions: u64,
    /// Statistics, and numbers of sessions of a kind, that are not what the rows say; 0 unless all were counted.
    pub wrong_counters: u64,
}

/// What the statements of a store have counted.
#[derive(Clone, Copy, Debug)]
pub struct RecountFigures {
    /// Sessions that were compared.
    pub sessions: i64,
    /// Those of them that are wrong.
    pub wrong_sessions: i64,
    /// Sessions that are named and not there.
    pub missing_sessions: i64,
    /// Counters over all sessions that are wrong.
    pub wrong_counters: i64,
}

impl RecountReport {
    /// What was found within these bounds.
    ///
    /// # Errors
    /// A figure is negative.
    pub fn of(bounds: RecountBounds, figures: RecountFigures) -> Result<Self, Corrupt> {
        Ok(Self {
            is_complete: bounds.is_complete,
            sessions: from_db("count", figures.sessions)?,
            wrong_sessions: from_db("count", figures.wrong_sessions)?,
            missing_sessions: from_db("count", figures.missing_sessions)?,
            wrong_counters: from_db("count", figures.wrong_counters)?,
        })
    }

    /// Whether counters and rows agree.
    pub fn is_clean(&self) -> bool {
        self.wrong_sessions == 0 && self.missing_sessions == 0 && self.wrong_counters == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_database_is_sampled_unless_everything_is_asked_for() {
        assert!(RecountBounds::new(RecountScope::Sample, 10, 100).is_complete);
        assert!(RecountBounds::new(RecountScope::Everything, 1 << 40, 1 << 40).is_complete);
        let sample = RecountBounds::new(RecountScope::Sample, i64::MAX, 1);
        assert_eq!((sample.sessions, sample.is_complete), (1_000, false));
    }

    #[test]
    fn a_sample_begins_within_the_ids_that_there_are() {
        let sample = RecountBounds::new(RecountScope::Sample, 1 << 40, 0);
        for random in [0, 1, 7, u128::MAX] {
            assert!((5..=9).contains(&sample.start(5, 9, random)));
            assert_eq!(sample.start(3, 3, random), 3);
            sample.start(0, u128::MAX, random);
        }
    }
}
