//! Resident memory of a process, from the kernel's accounts (`proc(5)`).

use std::fs;
use std::time::Duration;

/// What a process has in memory now, in KiB; `None` where the kernel has no such account or the process is gone.
pub(crate) fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// How much memory a process has while something goes on, against before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryMeter {
    process: Option<u32>,
    before: Option<u64>,
    peak: Option<u64>,
}

impl MemoryMeter {
    /// How often to look.
    pub(crate) const EVERY: Duration = Duration::from_millis(250);

    /// Begins now. Without a process nothing is known.
    pub(crate) fn of(process: Option<u32>) -> Self {
        let before = process.and_then(resident_kib);
        Self { process, before, peak: before }
    }

    /// Takes the memory of this moment into account.
    pub(crate) fn look(&mut self) {
        self.peak = self.peak.max(self.process.and_then(resident_kib));
    }

    /// KiB at the beginning.
    pub(crate) fn before(&self) -> Option<u64> {
        self.before
    }

    /// The most KiB that were seen.
    pub(crate) fn peak(&self) -> Option<u64> {
        self.peak
    }

    /// The difference of the two.
    pub(crate) fn grown(&self) -> Option<u64> {
        Some(self.peak?.saturating_sub(self.before?))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some_memory_and_one_that_is_not_there_has_none() {
        assert!(resident_kib(std::process::id()).is_some_and(|kib| kib > 100));
        assert_eq!(resident_kib(u32::MAX), None);
    }
}
