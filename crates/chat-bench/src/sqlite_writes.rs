//! Durable messages on SQLite, beside a plain diesel loop that inserts the same rows, a transaction each
//! (`crates/chat-sqlite/examples/one_row_per_transaction.rs`).

use anyhow::{Context, ensure};

use super::chat::{Chat, Database};
use super::figures::{Figures, Goal, counted};
use super::load::Load;
use super::process::command;
use super::programs::release;
use super::{BenchRun, sample};

const SESSIONS: usize = 64;
const CONNECTIONS: [usize; 3] = [1, 8, 64];
const LOOP: &str = "rows, a transaction each, plain diesel loop";

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.path("sqlite");
    {
        let chat = Chat::start(Database::Sqlite, &data, &[])?;
        let sessions = chat.open_sessions(SESSIONS)?;
        let load = Load::sending(&chat, &sample::draw(run.path("sqlite-sessions"), &sessions)?);
        for _ in run.rounds("SQLite, durable messages") {
            for connections in CONNECTIONS {
                figures.record(LOOP, "/s", rows_one_by_one(run)?);
                load.run(connections, run.length)?.record(&mut figures, &post(connections));
            }
        }
        figures.record("resident memory after the load on SQLite", "MiB", chat.process.resident_mib()?);
    }
    for connections in CONNECTIONS {
        let goal = (connections == 64).then_some(Goal::AtLeast(3.5));
        figures.ratio(&post(connections), LOOP, goal)?;
    }
    let again = Chat::start(Database::Sqlite, &data, &[])?;
    let messages = again.number("/api/chat/stats", "messagesExchanged")?;
    let start_ms = again.first_answer_after.as_secs_f64() * 1_000.0;
    figures.record(format!("start to first answer with {messages} messages on SQLite"), "ms", start_ms);
    Ok(figures)
}

fn post(connections: usize) -> String {
    format!("POST …/messages on SQLite, {}", counted(connections, "connection"))
}

/// The rate of the plain loop, which it prints as the last word before `rows/s`. Its database is where ours are.
fn rows_one_by_one(run: &BenchRun) -> anyhow::Result<f64> {
    let seconds = run.length.as_secs().max(1).to_string();
    let mut rows = command(&release("examples/one_row_per_transaction"));
    let output = rows.arg(seconds).env("TMPDIR", run.scratch.path()).output()?;
    ensure!(output.status.success(), "the loop of single rows failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let before_unit = text.rsplit_once(" rows/s").map_or("", |(before, _)| before);
    let rate = before_unit.split_whitespace().last();
    rate.and_then(|rate| rate.parse().ok()).with_context(|| format!("no rate in: {text}"))
}
