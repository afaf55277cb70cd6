//! What a store cannot do for a while, as the last attempt found it: its disk is full, or it is out of reach.
//!
//! A client can send a file to a full disk as often as it likes, and on a disk that is nearly full a small file has room
//! where a large one has none. So the log has a line where the state changes, and seldom, and none for each file.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;

/// How long it takes from one line about a trouble to the next.
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// What a store may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreTrouble {
    /// There is no room on the disk.
    DiskFull,
    /// The service on the network has no room.
    ServiceFull,
    /// The service on the network cannot be reached or refuses.
    ServiceAway,
}

impl StoreTrouble {
    /// 1 while it lasts.
    fn gauge(self) -> &'static str {
        match self {
            Self::DiskFull | Self::ServiceFull => "chat_attachments_full",
            Self::ServiceAway => "chat_attachments_unreachable",
        }
    }

    fn log_begin(self, reason: &str) {
        match self {
            Self::DiskFull => tracing::error!(
                "the attachment disk is full: files are refused until there is room on it, texts can be sent"
            ),
            Self::ServiceFull => tracing::error!(
                reason,
                "the attachment store has no room: files are refused until there is some, texts can be sent"
            ),
            Self::ServiceAway => tracing::warn!(
                reason,
                "the attachment store cannot be used: files are refused until it can, texts can be sent: {reason}"
            ),
        }
    }

    fn log_end(self) {
        match self {
            Self::DiskFull => tracing::info!("the attachment disk has room again"),
            Self::ServiceFull => tracing::info!("the attachment store has room again"),
            Self::ServiceAway => tracing::info!("the attachment store can be used again"),
        }
    }
}

/// What is known of a trouble.
#[derive(Debug, Default)]
struct State {
    lasts: bool,
    /// When the log last had a line that it began.
    logged_at: Option<Instant>,
    /// Whether the log is to have a line that it ended.
    owed: bool,
}

/// What the log is to have.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Begin,
    End,
}

impl State {
    fn note(&mut self, lasts: bool, now: Instant) -> Option<Line> {
        if self.lasts == lasts {
            return None;
        }
        self.lasts = lasts;
        if !lasts {
            return std::mem::take(&mut self.owed).then_some(Line::End);
        }
        if self.logged_at.is_some_and(|at| now.saturating_duration_since(at) < LOGGED_EVERY) {
            return None;
        }
        self.logged_at = Some(now);
        self.owed = true;
        Some(Line::Begin)
    }
}

/// Keeps the state of one trouble for the readiness probe and the metrics.
#[derive(Debug)]
pub(crate) struct TroubleWatch {
    trouble: StoreTrouble,
    state: Mutex<State>,
}

impl TroubleWatch {
    pub(crate) fn new(trouble: StoreTrouble) -> Self {
        gauge!(trouble.gauge()).set(0.0);
        Self { trouble, state: Mutex::default() }
    }

    /// Notes that an attempt met it, and why.
    pub(crate) fn met(&self, reason: &str) {
        if self.note(true) == Some(Line::Begin) {
            self.trouble.log_begin(reason);
        }
    }

    /// Notes that an attempt that would have met it succeeded.
    pub(crate) fn ended(&self) {
        if self.note(false) == Some(Line::End) {
            self.trouble.log_end();
        }
    }

    fn note(&self, lasts: bool) -> Option<Line> {
        let mut state = self.lock();
        if state.lasts != lasts {
            gauge!(self.trouble.gauge()).set(if lasts { 1.0 } else { 0.0 });
        }
        state.note(lasts, Instant::now())
    }

    pub(crate) fn lasts(&self) -> bool {
        self.lock().lasts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LOGGED_EVERY, Line, State, StoreTrouble, TroubleWatch};

    #[test]
    fn a_full_disk_is_logged_once_however_many_files_it_refuses() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(state.note(false, now), None);
        assert_eq!(state.note(true, now), Some(Line::Begin));
        for second in 0..1_000 {
            assert_eq!(state.note(true, now + Duration::from_secs(second)), None);
        }
        assert_eq!(state.note(false, now), Some(Line::End));
        assert_eq!(state.note(false, now), None);
    }

    #[test]
    fn small_and_large_files_in_turn_fill_no_log() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(state.note(true, now), Some(Line::Begin));
        assert_eq!(state.note(false, now), Some(Line::End));
        for _ in 0..1_000 {
            assert_eq!(state.note(true, now), None);
            assert_eq!(state.note(false, now), None);
        }
        assert_eq!(state.note(true, now + LOGGED_EVERY), Some(Line::Begin));
    }

    #[test]
    fn the_last_attempt_decides_whether_there_is_room() {
        let watch = TroubleWatch::new(StoreTrouble::DiskFull);
        assert!(!watch.lasts());
        watch.met("");
        assert!(watch.lasts());
        watch.ended();
        assert!(!watch.lasts());
    }
}
