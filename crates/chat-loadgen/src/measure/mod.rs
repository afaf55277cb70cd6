//! Counting and timing of requests, the line of progress, and the figures at the end.

mod cpu;
mod memory;
mod progress;
mod report;
mod tally;

pub(crate) use cpu::CpuMeter;
pub(crate) use memory::{MemoryMeter, resident_kib};
pub(crate) use progress::Progress;
pub(crate) use report::{Figures, listed};
pub use report::{Latency, Report};
pub(crate) use tally::{Recorder, Sample, Tally, histogram, micros};
