//! Outages of a store, as the last attempt found them: its disk is full, or its service is unreachable.
//!
//! A client can send a file to a full disk as often as it likes, and on a disk that is nearly full a small file has room
//! where a large one has none. So the log has a line where the state changes, and seldom, and none for each file.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;

/// How long it takes from one line about an outage to the next.
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// Why a store cannot be used for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreOutage {
    /// There is no room on the disk.
    DiskFull,
    /// The service on the network has no room.
    ServiceFull,
    /// The service on the network cannot be reached or refuses.
    ServiceUnreachable,
}

impl StoreOutage {
    /// The gauge that is 1 while it lasts.
    fn gauge(self) -> &'static str {
        match self {
            Self::DiskFull | Self::ServiceFull => "chat_attachments_full",
            Self::ServiceUnreachable => "chat_attachments_unreachable",
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
            Self::ServiceUnreachable => tracing::warn!(
                reason,
                "the attachment store cannot be used: files are refused until it can, texts can be sent: {reason}"
            ),
        }
    }

    fn log_end(self) {
        match self {
            Self::DiskFull => tracing::info!("the attachment disk has room again"),
            Self::ServiceFull => tracing::info!("the attachment store has room again"),
            Self::ServiceUnreachable => tracing::info!("the attachment store can be used again"),
        }
    }
}

/// Whether an outage lasts, and what was logged of it.
#[derive(Debug, Default)]
struct OutageState {
    lasts: bool,
    /// When the log last had a line that it began.
    logged_at: Option<Instant>,
    /// Whether the log has a line that it began and none that it ended.
    end_is_unlogged: bool,
}

/// A line that the log must have.
#[derive(Debug, PartialEq, Eq)]
enum OutageLogLine {
    Begin,
    End,
}

impl OutageState {
    fn note(&mut self, lasts: bool, now: Instant) -> Option<OutageLogLine> {
        if self.lasts == lasts {
            return None;
        }
        self.lasts = lasts;
        if !lasts {
            return std::mem::take(&mut self.end_is_unlogged).then_some(OutageLogLine::End);
        }
        if self.logged_at.is_some_and(|at| now.saturating_duration_since(at) < LOGGED_EVERY) {
            return None;
        }
        self.logged_at = Some(now);
        self.end_is_unlogged = true;
        Some(OutageLogLine::Begin)
    }
}

/// Keeps the state of one outage for the readiness probe and the metrics.
#[derive(Debug)]
pub(crate) struct OutageMonitor {
    outage: StoreOutage,
    state: Mutex<OutageState>,
}

impl OutageMonitor {
    pub(crate) fn new(outage: StoreOutage) -> Self {
        gauge!(outage.gauge()).set(0.0);
        Self { outage, state: Mutex::default() }
    }

    /// Notes that an attempt failed because of it, and why.
    pub(crate) fn record_failure(&self, reason: &str) {
        if self.note(true) == Some(OutageLogLine::Begin) {
            self.outage.log_begin(reason);
        }
    }

    /// Notes that an attempt succeeded that would have failed because of it.
    pub(crate) fn record_success(&self) {
        if self.note(false) == Some(OutageLogLine::End) {
            self.outage.log_end();
        }
    }

    fn note(&self, lasts: bool) -> Option<OutageLogLine> {
        let mut state = self.lock();
        if state.lasts != lasts {
            gauge!(self.outage.gauge()).set(if lasts { 1.0 } else { 0.0 });
        }
        state.note(lasts, Instant::now())
    }

    pub(crate) fn is_active(&self) -> bool {
        self.lock().lasts
    }

    fn lock(&self) -> MutexGuard<'_, OutageState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LOGGED_EVERY, OutageLogLine, OutageMonitor, OutageState, StoreOutage};

    #[test]
    fn a_full_disk_is_logged_once_however_many_files_it_refuses() {
        let (mut state, now) = (OutageState::default(), Instant::now());
        assert_eq!(state.note(false, now), None);
        assert_eq!(state.note(true, now), Some(OutageLogLine::Begin));
        for second in 0..1_000 {
            assert_eq!(state.note(true, now + Duration::from_secs(second)), None);
        }
        assert_eq!(state.note(false, now), Some(OutageLogLine::End));
        assert_eq!(state.note(false, now), None);
    }

    #[test]
    fn small_and_large_files_in_turn_fill_no_log() {
        let (mut state, now) = (OutageState::default(), Instant::now());
        assert_eq!(state.note(true, now), Some(OutageLogLine::Begin));
        assert_eq!(state.note(false, now), Some(OutageLogLine::End));
        for _ in 0..1_000 {
            assert_eq!(state.note(true, now), None);
            assert_eq!(state.note(false, now), None);
        }
        assert_eq!(state.note(true, now + LOGGED_EVERY), Some(OutageLogLine::Begin));
    }

    #[test]
    fn the_last_attempt_decides_whether_there_is_room() {
        let monitor = OutageMonitor::new(StoreOutage::DiskFull);
        assert!(!monitor.is_active());
        monitor.record_failure("");
        assert!(monitor.is_active());
        monitor.record_success();
        assert!(!monitor.is_active());
    }
}
