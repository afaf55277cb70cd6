//! PostgreSQL's client library of the machine, which has TLS, and how the workspace is built with it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::postgres::apt_get;

/// Arguments of cargo for a build of the whole workspace with it, in place of the library that is compiled in. Nothing
/// but these features changes, so that everything below the stores is shared with the usual build.
pub(crate) const FEATURES: [&str; 2] = [
    "--no-default-features",
    "--features=chat-domain/mock,chat-http/system-libpq,chat-postgres/system-libpq,chat-server/system-libpq",
];

/// Debian's packages of the library and of the program that finds it.
pub(crate) const PACKAGES: [&str; 2] = ["libpq-dev", "pkg-config"];

/// Makes sure that the library and its headers are there; installs them where they are missing.
///
/// # Errors
/// They are missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<()> {
    let found = || Command::new("pkg-config").args(["--exists", "libpq"]).status().is_ok_and(|status| status.success());
    if found() {
        return Ok(());
    }
    let by_hand = "install PostgreSQL's client library with its headers (on Debian `libpq-dev pkg-config`)";
    ensure!(Path::new("/usr/bin/apt-get").is_file(), "libpq is missing, and cannot be installed from here: {by_hand}");
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends"]] {
        let mut command = apt_get()?;
        command.args(arguments);
        if arguments.contains(&"install") {
            command.args(PACKAGES);
        }
        println!("[libpq] apt-get {}", arguments.join(" "));
        let status = command.status().with_context(|| format!("apt-get needs root, or sudo; {by_hand}"))?;
        ensure!(status.success(), "apt-get {} failed ({status}); {by_hand}, then run this again", arguments.join(" "));
    }
    ensure!(found(), "libpq was installed, and yet pkg-config does not find it: {by_hand}");
    Ok(())
}
