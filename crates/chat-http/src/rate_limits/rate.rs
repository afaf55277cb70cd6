//! How often something may be done.

use std::fmt;
use std::num::NonZeroU32;

use governor::Quota;

const VALID: &str = "must be a number and a time, s, min or h, such as 300/min or 10/s, or off";
/// More in a window is as good as no limit.
const MOST: u32 = 1_000_000;

/// The times that a rate can be about, as operators write them, with their seconds.
const WINDOWS: [(RateWindow, &str, u32); 3] =
    [(RateWindow::Second, "s", 1), (RateWindow::Minute, "min", 60), (RateWindow::Hour, "h", 3_600)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RateWindow {
    Second,
    Minute,
    Hour,
}

/// So many in a time: all of them at once, and then one after another as the time goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    window: RateWindow,
}

impl Rate {
    pub(super) fn count(self) -> u32 {
        self.count.get()
    }

    pub(super) fn seconds(self) -> u32 {
        WINDOWS.iter().find(|(window, ..)| *window == self.window).map_or(1, |(_, _, seconds)| *seconds)
    }

    pub(super) fn quota(self) -> Quota {
        match self.window {
            RateWindow::Second => Quota::per_second(self.count),
            RateWindow::Minute => Quota::per_minute(self.count),
            RateWindow::Hour => Quota::per_hour(self.count),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = WINDOWS.iter().find(|(window, ..)| *window == self.window).map_or("", |(_, name, _)| *name);
        write!(f, "{}/{name}", self.count)
    }
}

/// A rate, or no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimit {
    /// As often as wanted.
    #[default]
    Off,
    /// So often.
    At(Rate),
}

impl RateLimit {
    /// Reads a rate such as `300/min`, or `off`.
    ///
    /// # Errors
    /// What is valid.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let rate = || {
            let (count, name) = text.split_once('/')?;
            let (window, ..) = WINDOWS.iter().find(|(_, known, _)| *known == name)?;
            let is_number = count.bytes().all(|byte| byte.is_ascii_digit());
            let count = count.parse::<NonZeroU32>().ok().filter(|count| is_number && count.get() <= MOST)?;
            Some(Rate { count, window: *window })
        };
        rate().map(Self::At).ok_or_else(|| VALID.to_owned())
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(rate) => rate.fmt(f),
        }
    }
}

/// How often people and addresses may do what is limited, each counted on this node alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateSettings {
    /// Messages that a person sends.
    pub messages: RateLimit,
    /// Sessions that a person opens.
    pub sessions: RateLimit,
    /// What a person says about their typing, in requests and in frames of sockets.
    pub typing: RateLimit,
    /// Attachments that a person downloads.
    pub downloads: RateLimit,
    /// Sockets that are opened from one address.
    pub sockets: RateLimit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_back_as_it_is_written() {
        for (text, count, seconds) in [("300/min", 300, 60), ("1/s", 1, 1), ("1000000/h", 1_000_000, 3_600)] {
            let limit = RateLimit::parse(text).unwrap();
            assert_eq!(limit.to_string(), text);
            assert!(
                matches!(limit, RateLimit::At(rate) if (rate.count(), rate.seconds()) == (count, seconds)),
                "{text}"
            );
        }
        assert_eq!(RateLimit::parse("off"), Ok(RateLimit::Off));
        for text in
            ["", "300", "/min", "0/min", "-1/s", "+1/s", "1.5/s", "300/m", "300 / min", "1000001/h", "Off", "1/d"]
        {
            assert_eq!(RateLimit::parse(text), Err(VALID.to_owned()), "{text:?}");
        }
    }
}
