//! `cargo xtask asyncapi`: the description of the socket, read by the parser of `AsyncAPI`.
//!
//! The parser is a JavaScript library. Its versions, and those of what it needs, are in `crates/xtask/asyncapi` with their
//! checksums; nothing of it is run but by this task.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::postgres::apt_get;
use crate::step::{Plan, workspace_root};

const DOCUMENT: &str = "docs/reference/asyncapi.json";
/// The programs that are needed, and Debian's packages with their names.
const PROGRAMS: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];

/// Reads the description of the socket with the parser of `AsyncAPI`; any error or warning is an error.
///
/// `node` and `npm` are installed if they are missing (Debian's packages, as root or through a sudo that asks nothing); the
/// parser comes from npm's registry and is kept under `target`.
#[derive(clap::Args)]
pub(crate) struct Asyncapi {}

impl Asyncapi {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        run()
    }
}

/// As the command does.
///
/// # Errors
/// The document is not valid, or could not be read.
pub(crate) fn run() -> anyhow::Result<()> {
    let parser = find_or_install()?;
    let mut node = Command::new("node");
    node.current_dir(workspace_root()).arg(sources().join("check.mjs")).arg(parser).arg(DOCUMENT);
    let mut plan = Plan::new("asyncapi");
    plan.add(format!("read {DOCUMENT}"), node);
    plan.run()
}

/// Makes sure that the parser is there, and answers where.
///
/// # Errors
/// It, or what runs it, is missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !runs(program)).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    let directory = workspace_root().join("target/asyncapi");
    fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    let lock = "package-lock.json";
    // What was installed for another lock file is replaced. The copy is made last, so that it says what is complete.
    if fs::read(directory.join(lock)).ok() != Some(fs::read(sources().join(lock))?) {
        fetch(&directory, lock)?;
    }
    Ok(directory)
}

/// Where the parser's versions and the program that calls it are.
fn sources() -> PathBuf {
    workspace_root().join("crates/xtask/asyncapi")
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Fetches the parser, and runs nothing of what is fetched.
fn fetch(directory: &Path, lock: &str) -> anyhow::Result<()> {
    println!("[asyncapi] fetching the parser into {}", directory.display());
    let staged = tempfile::Builder::new().prefix("staged-").tempdir_in(directory)?;
    for name in ["package.json", lock] {
        fs::copy(sources().join(name), staged.path().join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(staged.path());
    let status = npm.status().context("npm cannot be started")?;
    ensure!(status.success(), "npm ci failed ({status})");
    let modules = directory.join("node_modules");
    if modules.exists() {
        fs::remove_dir_all(&modules)?;
    }
    fs::rename(staged.path().join("node_modules"), modules)?;
    fs::copy(sources().join(lock), directory.join(lock))?;
    Ok(())
}

/// Installs Debian's packages.
fn install(packages: &[&str]) -> anyhow::Result<()> {
    let by_hand = "install Node.js 18 or newer, and npm";
    if !Path::new("/usr/bin/apt-get").is_file() {
        bail!("{} missing, and without apt-get nothing can be installed from here: {by_hand}", packages.join(" and "));
    }
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends"]] {
        let mut command = apt_get()?;
        command.args(arguments);
        if arguments.contains(&"install") {
            command.args(packages);
        }
        println!("[asyncapi] apt-get {}", arguments.join(" "));
        let status = command.status().with_context(|| format!("apt-get needs root, or sudo; {by_hand}"))?;
        ensure!(status.success(), "apt-get {} failed ({status}); {by_hand}, then run this again", arguments.join(" "));
    }
    Ok(())
}
