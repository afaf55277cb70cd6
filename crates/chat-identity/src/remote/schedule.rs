//! When a key set is fetched: at intervals, and sooner for a token that names an unknown key, but seldom.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

/// How long keys are used before they are fetched again: the longest that a key counts after its removal.
pub(super) const REFRESH_EVERY: Duration = Duration::from_mins(1);
/// The same after a fetch that failed.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(10);
/// How often unknown keys cause a fetch at most. Any client can send a token that names one.
const UNKNOWN_KEY_EVERY: Duration = Duration::from_secs(30);
/// How long the check of a token waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(5);

/// The order of the fetches of one key set. One task makes them, so there is one at a time, and a client that goes away
/// ends none.
pub(super) struct FetchSchedule {
    state: Mutex<FetchState>,
    requested: Notify,
    finished: watch::Sender<u64>,
}

#[derive(Default)]
struct FetchState {
    is_running: bool,
    is_requested: bool,
    last_request: Option<Instant>,
}

impl Default for FetchSchedule {
    fn default() -> Self {
        Self { state: Mutex::default(), requested: Notify::new(), finished: watch::Sender::new(0) }
    }
}

impl FetchSchedule {
    /// Requests a fetch on account of an unknown key, unless one was requested a moment ago, and waits for it or for
    /// the fetch that runs. Returns whether a fetch has finished meanwhile.
    pub(super) async fn fetched_for_unknown_key(&self) -> bool {
        let mut finished = self.finished.subscribe();
        if !self.request() {
            return false;
        }
        matches!(timeout(PATIENCE, finished.changed()).await, Ok(Ok(())))
    }

    /// Whether a fetch runs or will run soon.
    fn request(&self) -> bool {
        let mut state = self.state();
        if state.is_running || state.is_requested {
            return true;
        }
        let now = Instant::now();
        if state.last_request.is_some_and(|last| now - last < UNKNOWN_KEY_EVERY) {
            return false;
        }
        state.last_request = Some(now);
        state.is_requested = true;
        self.requested.notify_one();
        true
    }

    /// Waits until a fetch is due, after this time at the latest.
    pub(super) async fn due(&self, after: Duration) {
        tokio::select! {
            () = sleep(after) => {}
            () = self.requested.notified() => {}
        }
    }

    /// Runs a fetch that is due.
    pub(super) async fn run<T>(&self, fetch: impl Future<Output = T>) -> T {
        self.begin();
        let outcome = fetch.await;
        self.state().is_running = false;
        self.finished.send_modify(|number| *number += 1);
        outcome
    }

    fn begin(&self) {
        let mut state = self.state();
        state.is_running = true;
        state.is_requested = false;
    }

    /// The number of fetches that have finished.
    pub(super) fn finished(&self) -> watch::Receiver<u64> {
        self.finished.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, FetchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::task::JoinSet;
    use tokio::time::advance;

    use super::*;

    /// A schedule whose fetches take a second each, and how many there were.
    fn running() -> (Arc<FetchSchedule>, Arc<AtomicU32>, JoinSet<()>) {
        let (schedule, fetches) = (Arc::new(FetchSchedule::default()), Arc::new(AtomicU32::new(0)));
        let mut task = JoinSet::new();
        task.spawn({
            let (schedule, fetches) = (Arc::clone(&schedule), Arc::clone(&fetches));
            async move {
                loop {
                    schedule.due(REFRESH_EVERY).await;
                    schedule.run(sleep(Duration::from_secs(1))).await;
                    fetches.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        (schedule, fetches, task)
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_unknown_keys_a_second_cause_one_fetch_in_30_seconds() {
        let (schedule, fetches, _task) = running();
        for _second in 0..120 {
            for _ in 0..1_000 {
                // Of a client that goes away at once.
                let _is_coming = schedule.request();
            }
            advance(Duration::from_secs(1)).await;
        }
        assert!((3..=4).contains(&fetches.load(Ordering::Relaxed)), "{fetches:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_at_the_same_time_share_one_fetch() {
        let (schedule, fetches, _task) = running();
        let mut waiting = JoinSet::new();
        for _ in 0..100 {
            let schedule = Arc::clone(&schedule);
            waiting.spawn(async move { schedule.fetched_for_unknown_key().await });
        }
        assert_eq!(waiting.join_all().await, [true; 100]);
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
        assert!(!schedule.fetched_for_unknown_key().await, "the next one is 30 seconds later");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_at_intervals_without_any_request() {
        let (_schedule, fetches, _task) = running();
        sleep(REFRESH_EVERY * 5 + Duration::from_secs(10)).await;
        assert_eq!(fetches.load(Ordering::Relaxed), 5);
    }
}
