//! The comparison for sockets: actix-ws and nothing else.

use std::thread;

use super::super::http::{call, free_address, wait_for};
use super::super::process::{MeasuredProcess, command};
use super::super::programs::release;

/// `crates/chat-loadgen/examples/bare_actix_ws.rs` on a free port.
pub(super) struct Bare {
    pub(super) address: String,
    pub(super) process: MeasuredProcess,
}

impl Bare {
    pub(super) fn start() -> anyhow::Result<Self> {
        let address = free_address()?;
        let workers = thread::available_parallelism().map_or(2, usize::from);
        let mut bare = command(&release("examples/bare_actix_ws"));
        let process = MeasuredProcess::start(bare.args([&address, &workers.to_string()]))?;
        wait_for(&address, "/ready")?;
        // What the first publication sets up belongs to the server and not to its sockets.
        call(&address, "POST", "/publish", "", "no socket is here")?;
        Ok(Self { address, process })
    }
}
