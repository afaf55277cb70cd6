//! The PostgreSQL server under measurement: durable, with memory as its manual recommends.

use std::fs;

use anyhow::Context;
use test_servers::postgres::PrivatePostgres;

/// Starts it. `fsync` and `synchronous_commit` are on as everywhere, and named here because the figures depend on them.
///
/// A checkpoint would fall into some measurements and not into others: with this much room and time there is none but
/// those that are asked for.
pub(super) fn start() -> anyhow::Result<PrivatePostgres> {
    let shared_buffers = format!("{}MB", shared_buffers_mib());
    let settings = [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("shared_buffers", shared_buffers.as_str()),
        ("max_wal_size", "8GB"),
        ("checkpoint_timeout", "1h"),
    ];
    let server = PrivatePostgres::start(&settings).context("no PostgreSQL server to measure")?;
    println!("  PostgreSQL {} with shared_buffers = {shared_buffers}", version(&server)?);
    Ok(server)
}

/// Makes a database and returns its URL.
pub(super) fn create(server: &PrivatePostgres, database: &str) -> anyhow::Result<String> {
    server.sql("postgres", &format!("CREATE DATABASE {database}"))?;
    Ok(server.url(database))
}

fn version(server: &PrivatePostgres) -> anyhow::Result<String> {
    Ok(server.sql("postgres", "SHOW server_version")?)
}

/// A quarter of the machine's memory
/// (<https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-SHARED-BUFFERS>), 128 MiB to 8 GiB.
fn shared_buffers_mib() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    (kib / 1024 / 4).clamp(128, 8 * 1024)
}
