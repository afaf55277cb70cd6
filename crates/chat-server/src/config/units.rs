//! Sizes and durations as people write them: a whole number and a unit, such as `25MiB` or `30s`.

use std::time::Duration;

const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1000),
    ("KiB", 1024),
    ("MB", 1000 * 1000),
    ("MiB", 1024 * 1024),
    ("GB", 1000 * 1000 * 1000),
    ("GiB", 1024 * 1024 * 1024),
];

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60 * 1000), ("h", 60 * 60 * 1000), ("d", 24 * 60 * 60 * 1000)];

/// Reads a size in bytes, at least one.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    quantity(text, &SIZE_UNITS)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "must be a size above zero with its unit, such as 500KiB, 25MiB or 1GiB".to_owned())
}

/// Reads a size in bytes, or `0` for none.
pub(crate) fn size_or_none(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { size(text).map_err(|problem| format!("{problem}, or 0")) }
}

/// Reads a duration of at least one millisecond.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    quantity(text, &DURATION_UNITS)
        .filter(|ms| *ms > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| "must be a time above zero with its unit, such as 500ms, 30s, 15m, 1h or 7d".to_owned())
}

/// Writes a size in the largest binary unit that divides it, so that it reads back as the same number.
pub(crate) fn show_size(bytes: u64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    let unit = SIZE_UNITS.iter().rev().find(|(name, unit)| name.ends_with("iB") && bytes.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// Writes a duration in the largest unit that divides it, so that it reads back as the same time.
pub(crate) fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let unit = DURATION_UNITS.iter().rev().find(|(_, unit)| ms > 0 && ms.is_multiple_of(u128::from(*unit)));
    match unit {
        Some((name, unit)) => format!("{}{name}", ms / u128::from(*unit)),
        None => "0".to_owned(),
    }
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_takes_decimal_and_binary_units() {
        assert_eq!(size("25MiB"), Ok(26_214_400));
        assert_eq!(size("2kB"), Ok(2000));
        assert_eq!(size("7B"), Ok(7));
    }

    #[test]
    fn a_size_without_number_or_unit_is_refused() {
        for text in ["", "25", "MiB", "25 MiB", "25mib", "-1MiB", "1.5MiB", "0MiB", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_size_is_shown_so_that_it_reads_back() {
        for bytes in [1, 1000, 1024, 26_214_400, 3 << 30, 1_048_577] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
        assert_eq!(show_size(26_214_400), "25MiB");
        assert_eq!(size_or_none(&show_size(0)), Ok(0));
        assert_eq!(size_or_none(&show_size(8 << 20)), Ok(8 << 20));
        assert!(size_or_none("00").is_err() && size(&show_size(0)).is_err());
    }

    #[test]
    fn a_duration_takes_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("30").is_err());
        assert!(duration("0s").is_err());
        assert!(duration("1 h").is_err());
    }

    #[test]
    fn a_duration_is_shown_so_that_it_reads_back() {
        for ms in [1, 1_500, 30_000, 90_000, 3_600_000, 86_400_000, 365 * 86_400_000] {
            let time = Duration::from_millis(ms);
            assert_eq!(duration(&show_duration(time)), Ok(time));
        }
        assert_eq!(show_duration(Duration::from_hours(365 * 24)), "365d");
    }
}
