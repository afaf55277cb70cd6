//! The PostgreSQL server that the tests share: its programs are found or installed, and a private server is started.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use test_servers::Error;
use test_servers::postgres::{PrivatePostgres, find_pooler, find_programs};

/// These tests ask whether the code is right, and not what survives a crash of the machine: tests of that start servers
/// of their own, which are durable. Without autovacuum, plans depend on nothing but what a test does.
pub(crate) const SETTINGS: &[(&str, &str)] =
    &[("autovacuum", "off"), ("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")];

/// Makes sure that the programs are there; installs them where they are missing.
///
/// # Errors
/// They are missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<()> {
    match find_programs() {
        Err(missing @ Error::NoPrograms { .. }) => println!("[test] {missing}"),
        // Such as a directory that is named and does not hold them: that is a mistake to be told of.
        found => return Ok(found.map(drop)?),
    }
    install()?;
    find_programs().context("PostgreSQL was installed, and yet")?;
    Ok(())
}

/// Makes sure that `PgBouncer` is there, which some tests put before the server; installs it where it is missing.
///
/// # Errors
/// It is missing and cannot be installed here.
pub(crate) fn find_or_install_pooler() -> anyhow::Result<()> {
    const BY_HAND: &str = "install PgBouncer (on Debian the package `pgbouncer`)";
    let Err(missing) = find_pooler() else { return Ok(()) };
    println!("[test] {missing}");
    if !Path::new("/usr/bin/apt-get").is_file() {
        bail!("without apt-get it cannot be installed from here: {BY_HAND}");
    }
    println!("[test] installing PgBouncer: apt-get install pgbouncer, without starting its service");
    let status = install_unstarted("pgbouncer")?.status().context(BY_HAND)?;
    if !status.success() {
        bail!("apt-get install pgbouncer failed ({status}); {BY_HAND}, then run this again");
    }
    find_pooler().context("PgBouncer was installed, and yet")?;
    Ok(())
}

/// Debian's packages of servers start a server for everybody on the machine, unless a policy forbids it
/// (<https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt>). A policy that is there stays as it is.
/// `$1` is the package.
const UNSTARTED: &str = "
policy=/usr/sbin/policy-rc.d
if [ ! -e \"$policy\" ]; then
    trap 'rm -f \"$policy\"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >\"$policy\" && chmod 755 \"$policy\" || exit
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update -qq
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \"$1\"
";

/// The command that installs a package without starting its server.
pub(crate) fn install_unstarted(package: &str) -> anyhow::Result<Command> {
    let mut command = as_root()?;
    command.args(["sh", "-c", UNSTARTED, "install", package]);
    Ok(command)
}

/// Starts the server. It is stopped and removed when the value is dropped, and also when this process is interrupted or
/// killed.
///
/// # Errors
/// It does not start; the error has its log.
pub(crate) fn start() -> anyhow::Result<PrivatePostgres> {
    let server = PrivatePostgres::start(SETTINGS).context("no PostgreSQL server for the tests")?;
    println!("[test] PostgreSQL of {} listens on port {}", server.programs().display(), server.port());
    Ok(server)
}

/// Installs Debian's package, whose version is the distribution's.
///
/// The package makes a server of its own and may start it; the tests neither need it nor touch it. Its user `postgres` is
/// who the private server runs as when we are root.
fn install() -> anyhow::Result<()> {
    const PACKAGE: &str = "postgresql";
    let by_hand = format!("install PostgreSQL's server and client programs (on Debian the package `{PACKAGE}`)");
    if !Path::new("/usr/bin/apt-get").is_file() {
        bail!("PostgreSQL is missing, and without apt-get it cannot be installed from here: {by_hand}");
    }
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", PACKAGE]] {
        let mut command = apt_get()?;
        command.args(arguments);
        println!("[test] installing PostgreSQL: apt-get {}", arguments.join(" "));
        let status = command.status().with_context(|| format!("apt-get needs root, or sudo; {by_hand}"))?;
        if !status.success() {
            bail!("apt-get {} failed ({status}); {by_hand}, then run this again", arguments.join(" "));
        }
    }
    Ok(())
}

/// A call of apt-get as root, or through `sudo` where that asks for no password. It asks nothing, and waits for another
/// call that is running.
pub(crate) fn apt_get() -> anyhow::Result<Command> {
    let mut command = as_root()?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]);
    Ok(command)
}

/// The beginning of a command line as root, or through `sudo` where that asks for no password; what is added first may be
/// variables, as for `env`.
pub(crate) fn as_root() -> anyhow::Result<Command> {
    let id = Command::new("id").arg("-u").output().context("who runs this is not known")?;
    let command = if id.stdout.trim_ascii() == b"0" {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "env"]);
        sudo
    };
    Ok(command)
}
