//! Pages of messages on PostgreSQL: from the database beside pgbench with the same SQL, from the cache beside actix-web with
//! the same number of bytes.

use anyhow::Context;

use super::chat::{Chat, Database};
use super::figures::{Figures, Goal};
use super::fill::{self, Size};
use super::hello::HelloServer;
use super::load::Load;
use super::pgbench::Script;
use super::{BenchRun, postgres, sample};

const SIZE: Size = Size::of(100_000);
const CONNECTIONS: usize = 64;
/// More sessions than the cache of pages holds would be a measurement of the database.
const CACHED_SESSIONS: u32 = 64;
const PAGE: &str = "/api/chat/sessions/{session}/messages?limit=50";
/// What the service asks the database for a page.
const SQL: &str = include_str!("reads/page.sql");
const CLIENTS: [usize; 4] = [2, 4, 8, 16];

const DATABASE: &str = "GET …/messages?limit=50 from the database, 64 connections";
const CACHE: &str = "GET …/messages?limit=50 from the cache, 64 connections";
const FIXED: &str = "actix-web with a fixed answer of the same size, 64 connections";
const PGBENCH: &str = "pgbench with the page's SQL";

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let server = postgres::start()?;
    let filled = fill::databases(run, &server, &[SIZE])?;
    let filled = filled.first().context("no database")?;
    let database = Database::Postgres(&filled.url);

    let uncached = Chat::start(database, &run.path("reads-uncached"), &["--page-cache", "0"])?;
    let all = fill::sessions(&server, &filled.name, "true", u32::MAX)?;
    let all_drawn = sample::draw(run.path("reads-sessions"), &all)?;
    let from_database = Load::reading(&uncached, PAGE, &all_drawn);

    let cached = Chat::start(database, &run.path("reads-cached"), &[])?;
    let some = fill::sessions(&server, &filled.name, "true", CACHED_SESSIONS)?;
    let from_cache = Load::reading(&cached, PAGE, &sample::draw(run.path("reads-cached-sessions"), &some)?);

    let first = some.first().context("the database has no session")?;
    let bytes = cached.get(&PAGE.replace("{session}", first))?.len();
    let hello = HelloServer::start(bytes)?;
    let fixed = Load::of_hello(&hello);
    println!("  a page has {bytes} bytes");

    let sessions = usize::try_from(SIZE.sessions())?;
    let script = Script::new(&server, &filled.name, run.path("page.sql"), SQL, sessions)?;
    for _ in run.rounds("reads on PostgreSQL") {
        for clients in CLIENTS {
            let speed = script.run(clients, run.length)?;
            figures.record(pgbench(clients), "/s", speed.per_second);
        }
        from_database.run(CONNECTIONS, run.length)?.record(&mut figures, DATABASE);
        fixed.run(CONNECTIONS, run.length)?.record(&mut figures, FIXED);
        from_cache.run(CONNECTIONS, run.length)?.record(&mut figures, CACHE);
    }
    let best = best(&figures)?;
    figures.ratio(DATABASE, &best, Some(Goal::AtLeast(0.6)))?;
    figures.ratio(CACHE, FIXED, Some(Goal::AtLeast(0.5)))?;
    Ok(figures)
}

fn pgbench(clients: usize) -> String {
    format!("{PGBENCH}, {clients} clients")
}

/// The name of pgbench's figure at the number of clients at which it is fastest.
fn best(figures: &Figures) -> anyhow::Result<String> {
    let mut best = (pgbench(CLIENTS[0]), 0.0);
    for name in CLIENTS.map(pgbench) {
        let median = figures.median(&name)?;
        if median > best.1 {
            best = (name, median);
        }
    }
    Ok(best.0)
}
