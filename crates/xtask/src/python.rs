//! Packages of Python that a task needs, in an environment of their own under `target`.
//!
//! The versions, and those of what they need, are in a `requirements.txt` with their checksums.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::postgres::apt_get;
use crate::step::workspace_root;

/// Debian's packages of the interpreter and of what makes an environment.
const PACKAGES: [&str; 2] = ["python3", "python3-venv"];

/// Makes sure that an environment of this name has what `requirements` lists, and answers where its programs are.
///
/// # Errors
/// The packages, or Python 3.11 or newer, are missing and cannot be installed here.
pub(crate) fn environment(name: &str, requirements: &Path) -> anyhow::Result<PathBuf> {
    find_or_install_python()?;
    let directory = workspace_root().join("target").join(name);
    fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    let (environment, installed) = (directory.join("environment"), directory.join("requirements.txt"));
    let programs = environment.join("bin");
    // The copy is made last, so that it says what is complete.
    if fs::read(&installed).ok() == Some(fs::read(requirements)?) && programs.join("python").exists() {
        return Ok(programs);
    }
    println!("[{name}] fetching the packages of {} into {}", requirements.display(), environment.display());
    if environment.exists() {
        fs::remove_dir_all(&environment)?;
    }
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(programs.join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement"]);
    succeed(pip.arg(requirements)).context("the packages could not be had from Python's package index")?;
    fs::copy(requirements, installed)?;
    Ok(programs)
}

fn find_or_install_python() -> anyhow::Result<()> {
    let found = || {
        let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
        Command::new("python3").args(["-c", check]).output().is_ok_and(|output| output.status.success())
    };
    if found() {
        return Ok(());
    }
    let by_hand = "install Python 3.11 or newer with its module `venv`";
    ensure!(
        Path::new("/usr/bin/apt-get").is_file(),
        "Python is missing or too old, and cannot be installed from here: {by_hand}"
    );
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends"]] {
        let mut command = apt_get()?;
        command.args(arguments);
        if arguments.contains(&"install") {
            command.args(PACKAGES);
        }
        let status = command.status().with_context(|| format!("apt-get needs root, or sudo; {by_hand}"))?;
        ensure!(status.success(), "apt-get {} failed ({status}); {by_hand}, then run this again", arguments.join(" "));
    }
    ensure!(found(), "Python was installed, and yet it is too old or cannot be started: {by_hand}");
    Ok(())
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
