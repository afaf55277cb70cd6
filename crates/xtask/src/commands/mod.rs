//! One task per file: its options, and the steps it consists of.

pub(crate) mod autobahn;
pub(crate) mod bench;
pub(crate) mod descriptions;
pub(crate) mod docs;
pub(crate) mod lint;
pub(crate) mod schemathesis;
pub(crate) mod test;

use clap::Subcommand;

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum Task {
    Autobahn(autobahn::Autobahn),
    Bench(bench::Bench),
    Descriptions(descriptions::Descriptions),
    Docs(docs::Docs),
    Lint(lint::Lint),
    Schemathesis(schemathesis::Schemathesis),
    Test(test::Test),
}

impl Task {
    /// Does it.
    ///
    /// # Errors
    /// What the task fails with.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Autobahn(task) => task.run(),
            Self::Bench(task) => task.run(),
            Self::Descriptions(task) => task.run(),
            Self::Docs(task) => task.run(),
            Self::Lint(task) => task.run(),
            Self::Schemathesis(task) => task.run(),
            Self::Test(task) => task.run(),
        }
    }
}
