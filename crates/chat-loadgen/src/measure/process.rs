//! What a process uses, from the kernel's accounts (`proc(5)`). Where there are none, or the process is gone, figures
//! are `None`.

use std::fs;
use std::time::Duration;

/// A clock tick of `/proc`, `USER_HZ`: 100 a second on every Linux platform of today.
const TICK: Duration = Duration::from_millis(10);

/// How much processor time a process has used since the meter was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuMeter {
    process: u32,
    at_start: Option<Duration>,
}

impl CpuMeter {
    pub(crate) fn own() -> Self {
        Self::of(std::process::id())
    }

    pub(crate) fn of(process: u32) -> Self {
        Self { process, at_start: cpu_time(process) }
    }

    /// Since the start. Exact to about 20 ms.
    pub(crate) fn elapsed(&self) -> Option<Duration> {
        Some(cpu_time(self.process)?.saturating_sub(self.at_start?))
    }
}

fn cpu_time(process: u32) -> Option<Duration> {
    cpu_ticks(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?).map(|ticks| TICK * ticks)
}

/// Fields 14 and 15, user and system time. The name in field 2 may contain anything, so counting starts after it.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// What a process has in memory now, in KiB.
pub(crate) fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(process: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{process}/fd")).ok()?.count())
}

/// The most memory that a process has while something goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryMeter {
    process: Option<u32>,
    /// KiB at the beginning.
    pub(crate) before: Option<u64>,
    /// The most KiB that were seen.
    pub(crate) peak: Option<u64>,
}

impl MemoryMeter {
    /// How often to sample.
    pub(crate) const EVERY: Duration = Duration::from_millis(250);

    /// Begins now. Without a process nothing is known.
    pub(crate) fn of(process: Option<u32>) -> Self {
        let before = process.and_then(resident_kib);
        Self { process, before, peak: before }
    }

    /// Takes the memory of this moment into account, and returns it.
    pub(crate) fn sample(&mut self) -> Option<u64> {
        let now = self.process.and_then(resident_kib);
        self.peak = self.peak.max(now);
        now
    }

    /// From the beginning to the most, in KiB.
    pub(crate) fn grown(&self) -> Option<u64> {
        Some(self.peak?.saturating_sub(self.before?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_after_any_process_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("nonsense"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory_and_a_missing_one_does_not() {
        assert!(resident_kib(std::process::id()).is_some_and(|kib| kib > 100));
        assert!(descriptors(std::process::id()).is_some_and(|count| count > 0));
        assert_eq!((resident_kib(u32::MAX), descriptors(u32::MAX)), (None, None));
    }
}
