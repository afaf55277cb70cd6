//! `cargo xtask test`: every test of the workspace.

use std::{env, thread};

use test_servers::chromium::find_chromium;
use test_servers::nginx::find_nginx;
use test_servers::postgres::{BIN_VARIABLE, URL_VARIABLE};

use crate::commands::{autobahn, deployment, descriptions, image, schemathesis, tls, web};
use crate::step::{Plan, cargo, target_dir};
use crate::{libpq, node, packages, postgres, redis};

/// Set for tests that can do more of the same, such as fifty crashes in place of ten.
const LONG_VARIABLE: &str = "CHAT_TEST_LONG";

/// How many tests of a program run at once (<https://doc.rust-lang.org/rustc/tests/index.html#--test-threads-num_threads>).
const THREADS_VARIABLE: &str = "RUST_TEST_THREADS";

/// Rust's default is one. Most of the time the slow tests wait for servers and time limits, and not for a core.
const THREADS_PER_CORE: usize = 2;

/// Runs every test of the workspace, those that plain `cargo test` ignores included.
///
/// It needs Rust and a C compiler. PostgreSQL, `PgBouncer`, Redis, nginx and Chromium are installed if they are missing (Debian's packages, as root
/// or through a sudo that asks nothing). A private PostgreSQL is started on a free port of 127.0.0.1, with its data in a temporary directory,
/// and is stopped and removed at the end, also when the run is interrupted. Unless a part of the tests is asked for, the
/// checks of `cargo xtask descriptions`, `web`, `schemathesis`, `autobahn`, `deployment`, `tls` and `image` follow, with what these install.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Only this crate's tests; may be given several times.
    #[arg(short, long, value_name = "CRATE")]
    package: Vec<String>,
    /// Let the tests of crashes and outages run as long as for a release; takes many minutes.
    #[arg(long)]
    long: bool,
    /// For the test programs, such as a part of the wanted tests' names.
    #[arg(last = true, value_name = "ARGS")]
    filter: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        // Default features: those of chat-postgres are alternatives, of which the default needs nothing on the machine,
        // and the tests of chat-domain switch on its `mock` themselves.
        let selection = if self.package.is_empty() {
            vec!["--workspace".to_owned()]
        } else {
            self.package.iter().map(|package| format!("--package={package}")).collect()
        };

        let everything = self.package.is_empty() && self.filter.is_empty();

        // Before the long build, so that a machine where it is missing hears of it at once.
        postgres::find_or_install()?;
        postgres::find_or_install_pooler()?;
        let redis = redis::find_or_install()?;
        packages::find_or_install("nginx", find_nginx)?;
        packages::find_or_install("chromium", find_chromium)?;
        deployment::find_or_install_openssl()?;
        let packages = node::find_or_install()?;
        if everything {
            schemathesis::find_or_install()?;
            autobahn::find_or_install()?;
            deployment::find_or_install()?;
            libpq::find_or_install()?;
        }

        let mut build = Plan::new("test: build");
        // The tests of the rules read the manifests of every platform's dependencies.
        build.add("fetch the dependencies of every platform", cargo(["fetch"]));
        let mut tests = cargo(["test", "--no-run"]);
        tests.args(&selection);
        build.add("build every test", tests);
        build.run()?;

        let server = postgres::start()?;
        let mut run = Plan::new("test: run");
        // One run with `--no-fail-fast`: a red test hides no other.
        let mut tests = cargo(["test", "--no-fail-fast"]);
        tests.args(&selection).args(["--", "--include-ignored"]).args(&self.filter);
        tests.env(URL_VARIABLE, server.admin_url()).env(BIN_VARIABLE, server.programs());
        tests.env(test_servers::redis::BIN_VARIABLE, redis).env(node::PACKAGES_VARIABLE, packages);
        if env::var_os(THREADS_VARIABLE).is_none() {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            tests.env(THREADS_VARIABLE, (cores * THREADS_PER_CORE).to_string());
        }
        if self.long {
            tests.env(LONG_VARIABLE, "1");
        }
        run.add("every test, the ignored ones and the examples in the documentation too", tests);
        run.run()?;
        // Arguments choose a part of cargo's tests.
        if everything {
            descriptions::run()?;
            web::run()?;
            schemathesis::run()?;
            autobahn::run()?;
            deployment::run()?;
            // Last, since it leaves another program where the others look for the one under test.
            tls::run()?;
            image::run(Some(&target_dir().join("debug/chat-server")), None)?;
        }
        Ok(())
    }
}
