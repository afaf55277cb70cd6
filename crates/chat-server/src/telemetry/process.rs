//! Figures about the process itself, under the names that Prometheus' own clients use
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{Gauge, gauge};
use rustix::process::{Resource, getrlimit};

/// The figures that are read again for each scrape.
#[derive(Clone)]
pub(crate) struct ProcessMetrics {
    resident_memory: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
}

impl ProcessMetrics {
    /// Tells what stays as it is, and prepares to tell the rest.
    pub(crate) fn start() -> Self {
        gauge!("chat_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        // The process is younger than a second by now.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        gauge!("process_start_time_seconds").set(now.as_secs_f64());
        Self {
            resident_memory: gauge!("process_resident_memory_bytes"),
            open_fds: gauge!("process_open_fds"),
            max_fds: gauge!("process_max_fds"),
        }
    }

    /// Reads the figures from `/proc`. Where there is none, they stay at zero.
    pub(crate) fn update(&self) {
        if let Some(bytes) = resident_bytes() {
            self.resident_memory.set(bytes);
        }
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            // Above what a float holds exactly, a limit is none.
            self.max_fds.set(f64::from(u32::try_from(limit).unwrap_or(u32::MAX)));
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory itself, which is being read. The count is far from where a float is inexact.
            let open = u32::try_from(open.count().saturating_sub(1)).unwrap_or(u32::MAX);
            self.open_fds.set(f64::from(open));
        }
    }
}

/// Resident memory as the kernel counts it (`proc_pid_status(5)`).
fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib * 1024.0)
}
