//! Redis's programs for the tests: found or installed. Each test starts a server of its own with them, which takes less
//! time than to empty a server that many tests share.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use test_servers::Error;
use test_servers::redis::find_programs;

use crate::postgres::install_unstarted;

/// Where the programs are; installs them where they are missing.
///
/// # Errors
/// They are missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    match find_programs() {
        Err(missing @ Error::NoPrograms { .. }) => println!("[test] {missing}"),
        // Such as a directory that is named and does not hold them: that is a mistake to be told of.
        found => return Ok(found?),
    }
    install()?;
    find_programs().context("Redis was installed, and yet")
}

fn install() -> anyhow::Result<()> {
    const BY_HAND: &str = "install Redis's server and client programs (on Debian the package `redis-server`)";
    if !Path::new("/usr/bin/apt-get").is_file() {
        bail!("Redis is missing, and without apt-get it cannot be installed from here: {BY_HAND}");
    }
    println!("[test] installing Redis: apt-get install redis-server, without starting its service");
    let status = install_unstarted("redis-server")?.status().context(BY_HAND)?;
    if !status.success() {
        bail!("apt-get install redis-server failed ({status}); {BY_HAND}, then run this again");
    }
    Ok(())
}
