//! A moment in UTC, in whole milliseconds.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;

/// A moment in UTC with millisecond resolution.
///
/// Finer parts are cut off when it is made, so a value does not change on its way through a database or JSON.
/// It is kept as milliseconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 0000-01-01T00:00:00.000Z, the first moment that RFC 3339 can write.
const MIN_UNIX_MS: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can write.
const MAX_UNIX_MS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The last moment that there is.
    pub const MAX: Self = Self(MAX_UNIX_MS);

    /// The moment `ms` milliseconds after 1970-01-01T00:00:00Z, clamped to the years 0000 to 9999.
    pub fn from_unix_ms(ms: i64) -> Self {
        Self(ms.clamp(MIN_UNIX_MS, MAX_UNIX_MS))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; negative before it.
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_unix_ms(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `by` earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self::from_unix_ms(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        let ms = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_unix_ms(i64::try_from(ms).unwrap_or(if ms < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        // The clamp in `from_unix_ms` keeps the value inside what `OffsetDateTime` holds.
        Self::from_unix_timestamp_nanos(i128::from(timestamp.0) * 1_000_000).unwrap_or(Self::UNIX_EPOCH)
    }
}

/// RFC 3339 in UTC with exactly three digits of milliseconds: `2026-01-31T09:05:00.120Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from(*self);
        let (hour, minute, second, milli) = moment.time().as_hms_milli();
        write!(
            f,
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
        )
    }
}
