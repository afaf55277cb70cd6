//! How the domain's small values look in columns that every SQL database has.

use chat_domain::error::Violation;
use chat_domain::model::{AgentId, Color, Fingerprint, Seq, SessionState, SessionStatus, Tags, Timestamp};

use crate::Corrupt;

/// A count or position as a signed column holds it. Nothing that is counted one by one reaches 2^63.
pub fn to_db(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A colour as a column holds it: its number, which a signed column has room for.
pub fn color_to_db(color: Color) -> i32 {
    i32::try_from(color.number()).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a batch is far smaller than 2^53")]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}

/// A count or position from a column.
///
/// # Errors
/// It is negative.
pub fn from_db(column: &'static str, number: i64) -> Result<u64, Corrupt> {
    u64::try_from(number).map_err(|_| Corrupt { column, problem: "is negative" })
}

/// A position from a column.
///
/// # Errors
/// It is negative.
pub fn seq_from_db(column: &'static str, number: i64) -> Result<Seq, Corrupt> {
    from_db(column, number).map(Seq::new)
}

/// A request's fingerprint from a column beside its key.
///
/// # Errors
/// It has not 32 bytes.
pub fn fingerprint_from_db(column: &'static str, bytes: Option<Vec<u8>>) -> Result<Fingerprint, Corrupt> {
    let bytes = <[u8; 32]>::try_from(bytes.unwrap_or_default());
    bytes.map(Fingerprint::from_bytes).map_err(|_| Corrupt { column, problem: "has not 32 bytes" })
}

/// A moment that may be missing, from its milliseconds since 1970.
pub fn moment_from_db(ms: Option<i64>) -> Option<Timestamp> {
    ms.map(Timestamp::from_unix_ms)
}

/// Reads back a value that was valid when it was written.
///
/// # Errors
/// It is not valid any more.
pub fn valid<T>(column: &'static str, parsed: Result<T, Violation>) -> Result<T, Corrupt> {
    parsed.map_err(|_| Corrupt { column, problem: "breaks a rule of its type" })
}

/// When the newest change of a session was made, from its column. A row whose last change an older version made says less:
/// then it was no earlier than the other times of the row.
pub fn last_event_from_db(
    stored: i64,
    started_at: i64,
    waiting_since: Option<i64>,
    ended_at: Option<i64>,
) -> Timestamp {
    let times = [Some(stored), Some(started_at), waiting_since, ended_at];
    Timestamp::from_unix_ms(times.into_iter().flatten().fold(stored, i64::max))
}

/// The state of a session from its columns. `status` is `None` when only a newer version knows it.
///
/// To this version such a session is over: it may be read, and nothing is decided on a state that is not understood. Without
/// an end of its own it ended at `last_change`.
///
/// # Errors
/// The status and the end contradict each other.
pub fn state_from_db(
    status: Option<SessionStatus>,
    agent: Option<AgentId>,
    ended_at: Option<i64>,
    last_change: Timestamp,
) -> Result<SessionState, Corrupt> {
    match (status, moment_from_db(ended_at)) {
        (Some(SessionStatus::Active), None) => Ok(SessionState::Active { agent }),
        (Some(SessionStatus::Closed), Some(at)) => Ok(SessionState::Closed { agent, at }),
        (None, ended_at) => Ok(SessionState::Closed { agent, at: ended_at.unwrap_or(last_change) }),
        _ => Err(Corrupt { column: "chat_sessions.ended_at", problem: "contradicts the status" }),
    }
}

const NO_TAGS: &str = "[]";

/// Tags as a JSON array.
pub fn tags_to_json(tags: &Tags) -> String {
    serde_json::Value::from(tags.as_slice()).to_string()
}

/// Tags from their JSON array.
///
/// # Errors
/// It is no array of valid tags.
pub fn tags_from_json(column: &'static str, json: &str) -> Result<Tags, Corrupt> {
    if json == NO_TAGS {
        return Ok(Tags::default());
    }
    let tags: Vec<String> =
        serde_json::from_str(json).map_err(|_| Corrupt { column, problem: "is no JSON array of texts" })?;
    valid(column, Tags::parse(tags))
}

/// The stage of a session's life from its name; `None` for a name that only a newer version knows.
pub fn status_from_db(name: &str) -> Option<SessionStatus> {
    [SessionStatus::Active, SessionStatus::Closed].into_iter().find(|status| status.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_whose_status_is_not_known_takes_no_changes() {
        let at = Timestamp::from_unix_ms;
        let closed = |ms| Ok(SessionState::Closed { agent: None, at: at(ms) });
        assert_eq!(state_from_db(None, None, None, at(7)), closed(7));
        assert_eq!(state_from_db(None, None, Some(5), at(7)), closed(5));
        assert_eq!(state_from_db(Some(SessionStatus::Closed), None, Some(5), at(7)), closed(5));
        assert_eq!(
            state_from_db(Some(SessionStatus::Active), None, None, at(7)),
            Ok(SessionState::Active { agent: None })
        );
        assert!(state_from_db(Some(SessionStatus::Active), None, Some(5), at(7)).is_err());
        assert!(state_from_db(Some(SessionStatus::Closed), None, None, at(7)).is_err());
    }
}
