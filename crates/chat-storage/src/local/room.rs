//! Whether the disk has room, as the last attempt to write found it.
//!
//! A client can send a file to a full disk as often as it likes, and on a disk that is nearly full a small file has room
//! where a large one has none. So the log has a line where the state changes, and seldom, and none for each file.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;

/// How long it takes from one line about a full disk to the next.
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// 1 while the disk is full.
const GAUGE: &str = "chat_attachments_full";

/// What is known of the disk's room.
#[derive(Debug, Default)]
struct State {
    is_full: bool,
    /// When the log last had a line that it is full.
    logged_at: Option<Instant>,
    /// Whether the log is to have a line that there is room.
    owed: bool,
}

/// What the log is to have.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Full,
    HasRoom,
}

impl State {
    fn note(&mut self, has_room: bool, now: Instant) -> Option<Line> {
        if self.is_full != has_room {
            return None;
        }
        self.is_full = !has_room;
        if has_room {
            return std::mem::take(&mut self.owed).then_some(Line::HasRoom);
        }
        if self.logged_at.is_some_and(|at| now.saturating_duration_since(at) < LOGGED_EVERY) {
            return None;
        }
        self.logged_at = Some(now);
        self.owed = true;
        Some(Line::Full)
    }
}

/// Keeps the state for the readiness probe and the metrics.
#[derive(Debug)]
pub(super) struct Room(Mutex<State>);

impl Room {
    pub(super) fn new() -> Self {
        gauge!(GAUGE).set(0.0);
        Self(Mutex::default())
    }

    /// Notes that something was written, or that there was no room for it.
    pub(super) fn note(&self, has_room: bool) {
        let mut state = self.lock();
        if state.is_full != has_room {
            return;
        }
        gauge!(GAUGE).set(if has_room { 0.0 } else { 1.0 });
        match state.note(has_room, Instant::now()) {
            Some(Line::Full) => tracing::error!(
                "the attachment disk is full: files are refused until there is room on it, texts can be sent"
            ),
            Some(Line::HasRoom) => tracing::info!("the attachment disk has room again"),
            None => {}
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.lock().is_full
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LOGGED_EVERY, Line, Room, State};

    #[test]
    fn a_full_disk_is_logged_once_however_many_files_it_refuses() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(state.note(true, now), None);
        assert_eq!(state.note(false, now), Some(Line::Full));
        for second in 0..1_000 {
            assert_eq!(state.note(false, now + Duration::from_secs(second)), None);
        }
        assert_eq!(state.note(true, now), Some(Line::HasRoom));
        assert_eq!(state.note(true, now), None);
    }

    #[test]
    fn small_and_large_files_in_turn_fill_no_log() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(state.note(false, now), Some(Line::Full));
        assert_eq!(state.note(true, now), Some(Line::HasRoom));
        for _ in 0..1_000 {
            assert_eq!(state.note(false, now), None);
            assert_eq!(state.note(true, now), None);
        }
        assert_eq!(state.note(false, now + LOGGED_EVERY), Some(Line::Full));
    }

    #[test]
    fn the_last_attempt_decides_whether_there_is_room() {
        let room = Room::new();
        assert!(!room.is_full());
        room.note(false);
        assert!(room.is_full());
        room.note(true);
        assert!(!room.is_full());
    }
}
