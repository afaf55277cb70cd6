//! Databases that look as in use, of any size, made by SQL.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use test_servers::postgres::PrivatePostgres;

use super::BenchRun;
use super::chat::{Database, migrate};
use super::postgres;
use super::scratch::free_gib;

const FILL: &str = include_str!("fill.sql");

/// Messages of a session on average.
const MESSAGES_A_SESSION: u64 = 100;

/// Messages of every tenth session; the others have 50.
pub(super) const LONG_SESSION: u32 = 550;

/// How large a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) messages: u64,
}

impl Size {
    pub(super) const fn of(messages: u64) -> Self {
        Self { messages }
    }

    /// For the command line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<u64>() {
            Ok(messages) if messages >= 10_000 && messages.is_multiple_of(1_000) => Ok(Self { messages }),
            _ => Err("must be a multiple of 1,000 and at least 10,000, such as 1000000".to_owned()),
        }
    }

    pub(super) fn sessions(self) -> u64 {
        self.messages / MESSAGES_A_SESSION
    }

    /// With indexes, and with what PostgreSQL's log and the sorting take meanwhile; measured at 10^7.
    fn gib(self) -> f64 {
        let thousands = u32::try_from(self.messages / 1_000).unwrap_or(u32::MAX);
        f64::from(thousands) * 0.000_7
    }
}

/// A database that was filled.
pub(super) struct Filled {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) size: Size,
}

/// What the server's log may take.
const LOG_GIB: f64 = 8.0;

/// Makes and fills a database a size. Afterwards everything is on the disk and in memory as far as it fits.
pub(super) fn databases(run: &BenchRun, server: &PrivatePostgres, sizes: &[Size]) -> anyhow::Result<Vec<Filled>> {
    let needed = LOG_GIB + sizes.iter().map(|size| size.gib()).sum::<f64>();
    let free = free_gib(server.socket_dir())?;
    println!("  needs {needed:.0} GiB of disk while it runs; {free:.0} GiB are free");
    ensure!(free > needed, "that is too little: name a directory on another disk in TMPDIR, or fewer --sizes");
    // It would make the generation several times longer.
    set_fsync(server, "off")?;
    let filled = sizes.iter().map(|size| fill(run, server, *size)).collect::<anyhow::Result<Vec<_>>>()?;
    set_fsync(server, "on")?;
    server.sql("postgres", "CHECKPOINT")?;
    // What was written while fsync was off is not known to the server as unsynced, and would go out during the measurement.
    let synced = Command::new("sync").arg("--file-system").arg(server.socket_dir()).status().context("sync")?;
    ensure!(synced.success(), "sync failed: {synced}");
    Ok(filled)
}

fn fill(run: &BenchRun, server: &PrivatePostgres, size: Size) -> anyhow::Result<Filled> {
    let started = Instant::now();
    let name = format!("chat_{}", size.messages);
    let url = postgres::create(server, &name)?;
    migrate(Database::Postgres(&url), &run.path(&name))?;
    let sessions = size.sessions();
    server.sql(&name, &format!("\\set sessions {sessions}\n{FILL}"))?;
    server.sql(&name, WARM)?;
    let mib = server.sql("postgres", &format!("SELECT pg_database_size('{name}') / 1048576"))?;
    let seconds = started.elapsed().as_secs_f64();
    println!("  {} messages in {sessions} sessions: {mib} MiB, made in {seconds:.0} s", size.messages);
    Ok(Filled { name, url, size })
}

/// Reads tables and indexes into the server's memory, so that the first rounds do not pay for it.
const WARM: &str = "
    CREATE EXTENSION pg_prewarm;
    SELECT sum(pg_prewarm(oid::REGCLASS)) FROM pg_class
    WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::REGNAMESPACE";

fn set_fsync(server: &PrivatePostgres, value: &str) -> anyhow::Result<()> {
    server.sql("postgres", &format!("ALTER SYSTEM SET fsync = {value}; SELECT pg_reload_conf()"))?;
    Ok(())
}

/// Ids of sessions that fulfil a condition, in random order.
pub(super) fn sessions(
    server: &PrivatePostgres,
    database: &str,
    condition: &str,
    at_most: u32,
) -> anyhow::Result<Vec<String>> {
    let sql = format!("SELECT id FROM chat_sessions WHERE {condition} ORDER BY random() LIMIT {at_most}");
    Ok(server.sql(database, &sql)?.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_of_messages_that_makes_whole_sessions() {
        assert_eq!(Size::parse("10000").map(Size::sessions), Ok(100));
        for wrong in ["", "1000", "10001", "10500", "many", "-1"] {
            assert!(Size::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
