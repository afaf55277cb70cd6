//! The statistics of the desk, from the rows that each writer keeps of its own.

use chat_domain::model::Statistics;

use crate::{Corrupt, from_db};

/// A row of `chat_stats`: `opened`, `closed`, `messages`, `responses` and `response_time_ms`.
pub type StatisticsRow = (i64, i64, i64, i64, i64);

/// The sums over the rows of all writers.
///
/// # Errors
/// A sum is negative.
pub fn statistics_of(rows: &[StatisticsRow]) -> Result<Statistics, Corrupt> {
    let sum = |column, pick: fn(&StatisticsRow) -> i64| from_db(column, rows.iter().map(pick).sum());
    Ok(Statistics {
        total_sessions: sum("chat_stats.opened", |row| row.0)?,
        // Another writer may close a session than opened it, so only the sums can be compared.
        active_sessions: sum("chat_stats.closed", |row| row.0 - row.1)?,
        messages: sum("chat_stats.messages", |row| row.2)?,
        responses: sum("chat_stats.responses", |row| row.3)?,
        response_time_ms: sum("chat_stats.response_time_ms", |row| row.4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_may_be_closed_by_another_writer_than_the_one_that_opened_it() {
        let sums = statistics_of(&[(3, 0, 5, 1, 100), (0, 2, 1, 1, 50)]).unwrap();
        let expected =
            Statistics { total_sessions: 3, active_sessions: 1, messages: 6, responses: 2, response_time_ms: 150 };
        assert_eq!(sums, expected);
        assert_eq!(statistics_of(&[]).unwrap(), Statistics::default());
        assert!(statistics_of(&[(1, 2, 0, 0, 0)]).is_err(), "more were closed than opened");
    }
}
