//! When the requests of an open loop are due, and who sends the next one.
//!
//! tokio's timers are exact to a millisecond, which would be most of what an idle service's latency shows; on Linux a
//! timer of the kernel is exact to some microseconds.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// A constant rate, from the start of the run. Arithmetic without a clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    interval_ns: f64,
}

impl Schedule {
    /// So many requests per second.
    pub fn new(rate: f64) -> Self {
        Self { interval_ns: 1e9 / rate }
    }

    /// When request number `n`, counted from 0, is due, after the start. Computed from `n` each time, so that rounding
    /// does not add up.
    pub fn due_at(&self, n: u64) -> Duration {
        Duration::from_nanos(nanos(self.interval_ns * as_f64(n)))
    }

    /// How many requests are due at or before `elapsed`.
    pub fn due_by(&self, elapsed: Duration) -> u64 {
        let elapsed_ns = as_f64(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        let mut count = nanos(elapsed_ns / self.interval_ns);
        // The division may round to either side of a whole number; `due_at` decides.
        while self.due_at(count) <= elapsed {
            count += 1;
        }
        while count > 0 && self.due_at(count - 1) > elapsed {
            count -= 1;
        }
        count
    }
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a hundred days stay below 2^53")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and `as` saturates")]
fn nanos(value: f64) -> u64 {
    value as u64
}

/// The requests of a schedule in the order in which they are due, each for the first connection that is free.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) schedule: Schedule,
    due: Semaphore,
    taken: AtomicU64,
}

impl Turns {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self { schedule, due: Semaphore::new(0), taken: AtomicU64::new(0) }
    }

    /// When the next request was due, once its time has come; `None` at the end of the schedule.
    pub(super) async fn next(&self, started: Instant) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        Some(started + self.schedule.due_at(self.taken.fetch_add(1, Ordering::Relaxed)))
    }

    /// Lets the requests of the schedule become due until `end`.
    pub(super) async fn pace(&self, started: Instant, end: Instant) -> io::Result<()> {
        let timer = ScheduleTimer::new()?;
        let mut released = 0;
        loop {
            let count = self.schedule.due_by(started.elapsed());
            self.due.add_permits(usize::try_from(count - released).unwrap_or_default());
            released = count;
            let next = (started + self.schedule.due_at(released)).min(end);
            timer.sleep(next.saturating_duration_since(Instant::now())).await?;
            if next == end {
                self.due.close();
                return Ok(());
            }
        }
    }
}

#[cfg(target_os = "linux")]
struct ScheduleTimer(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl ScheduleTimer {
    fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "its heir is `unsafe`; an `OwnedFd` keeps its promise to stay open and the same")]
        let registered = tokio::io::unix::AsyncFd::new(timer)?;
        Ok(Self(registered))
    }

    async fn sleep(&self, time: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        if time.is_zero() {
            // Behind the schedule: the connections must get their turn all the same.
            tokio::task::yield_now().await;
            return Ok(());
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once =
            Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value: once })?;
        let mut expirations = [0; 8];
        loop {
            let mut ready = self.0.readable().await?;
            match rustix::io::read(&self.0, &mut expirations) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct ScheduleTimer;

#[cfg(not(target_os = "linux"))]
impl ScheduleTimer {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn sleep(&self, time: Duration) -> io::Result<()> {
        tokio::time::sleep(time).await;
        Ok(())
    }
}
