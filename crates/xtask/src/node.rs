//! Packages for what is written in JavaScript: the checkers of the descriptions, what the example client runs on, and what
//! `crates/chat-web` is built and tested with.
//!
//! The versions, and those of what they need, are in lock files with their checksums: in `crates/xtask/node`, whose packages
//! are kept under `target`, and in `crates/chat-web`, where Node.js looks for them beside the files that import them. They
//! come from npm's registry; nothing of them is run but by the tasks and tests that name them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::postgres::apt_get;
use crate::step::workspace_root;

/// Tells the tests of the example client where the packages are.
pub(crate) const PACKAGES_VARIABLE: &str = "CHAT_TEST_NODE_PACKAGES";

/// The programs that are needed, and Debian's packages with their names.
const PROGRAMS: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];

/// Makes sure that the packages are there, and answers in which directory.
///
/// # Errors
/// They, or what runs them, are missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    find_or_install_programs()?;
    let directory = workspace_root().join("target/node");
    fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    let lock = "package-lock.json";
    // What was installed for another lock file is replaced. The copy is made last, so that it says what is complete.
    if fs::read(directory.join(lock)).ok() != Some(fs::read(sources().join(lock))?) {
        fetch(&directory, lock)?;
    }
    Ok(directory)
}

/// Makes sure that the packages of the lock file in this directory are in its `node_modules`.
///
/// # Errors
/// As `find_or_install`.
pub(crate) fn install_packages(directory: &Path) -> anyhow::Result<()> {
    find_or_install_programs()?;
    // npm removes the directory first, so that the copy says what is complete.
    let (lock, copy) = (directory.join("package-lock.json"), directory.join("node_modules/.installed-lock.json"));
    if fs::read(&copy).ok() == Some(fs::read(&lock)?) {
        return Ok(());
    }
    println!("[node] fetching the packages of {}", directory.display());
    npm_ci(directory)?;
    fs::copy(lock, copy)?;
    Ok(())
}

fn find_or_install_programs() -> anyhow::Result<()> {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !runs(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// A call of one of the programs beside the lock file, which gets the packages' directory as its first argument.
///
/// # Errors
/// As `find_or_install`.
pub(crate) fn script(name: &str) -> anyhow::Result<Command> {
    let packages = find_or_install()?;
    let mut node = Command::new("node");
    node.current_dir(workspace_root()).arg(sources().join(name)).arg(packages);
    Ok(node)
}

/// Where the versions and the programs that call the packages are.
fn sources() -> PathBuf {
    workspace_root().join("crates/xtask/node")
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Fetches the packages, and runs nothing of what is fetched.
fn fetch(directory: &Path, lock: &str) -> anyhow::Result<()> {
    println!("[node] fetching the packages of crates/xtask/node into {}", directory.display());
    let staged = tempfile::Builder::new().prefix("staged-").tempdir_in(directory)?;
    for name in ["package.json", lock] {
        fs::copy(sources().join(name), staged.path().join(name))?;
    }
    npm_ci(staged.path())?;
    let modules = directory.join("node_modules");
    if modules.exists() {
        fs::remove_dir_all(&modules)?;
    }
    fs::rename(staged.path().join("node_modules"), modules)?;
    for name in ["package.json", lock] {
        fs::copy(sources().join(name), directory.join(name))?;
    }
    Ok(())
}

/// Puts the packages of the lock file in this directory beside it, and runs none of their scripts.
fn npm_ci(directory: &Path) -> anyhow::Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(directory);
    let status = npm.status().context("npm cannot be started")?;
    ensure!(status.success(), "npm ci failed ({status})");
    Ok(())
}

/// Installs Debian's packages.
fn install(packages: &[&str]) -> anyhow::Result<()> {
    let by_hand = "install Node.js 20 or newer, and npm";
    if !Path::new("/usr/bin/apt-get").is_file() {
        bail!("{} missing, and without apt-get nothing can be installed from here: {by_hand}", packages.join(" and "));
    }
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends"]] {
        let mut command = apt_get()?;
        command.args(arguments);
        if arguments.contains(&"install") {
            command.args(packages);
        }
        println!("[node] apt-get {}", arguments.join(" "));
        let status = command.status().with_context(|| format!("apt-get needs root, or sudo; {by_hand}"))?;
        ensure!(status.success(), "apt-get {} failed ({status}); {by_hand}, then run this again", arguments.join(" "));
    }
    Ok(())
}
