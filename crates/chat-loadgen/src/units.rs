//! Values of the command line as people write them: `30s`, `250ms`, `2m`. Each error shows a value that would do.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];

/// Reads a time above zero: a whole number and one of `us`, `ms`, `s`, `m`, `h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let above_zero = || "must be a time above zero with its unit, such as 500ms, 10s or 2m".to_owned();
    duration_or_zero(text).and_then(|time| if time.is_zero() { Err(above_zero()) } else { Ok(time) })
}

/// Like [`duration`], but takes zero as well.
pub(crate) fn duration_or_zero(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let micros = text.split_at_checked(digits).and_then(|(number, unit)| {
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*factor)
    });
    micros.map(Duration::from_micros).ok_or("must be a time with its unit, such as 500ms, 10s or 2m".to_owned())
}

/// Reads a rate in requests per second, above zero; fractions are allowed.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0 && *rate <= 10_000_000.0);
    rate.ok_or("must be a number of requests per second above zero, such as 500 or 0.5".to_owned())
}

/// Reads a whole number from 1 to a million.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| (1..=1_000_000).contains(number));
    number.ok_or("must be a whole number from 1 to 1000000, such as 64".to_owned())
}

/// Reads a number of requests: 1 or more.
pub(crate) fn requests(text: &str) -> Result<u64, String> {
    let number = text.parse::<u64>().ok().filter(|number| *number > 0);
    number.ok_or("must be a whole number above zero, such as 10000".to_owned())
}

/// Reads the length of a message in characters: 1 to 10,000, the bounds of the API.
pub(crate) fn length(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or("must be a number of characters from 1 to 10000, such as 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_takes_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration_or_zero("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_time_without_number_or_unit_is_refused_with_an_example() {
        for text in ["", "10", "s", "10 s", "-1s", "1.5s", "0s", "10S", "99999999999999999h"] {
            let error = duration(text).unwrap_err();
            assert!(error.contains("10s"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_rate_is_above_zero_and_finite() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "NaN", "1e300", "fast", ""] {
            assert!(rate(text).is_err(), "{text:?} was taken");
        }
    }
}
