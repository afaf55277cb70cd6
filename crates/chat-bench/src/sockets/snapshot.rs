//! How long a socket takes from its connection until it has the snapshot of its inbox.

use std::path::Path;
use std::time::Duration;

use super::crowd::Crowd;
use crate::chat::Chat;

/// Sockets that are opened one after the other.
const OPENED: &str = "50";
const HELD: Duration = Duration::from_millis(1);

/// The median in milliseconds, of sockets of admins with the view `waiting`, whose snapshot has its 100 first sessions.
pub(crate) fn snapshot_latency(chat: &Chat, data: &Path) -> anyhow::Result<f64> {
    let crowd = Crowd::of_chat(chat, data);
    let report = crowd.run("hold", &["--sockets", OPENED, "--at-once", "1", "--inbox", "waiting"], HELD)?;
    Ok(report.number("/handshakeUs/p50")? / 1_000.0)
}
