//! What the load generator costs: it shares the machine with what it measures, so its processor time is part of every figure.

use super::chat::{Chat, Database};
use super::figures::Figures;
use super::load::Load;
use super::wrk::Wrk;
use super::{BenchRun, sample};

const SESSIONS: usize = 64;
const CONNECTIONS: usize = 64;

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let chat = Chat::start(Database::Sqlite, &run.path("generators"), &[])?;
    let sessions = chat.open_sessions(SESSIONS)?;
    let drawn = sample::draw(run.path("generators-sessions"), &sessions)?;
    let path = "/api/chat/sessions/{session}/messages?limit=50";
    let ours = [Load::sending(&chat, &drawn), Load::reading(&chat, path, &drawn)];
    let wrk = [
        Wrk::sending(&chat, &sessions, &run.path("send.lua"))?,
        Wrk::reading(&chat, &sessions, &run.path("read.lua"))?,
    ];
    for _ in run.rounds("generators at 64 connections") {
        for ((what, ours), wrk) in ["POST", "GET"].into_iter().zip(&ours).zip(&wrk) {
            let wrk = wrk.run(CONNECTIONS, run.length)?;
            figures.record(format!("{what} by wrk"), "/s", wrk.per_second);
            figures.record(format!("{what} by wrk, processor time of wrk"), "µs each", wrk.generator_cpu_us);
            let ours = ours.run(CONNECTIONS, run.length)?;
            figures.record(format!("{what} by chat-loadgen"), "/s", ours.per_second);
            let name = format!("{what} by chat-loadgen, processor time of chat-loadgen");
            figures.record(name, "µs each", ours.generator_cpu_us);
        }
    }
    Ok(figures)
}
