//! How long a message takes from the `POST` to a socket, at a fixed rate, on the node it was sent to and on others.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::crowd::{Crowd, report};
use crate::commands::bench::chat::Chat;
use crate::commands::bench::figures::Figures;
use crate::commands::bench::load::Load;

/// Sessions with one socket each.
pub(super) const SESSIONS: usize = 64;
const RATE: &str = "2000";
/// More than enough for the senders' rate.
const CONNECTIONS: usize = 64;
/// Sockets open in this time, and messages that were sent last arrive.
const MARGIN: Duration = Duration::from_millis(1_500);

/// Sends to a node and watches on nodes, each with its data and its name in the figures.
pub(super) fn measure(
    figures: &mut Figures,
    sender: &Chat,
    nodes: &[(&Chat, &Path, &str)],
    sessions: &Path,
    length: Duration,
) -> anyhow::Result<()> {
    let load = Load::sending(sender, sessions).at_rate(RATE);
    let watches: Vec<_> = nodes
        .iter()
        .map(|(node, data, name)| {
            let mut watch = Crowd::of_chat(node, data).in_sessions(sessions).watch(SESSIONS, length + 2 * MARGIN);
            Ok((watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?, *name))
        })
        .collect::<anyhow::Result<_>>()?;
    thread::sleep(MARGIN);
    let sent = load.run(CONNECTIONS, length)?;
    figures.record(format!("POST …/messages at {RATE}/s, p50"), "ms", sent.p50_ms);
    figures.record(format!("POST …/messages at {RATE}/s, p99"), "ms", sent.p99_ms);
    for (watch, name) in watches {
        let received = report(&watch.wait_with_output()?)?;
        figures.record(p50(name), "ms", received.number("/deliveryUs/p50")? / 1_000.0);
        figures.record(p99(name), "ms", received.number("/deliveryUs/p99")? / 1_000.0);
    }
    Ok(())
}

pub(super) fn p50(node: &str) -> String {
    format!("POST to a socket {node} at {RATE}/s, p50")
}

pub(super) fn p99(node: &str) -> String {
    format!("POST to a socket {node} at {RATE}/s, p99")
}
