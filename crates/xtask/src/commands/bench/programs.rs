//! The programs that a run needs: built from the workspace, found on the machine, or installed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use test_postgres::find_programs;

use super::Part;
use crate::postgres;
use crate::redis;
use crate::step::{Plan, cargo, workspace_root};

/// A release build's program, such as `chat-server` or `examples/hello`.
pub(super) fn release(program: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    target.join("release").join(program)
}

/// Builds what these parts measure, and what they measure it with and beside. One package at a time: together they would be
/// built with each other's features, and the server would not be the one that is shipped.
pub(super) fn build(parts: &[Part]) -> anyhow::Result<()> {
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
    plan.run()
}

/// Makes sure that everything from outside of the workspace is there for these parts.
pub(super) fn find_or_install(parts: &[Part]) -> anyhow::Result<()> {
    ensure!(
        starts("setpriv"),
        "setpriv is missing, which ends what was started; on Debian: apt-get install util-linux"
    );
    if parts.iter().any(|part| !matches!(part, Part::Generators | Part::SqliteWrites)) {
        postgres::find_or_install()?;
        let pgbench = find_programs()?.join("pgbench");
        ensure!(pgbench.is_file(), "{} is missing; it comes with PostgreSQL's server", pgbench.display());
    }
    if parts.contains(&Part::Nodes) {
        redis::find_or_install()?;
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
