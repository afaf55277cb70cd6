//! The log's line about pages whose origin is not on the list, at most one a minute, since any web page can cause it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long no other line follows a line.
const GAP: Duration = Duration::from_mins(1);
/// How much of an origin is shown.
const SHOWN_BYTES: usize = 200;

/// Logs which origin would have to be on the list.
pub(super) fn log(origin: &[u8]) {
    static LOGGED_AT: Mutex<Option<Instant>> = Mutex::new(None);
    if is_due(&mut LOGGED_AT.lock().unwrap_or_else(PoisonError::into_inner), Instant::now()) {
        let origin = shown(origin);
        tracing::info!(
            origin,
            "refused a page of the origin {origin}; if it is yours, add it to CHAT_CORS_ORIGINS (refusals of other origins \
             are not logged for a minute)"
        );
    }
}

fn is_due(logged_at: &mut Option<Instant>, now: Instant) -> bool {
    let due = logged_at.is_none_or(|at| now.duration_since(at) >= GAP);
    if due {
        *logged_at = Some(now);
    }
    due
}

fn shown(origin: &[u8]) -> String {
    origin.get(..SHOWN_BYTES).unwrap_or(origin).escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_logged() {
        let (mut logged_at, start) = (None, Instant::now());
        assert!(is_due(&mut logged_at, start));
        assert!(!is_due(&mut logged_at, start + GAP / 2));
        assert!(is_due(&mut logged_at, start + GAP));
        assert!(!is_due(&mut logged_at, start + GAP));
    }

    #[test]
    fn an_origin_is_shown_in_a_line_of_bounded_length() {
        assert_eq!(shown(b"https://a.example\n\xff"), "https://a.example\\n\\xff");
        assert_eq!(shown(&[b'a'; 8192]).len(), SHOWN_BYTES);
    }
}
