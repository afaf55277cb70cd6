//! The comparison for reads: actix-web with a fixed answer.

use std::thread;

use super::http::{free_address, wait_for};
use super::process::{MeasuredProcess, command};
use super::programs::release;

/// `crates/chat-http/examples/hello.rs` on a free port.
pub(super) struct HelloServer {
    pub(super) address: String,
    pub(super) process: MeasuredProcess,
}

impl HelloServer {
    pub(super) fn start(bytes: usize) -> anyhow::Result<Self> {
        let address = free_address()?;
        let workers = thread::available_parallelism().map_or(2, usize::from);
        let mut hello = command(&release("examples/hello"));
        let process = MeasuredProcess::start(hello.args([&address, &bytes.to_string(), &workers.to_string()]))?;
        wait_for(&address, "/")?;
        Ok(Self { address, process })
    }
}
