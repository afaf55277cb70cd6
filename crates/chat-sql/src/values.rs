//! How the domain's small values look in columns that every SQL database has.

use chat_domain::error::Violation;
use chat_domain::model::{Seq, Tags, Timestamp};

use crate::Corrupt;

/// A count or position as a signed column holds it. Nothing that is counted one by one reaches 2^63.
pub fn to_db(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
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
