//! Processor time of this process and of the service, from the kernel's accounts (`proc(5)`).

use std::fs;
use std::time::Duration;

/// A clock tick of `/proc`, `USER_HZ`: 100 a second on every Linux platform of today.
const TICK: Duration = Duration::from_millis(10);

/// How much processor time a process has used since the meter was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuMeter {
    process: Option<u32>,
    at_start: Option<Duration>,
}

impl CpuMeter {
    /// Of this process.
    pub(crate) fn own() -> Self {
        Self { process: None, at_start: used(None) }
    }

    /// Of another process on this machine.
    pub(crate) fn of(process: u32) -> Self {
        Self { process: Some(process), at_start: used(Some(process)) }
    }

    /// Since the start; `None` where the kernel has no such account or the process is gone. Exact to about 20 ms.
    pub(crate) fn elapsed(&self) -> Option<Duration> {
        Some(used(self.process)?.saturating_sub(self.at_start?))
    }
}

fn used(process: Option<u32>) -> Option<Duration> {
    let path = process.map_or_else(|| "/proc/self/stat".to_owned(), |id| format!("/proc/{id}/stat"));
    ticks(&fs::read_to_string(path).ok()?).map(|ticks| TICK * ticks)
}

/// Fields 14 and 15, user and system time. The name in field 2 may contain anything, so counting starts after it.
fn ticks(stat: &str) -> Option<u32> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_after_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("nonsense"), None);
    }
}
