//! `cargo xtask bench`: builds or finds what the benchmarks need, and runs them.

use std::process::Command;

use anyhow::{Context, ensure};
use chat_bench::{Benchmarks, Part};
use test_servers::nginx::find_nginx;
use test_servers::postgres::find_programs;

use crate::step::{Plan, cargo};
use crate::{packages, postgres, redis};

/// Measures a release build on this machine, on a durable PostgreSQL of its own.
///
/// Linux only. Whatever is missing is installed (Debian's packages `postgresql`, `redis-server`, `nginx`, `sqlite3` and `wrk`, as root or through a sudo that
/// asks nothing). The load generators run beside the server and share its cores. Data lies in the directory for temporary
/// files, which has to be on the disk that is to be measured; name another one in TMPDIR. What was started is stopped and
/// removed at the end, also when the run is interrupted.
#[derive(clap::Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    benchmarks: Benchmarks,
    /// Measures the release build that is there, without building it again.
    #[arg(long)]
    no_build: bool,
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let parts = self.benchmarks.parts();
        self.benchmarks.check()?;
        // Before the long build, so that a machine where something is missing fails at once.
        find_or_install(&parts)?;
        if !self.no_build {
            build(&parts)?;
        }
        self.benchmarks.run()
    }
}

/// Builds what these parts measure, and what they measure it with and beside. One package at a time: together they would be
/// built with each other's features, and the server would not be the server that is shipped.
fn build(parts: &[Part]) -> anyhow::Result<()> {
    let mut plan = Plan::new("bench: build");
    plan.add("the server", cargo(["build", "--release", "--package=chat-server"]));
    plan.add("the load generator", cargo(["build", "--release", "--package=chat-loadgen"]));
    if parts.contains(&Part::Reads) {
        plan.add("the fixed answer", cargo(["build", "--release", "--package=chat-http", "--example=hello"]));
    }
    if parts.contains(&Part::Sockets) {
        plan.add(
            "the bare sockets",
            cargo(["build", "--release", "--package=chat-loadgen", "--example=bare_actix_ws"]),
        );
    }
    if parts.contains(&Part::SqliteWrites) {
        plan.add(
            "the loop of single rows",
            cargo(["build", "--release", "--package=chat-sqlite", "--example=one_row_per_transaction"]),
        );
    }
    if parts.contains(&Part::Files) {
        plan.add("the S3 server", cargo(["build", "--release", "--package=test-servers", "--example=s3"]));
    }
    plan.run()
}

/// Makes sure that everything from outside of the workspace is there for these parts.
fn find_or_install(parts: &[Part]) -> anyhow::Result<()> {
    ensure!(
        starts("setpriv"),
        "setpriv is missing, which ends what was started; on Debian: apt-get install util-linux"
    );
    if parts.iter().any(|part| !matches!(part, Part::Generators | Part::SqliteWrites | Part::Files)) {
        postgres::find_or_install()?;
        let pgbench = find_programs()?.join("pgbench");
        ensure!(pgbench.is_file(), "{} is missing; it comes with PostgreSQL's server", pgbench.display());
    }
    if parts.iter().any(|part| matches!(part, Part::Nodes | Part::Access)) {
        redis::find_or_install()?;
    }
    if parts.contains(&Part::Files) {
        packages::find_or_install("nginx", find_nginx)?;
    }
    if parts.contains(&Part::Inbox) && !starts("sqlite3") {
        install("sqlite3")?;
        ensure!(starts("sqlite3"), "sqlite3 was installed, and yet cannot be started");
    }
    if parts.contains(&Part::Generators) && !starts("wrk") {
        install("wrk")?;
        ensure!(starts("wrk"), "wrk was installed, and yet cannot be started");
    }
    Ok(())
}

fn starts(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn install(package: &str) -> anyhow::Result<()> {
    let by_hand = format!("install {package}; on Debian: apt-get install {package}");
    println!("[bench] installing {package}: apt-get install {package}");
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", package]] {
        let mut command = postgres::apt_get()?;
        let status = command.args(arguments).status().with_context(|| by_hand.clone())?;
        ensure!(status.success(), "apt-get {} failed ({status}): {by_hand}", arguments.join(" "));
    }
    Ok(())
}
