//! Times as people read them: in messages and in the reference documents.

use std::time::Duration;

/// A time in its largest whole unit, such as `365 days` or `15 minutes`. Parts of a second are shown as Rust does.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    if Duration::from_secs(seconds) != time {
        return format!("{time:?}");
    }
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let fits = |(unit, _): &(u64, &str)| seconds >= *unit && seconds.is_multiple_of(*unit);
    let (count, name) = units.into_iter().find(fits).map_or((0, "second"), |(unit, name)| (seconds / unit, name));
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_in_its_largest_whole_unit() {
        for (milliseconds, expected) in [
            (0, "0 seconds"),
            (1_000, "1 second"),
            (15_000, "15 seconds"),
            (90_000, "90 seconds"),
            (60_000, "1 minute"),
            (900_000, "15 minutes"),
            (3_600_000, "1 hour"),
            (90_000_000, "25 hours"),
            (86_400_000, "1 day"),
            (31_536_000_000, "365 days"),
            (250, "250ms"),
            (1_500, "1.5s"),
        ] {
            assert_eq!(in_words(Duration::from_millis(milliseconds)), expected);
        }
    }
}
