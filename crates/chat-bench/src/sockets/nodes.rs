//! Two servers on one PostgreSQL and one Redis: how long a message takes to a socket of the other one, and what it costs the
//! servers when Redis is gone.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use test_servers::redis::PrivateRedis;

use super::crowd::{Crowd, report};
use super::latency;
use crate::chat::{Chat, Database};
use crate::figures::{Figures, Goal};
use crate::load::Load;
use crate::{BenchRun, postgres, sample};

/// What both servers sign and check tokens with.
const SECRET: &str = "a secret of the benchmark, which both servers share";
/// Messages per second while Redis is there and while it is not.
const RATE: &str = "500";
const CONNECTIONS: usize = 16;
/// A server has noticed by then that Redis is gone, or back, and has done what there is to do at once.
const NOTICED: Duration = Duration::from_secs(6);

const SAME: &str = "on its node";
const OTHER: &str = "on another node";

pub(crate) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let server = postgres::start()?;
    let url = postgres::create(&server, "nodes")?;
    let redis = PrivateRedis::start(&[]).context("no Redis server")?;
    let (redis_url, files) = (redis.url(), format!("file://{}", run.path("nodes-files").display()));
    let settings =
        [("CHAT_JWT_SECRET", SECRET), ("CHAT_REDIS_URL", redis_url.as_str()), ("CHAT_ATTACHMENTS_URL", files.as_str())];
    let data = [run.path("node-a"), run.path("node-b")];
    let start = |data: &Path| {
        std::fs::create_dir_all(data)?;
        // Where the sockets' generator looks for it.
        std::fs::write(data.join("development-secret"), SECRET)?;
        Chat::start_with(Database::Postgres(&url), data, &[], &settings)
    };
    let [a, b] = [start(&data[0])?, start(&data[1])?];
    let nodes = [(&a, data[0].as_path(), SAME), (&b, data[1].as_path(), OTHER)];
    let drawn = sample::draw(run.path("node-sessions"), &a.open_sessions(latency::SESSIONS)?)?;
    for _ in run.rounds("two nodes, 2,000 messages a second") {
        latency::measure(&mut figures, &a, &nodes, &drawn, run.length)?;
    }
    for _ in run.rounds("two nodes, with and without Redis") {
        fixed_load(&mut figures, "with Redis", &nodes, &drawn, run.length)?;
        redis.kill()?;
        std::thread::sleep(NOTICED);
        fixed_load(&mut figures, "without Redis", &nodes, &drawn, run.length)?;
        redis.start_again()?;
        std::thread::sleep(NOTICED);
    }
    let more = figures.median(&latency::p50(OTHER))? - figures.median(&latency::p50(SAME))?;
    figures.add("p50 on another node, above that on its own".to_owned(), "ms", more, Some(Goal::AtMost(1.0)));
    figures.ratio(&processor("without Redis"), &processor("with Redis"), Some(Goal::AtMost(1.5)))?;
    Ok(figures)
}

/// Processor time of both servers at a fixed rate.
fn fixed_load(
    figures: &mut Figures,
    what: &str,
    nodes: &[(&Chat, &Path, &str)],
    sessions: &Path,
    length: Duration,
) -> anyhow::Result<()> {
    let sender = nodes.first().context("no node")?.0;
    let watches: Vec<_> = nodes
        .iter()
        .map(|(node, data, _)| {
            let crowd = Crowd::of_chat(node, data).in_sessions(sessions);
            let mut watch = crowd.start("hold", latency::SESSIONS, length + Duration::from_secs(3));
            Ok(watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
        })
        .collect::<anyhow::Result<_>>()?;
    std::thread::sleep(Duration::from_secs(1));
    let used = || nodes.iter().map(|(node, _, _)| node.process.processor_time()).sum::<anyhow::Result<Duration>>();
    let before = used()?;
    let sent = Load::sending(sender, sessions).at_rate(RATE).run(CONNECTIONS, length)?;
    let share = used()?.saturating_sub(before).as_secs_f64() / length.as_secs_f64();
    figures.record(processor(what), "% of a core", share * 100.0);
    figures.record(format!("POST …/messages at {RATE}/s {what}, p99"), "ms", sent.p99_ms);
    for watch in watches {
        let received = report(&watch.wait_with_output()?)?;
        let name = format!("POST to a socket of either node at {RATE}/s {what}, p99");
        figures.record(name, "ms", received.number("/deliveryUs/p99")? / 1_000.0);
    }
    Ok(())
}

fn processor(what: &str) -> String {
    format!("processor of both servers at {RATE} messages a second, {what}")
}
