//! Wakes connections of an open loop when requests are due.
//!
//! tokio's timers are exact to a millisecond, which would be most of what an idle service's latency shows; on Linux a
//! timer of the kernel is exact to some microseconds. One pacer serves all connections of a thread.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Schedule;

/// Releases one permit of `due` for each request of the schedule, when its time has come, until `end`.
pub(super) async fn pace(schedule: Schedule, started: Instant, end: Instant, due: &Semaphore) -> io::Result<()> {
    let timer = Timer::new()?;
    let mut released = 0;
    loop {
        let elapsed = started.elapsed();
        let count = schedule.due_by(elapsed);
        due.add_permits(usize::try_from(count - released).unwrap_or_default());
        released = count;
        let next = (started + schedule.due_at(released)).min(end);
        timer.sleep(next.saturating_duration_since(Instant::now())).await?;
        if next == end {
            return Ok(());
        }
    }
}

#[cfg(target_os = "linux")]
struct Timer(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Timer {
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
struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn sleep(&self, time: Duration) -> io::Result<()> {
        tokio::time::sleep(time).await;
        Ok(())
    }
}
