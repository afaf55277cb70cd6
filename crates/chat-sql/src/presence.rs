//! How agents and the time since they were seen look in columns.

use std::time::Duration;

use chat_domain::model::AgentStatus;

use crate::to_db;

/// The largest age, tens of thousands of years: no time that is computed with it overflows.
const MAX_AGE_MS: u64 = 1 << 50;

/// How long ago something was, in milliseconds.
pub fn age_to_db(ago: Duration) -> i64 {
    to_db(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX).min(MAX_AGE_MS))
}

/// How long ago something was, from the difference of two times; as long if it is ahead.
pub fn age_from_db(difference: i64) -> Duration {
    Duration::from_millis(difference.unsigned_abs())
}

/// The status of that name. A status that only a newer version knows does not say that the agent takes sessions.
pub(crate) fn agent_status_from_db(name: Option<&str>) -> AgentStatus {
    name.map_or_else(AgentStatus::default, |name| AgentStatus::parse(name).unwrap_or(AgentStatus::Away))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_a_newer_version_is_read_as_away() {
        let statuses = [None, Some("online"), Some("away"), Some("lunch")].map(agent_status_from_db);
        assert_eq!(statuses, [AgentStatus::Online, AgentStatus::Online, AgentStatus::Away, AgentStatus::Away]);
    }

    #[test]
    fn an_age_is_the_same_after_a_round_trip_and_never_negative() {
        for ms in [0, 1, 59_999, 60_000, MAX_AGE_MS] {
            assert_eq!(age_from_db(age_to_db(Duration::from_millis(ms))), Duration::from_millis(ms));
        }
        assert_eq!(age_to_db(Duration::MAX), age_to_db(Duration::from_millis(MAX_AGE_MS)));
        assert_eq!(age_from_db(-61_000), Duration::from_secs(61));
        assert_eq!(age_from_db(i64::MIN), Duration::from_millis(1 << 63));
    }
}
