//! `cargo xtask test`: every test of the workspace.

use crate::step::{Plan, cargo};

/// Runs every test of the workspace, those that plain `cargo test` ignores included.
///
/// It needs Rust and a C compiler, nothing else.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Only this crate's tests; may be given several times.
    #[arg(short, long, value_name = "CRATE")]
    package: Vec<String>,
    /// For the test programs, such as a part of the wanted tests' names.
    #[arg(last = true, value_name = "ARGS")]
    filter: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut selection = vec!["--all-features".to_owned()];
        if self.package.is_empty() {
            selection.push("--workspace".to_owned());
        }
        selection.extend(self.package.iter().map(|package| format!("--package={package}")));

        let mut plan = Plan::new("test");
        // The tests of the licences read the manifests of every platform's dependencies.
        plan.add("fetch the dependencies of every platform", cargo(["fetch"]));
        let mut build = cargo(["test", "--no-run"]);
        build.args(&selection);
        plan.add("build every test", build);
        // One run with `--no-fail-fast`: a red test hides no other.
        let mut run = cargo(["test", "--no-fail-fast"]);
        run.args(&selection).args(["--", "--include-ignored"]).args(&self.filter);
        plan.add("run every test, the ignored ones and the examples in the documentation too", run);
        plan.run()
    }
}
