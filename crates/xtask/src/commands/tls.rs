//! `cargo xtask tls`: the program with the machine's libpq, against a PostgreSQL that takes nothing but TLS.

use anyhow::Context;
use test_servers::postgres::{BIN_VARIABLE, PrivatePostgres, URL_VARIABLE};

use crate::step::{Plan, cargo};
use crate::{libpq, postgres};

/// The tests of `chat-postgres` and `chat-server` that are named so. With the workspace's other crates nothing changes.
const TARGET: &str = "--test=tls";

/// Builds with the machine's libpq (`--features system-libpq`), and runs the contract of the store and the program over
/// TLS that is verified.
///
/// PostgreSQL and libpq are installed if they are missing (Debian's packages, as root or through a sudo that asks
/// nothing). What the usual build has made is used again; `target/debug/chat-server` is the program with this libpq
/// afterwards, until the usual build is made again.
#[derive(clap::Args)]
pub(crate) struct Tls {}

impl Tls {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        run()
    }
}

/// As the command does.
///
/// # Errors
/// It does not build, a test fails, or a server is missing.
pub(crate) fn run() -> anyhow::Result<()> {
    libpq::find_or_install()?;
    postgres::find_or_install()?;
    let tests = || {
        let mut tests = cargo(["test", "--workspace", TARGET]);
        tests.args(libpq::FEATURES);
        tests
    };
    let mut build = Plan::new("tls: build");
    let mut no_run = tests();
    no_run.arg("--no-run");
    build.add("build the tests with the machine's libpq", no_run);
    build.run()?;

    let server = PrivatePostgres::start_encrypted(postgres::SETTINGS).context("no PostgreSQL server with TLS")?;
    let mut run = Plan::new("tls: run");
    let mut all = tests();
    all.args(["--no-fail-fast", "--", "--include-ignored"]);
    all.env(URL_VARIABLE, server.admin_url()).env(BIN_VARIABLE, server.programs());
    run.add("the contract of the store, and a node, over TLS", all);
    run.run()
}
