//! Counting and timing, the service's process in the kernel's accounts, and the figures at the end.

mod counts;
mod process;
mod report;

pub(crate) use counts::{Recorder, RequestCounts, Sample, histogram, micros};
pub(crate) use process::{CpuMeter, MemoryMeter, descriptors, resident_kib};
pub use report::LatencySummary;
pub(crate) use report::{as_f64, close_reasons, print_report, rounded};
