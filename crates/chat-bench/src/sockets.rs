//! Sockets of one server on PostgreSQL, beside a bare actix-ws server with the same allocator: what an idle one costs, how
//! fast they open and resume, how many frames a second come out, how long a message takes to a socket, and what it is to
//! the others when some do not read.

mod bare;
mod crowd;
mod latency;
mod nodes;
mod snapshot;
mod stalled;

use std::time::Duration;

use self::bare::Bare;
use self::crowd::Crowd;
use super::chat::{Chat, Database};
use super::figures::{Figures, Goal};
use super::{BenchRun, postgres};

pub(super) use nodes::measure as measure_nodes;
pub(super) use snapshot::snapshot_latency;

/// Idle sockets, ten in a session.
const IDLE: usize = 10_000;
const SESSIONS: usize = 1_000;
/// Sockets that are dropped at once and resume.
const RESUMED: usize = 2_000;
/// Sockets of one session.
const LISTENERS: usize = 1_000;
const FRAME_BYTES: usize = 300;
/// Messages on their way to all sockets: one after the other, some, and as many as keep both servers busy all the time.
const WINDOWS: [usize; 3] = [1, 8, BUSY];
const BUSY: usize = 64;
/// Idle sockets are held this long before the memory is read: the allocator gives back what the handshakes needed.
const HELD: Duration = Duration::from_secs(5);

/// What is compared with what.
const CHAT: &str = "chat-server";
const BARE: &str = "bare actix-ws";

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let server = postgres::start()?;
    let url = postgres::create(&server, "sockets")?;
    let database = Database::Postgres(&url);
    let data = run.path("sockets");
    let sessions = {
        let chat = Chat::start(database, &data, &[])?;
        let ids = run.path("socket-sessions");
        std::fs::write(&ids, chat.open_sessions(SESSIONS)?.join("\n"))?;
        ids
    };
    for _ in run.rounds("idle sockets") {
        // A process for each measurement: an allocator keeps what an earlier one has given back.
        idle(&mut figures, BARE, &Crowd::of_bare(&Bare::start()?))?;
        let chat = Chat::start(database, &data, &[])?;
        idle(&mut figures, CHAT, &Crowd::of_chat(&chat, &data).in_sessions(&sessions))?;
        drop(chat);
        let chat = Chat::start(database, &data, &[])?;
        resume(&mut figures, &Crowd::of_chat(&chat, &data).in_sessions(&sessions))?;
    }
    let (bare, chat) = (Bare::start()?, Chat::start(database, &data, &[])?);
    let (of_bare, of_chat) = (Crowd::of_bare(&bare), Crowd::of_chat(&chat, &data));
    for _ in run.rounds("frames to 1,000 sockets of a session") {
        for window in WINDOWS {
            fanout(&mut figures, BARE, window, &of_bare, run.length)?;
            fanout(&mut figures, CHAT, window, &of_chat, run.length)?;
        }
    }
    drop((bare, chat));
    let chat = Chat::start(database, &data, &[])?;
    let session = run.path("socket-session");
    std::fs::write(&session, chat.open_sessions(1)?.join("\n"))?;
    for _ in run.rounds("900 readers, with and without 100 that stall") {
        stalled::measure(&mut figures, &chat, &data, &session)?;
    }
    let drawn = super::sample::draw(run.path("socket-latency"), &chat.open_sessions(latency::SESSIONS)?)?;
    let floor = latency::Floor::new(run, &server, "sockets")?;
    for _ in run.rounds("2,000 messages a second") {
        floor.measure(&mut figures, run)?;
        latency::measure(&mut figures, &chat, &[(&chat, &data, "on its node")], &drawn, run.length)?;
    }
    stalled::conclude(&mut figures)?;
    goals(&mut figures)?;
    Ok(figures)
}

fn idle(figures: &mut Figures, server: &str, crowd: &Crowd) -> anyhow::Result<()> {
    let report = crowd.run("hold", &["--sockets", &IDLE.to_string()], HELD)?;
    figures.record(memory(server), "KiB", report.number("/serverKibPerSocket")?);
    figures.record(format!("connects, {server}"), "/s", report.number("/connectsPerSecond")?);
    let name = format!("processor time of a connect, {server}");
    figures.record(name, "µs each", report.number("/serverCpuUsPerConnect")?);
    let name = format!("processor while {IDLE} sockets are idle, {server}");
    figures.record(name, "% of a core", report.number("/serverCpuWhileHeld")? * 100.0);
    Ok(())
}

fn resume(figures: &mut Figures, crowd: &Crowd) -> anyhow::Result<()> {
    let report = crowd.run("hold", &["--sockets", &RESUMED.to_string(), "--resume"], Duration::from_secs(1))?;
    figures.record(
        format!("{RESUMED} sockets dropped at once, until all resumed"),
        "s",
        report.number("/resumeSeconds")?,
    );
    Ok(())
}

fn fanout(figures: &mut Figures, server: &str, window: usize, crowd: &Crowd, length: Duration) -> anyhow::Result<()> {
    let [sockets, bytes, messages] = [LISTENERS, FRAME_BYTES, window].map(|number| number.to_string());
    let report =
        crowd.run("fanout", &["--sockets", &sockets, "--frame-bytes", &bytes, "--window", &messages], length)?;
    figures.record(frames(server, window), "/s", report.number("/framesPerSecond")?);
    figures.record(frames_by_cpu(server, window), "/s", report.number("/framesPerServerCpuSecond")?);
    let name = format!("processor time of the generator per frame, {window} at a time, {server}");
    figures.record(name, "µs each", report.number("/generatorCpuUsPerFrame")?);
    figures.record(format!("bytes of a frame, {server}"), "bytes", report.number("/frameBytes")?);
    Ok(())
}

fn goals(figures: &mut Figures) -> anyhow::Result<()> {
    // What Node's `ws` takes on such a machine.
    figures.aim(&memory(CHAT), Goal::AtMost(6.3));
    figures.ratio(&memory(CHAT), &memory(BARE), Some(Goal::AtMost(1.2)))?;
    for window in WINDOWS {
        let goal = Goal::AtLeast(if window == BUSY { 1.5 } else { 1.0 });
        figures.ratio(&frames(CHAT, window), &frames(BARE, window), Some(goal))?;
        figures.ratio(&frames_by_cpu(CHAT, window), &frames_by_cpu(BARE, window), None)?;
    }
    let (p50, p99) = (latency::p50("on its node"), latency::p99("on its node"));
    figures.aim(&p50, Goal::AtMost(1.0));
    figures.aim(&p99, Goal::AtMost(3.0));
    figures.ratio(&p50, &latency::floor("p50"), None)?;
    figures.ratio(&p99, &latency::floor("p99"), None)?;
    Ok(())
}

fn memory(server: &str) -> String {
    format!("resident memory of an idle socket at {IDLE}, {server}")
}

fn frames(server: &str, window: usize) -> String {
    format!("frames of {FRAME_BYTES} bytes to {LISTENERS} sockets, {window} at a time, {server}")
}

fn frames_by_cpu(server: &str, window: usize) -> String {
    format!("frames per second of the server's processor time, {window} at a time, {server}")
}
