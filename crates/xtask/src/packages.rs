//! Programs of Debian's packages that tests need on the machine: found or installed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use test_servers::Error;

use crate::postgres::install_unstarted;

/// Makes sure that the program of this package is there, which `find` looks for; installs it where it is missing.
///
/// # Errors
/// It is missing and cannot be installed here.
pub(crate) fn find_or_install(package: &str, find: fn() -> Result<PathBuf, Error>) -> anyhow::Result<()> {
    let Err(missing) = find() else { return Ok(()) };
    println!("[test] {missing}");
    if !Path::new("/usr/bin/apt-get").is_file() {
        bail!("without apt-get it cannot be installed from here: install Debian's package `{package}`");
    }
    println!("[test] installing {package}: apt-get install {package}, without starting a service");
    let status = install_unstarted(package)?.status().context("apt-get cannot be started")?;
    if !status.success() {
        bail!("apt-get install {package} failed ({status}); install it by hand, then run this again");
    }
    find().with_context(|| format!("{package} was installed, and yet"))?;
    Ok(())
}
