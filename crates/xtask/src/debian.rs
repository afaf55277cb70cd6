//! Programs out of Debian's packages that are unpacked under `target` and not installed: nothing on the machine changes, no
//! service starts, and no right is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::postgres::apt_get;
use crate::step::workspace_root;

/// The path of a program that needs nothing but the C library: an installed one, or one out of this package.
///
/// # Errors
/// It is not installed, and the package cannot be had.
pub(crate) fn find_or_unpack(program: &str, package: &str) -> anyhow::Result<PathBuf> {
    let installed = PathBuf::from(program);
    if Command::new(&installed).arg("--help").stderr(Stdio::null()).output().is_ok() {
        return Ok(installed);
    }
    let directory = workspace_root().join("target/debian").join(package);
    let unpacked = directory.join("usr/bin").join(program);
    if !unpacked.is_file() {
        let by_hand = format!("install `{program}` (on Debian the package `{package}`)");
        ensure!(Path::new("/usr/bin/apt-get").is_file(), "{program} is missing: {by_hand}");
        println!("[debian] unpacking the package {package} into {}", directory.display());
        unpack(package, &directory).with_context(|| by_hand)?;
    }
    Ok(unpacked)
}

fn unpack(package: &str, directory: &Path) -> anyhow::Result<()> {
    let parent = workspace_root().join("target/debian");
    fs::create_dir_all(&parent)?;
    // Complete or not there: it gets its name when everything is in it.
    let work = tempfile::Builder::new().prefix("unpacking-").tempdir_in(&parent)?;
    let download = || {
        let mut download = Command::new("apt-get");
        // As the account that runs this, and not as apt's own, which may not write here.
        download.args(["-qq", "-o", "APT::Sandbox::User=", "download", package]).current_dir(work.path());
        succeed(&mut download)
    };
    if download().is_err() {
        // The lists of packages are old, or there are none.
        succeed(apt_get()?.args(["update", "-qq"]))?;
        download()?;
    }
    let content = work.path().join("content");
    for entry in fs::read_dir(work.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            succeed(Command::new("dpkg-deb").arg("--extract").arg(path).arg(&content))?;
        }
    }
    fs::rename(content, directory).context("the package has no content")
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
