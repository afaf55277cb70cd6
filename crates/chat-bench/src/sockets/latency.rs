//! How long a message takes from the `POST` to a socket, at a fixed rate, on the node it was sent to and on others.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use test_servers::postgres::PrivatePostgres;

use super::crowd::{Crowd, report};
use crate::chat::Chat;
use crate::figures::Figures;
use crate::load::Load;
use crate::pgbench::Script;
use crate::{BenchRun, writes};

/// Sessions with one socket each.
pub(super) const SESSIONS: usize = 64;
const RATE: &str = "2000";
/// More than enough for the senders' rate.
const CONNECTIONS: usize = 64;
/// Sockets open in this time, and messages that were sent last arrive.
const MARGIN: Duration = Duration::from_millis(1_500);

/// Of pgbench: as many as bring it to the rate when a commit takes 4 ms.
const CLIENTS: usize = 8;

/// How long the database itself takes for the same rows at the same rate, a transaction each: what is left to the service
/// is the difference.
pub(super) struct Floor<'a>(Script<'a>);

impl<'a> Floor<'a> {
    pub(super) fn new(run: &BenchRun, server: &'a PrivatePostgres, database: &'a str) -> anyhow::Result<Self> {
        server.sql(database, writes::SETUP)?;
        let file = run.path("one-at-a-rate.sql");
        Ok(Self(Script::new(server, database, file, writes::ONE_STATEMENT, writes::SESSIONS)?))
    }

    pub(super) fn measure(&self, figures: &mut Figures, run: &BenchRun) -> anyhow::Result<()> {
        let times = self.0.run_at_rate(RATE, CLIENTS, run.length, &run.path("."))?;
        figures.record(floor("p50"), "ms", times.p50_ms);
        figures.record(floor("p99"), "ms", times.p99_ms);
        Ok(())
    }
}

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
            let mut watch =
                Crowd::of_chat(node, data).in_sessions(sessions).start("hold", SESSIONS, length + 2 * MARGIN);
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

pub(super) fn floor(which: &str) -> String {
    format!("commit of one message by pgbench at {RATE}/s, {which}")
}
