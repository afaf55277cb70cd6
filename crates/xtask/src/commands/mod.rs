//! One task per file: its options, and the steps it consists of.

pub(crate) mod autobahn;
pub(crate) mod bench;
pub(crate) mod deny;
pub(crate) mod deployment;
pub(crate) mod descriptions;
pub(crate) mod docs;
pub(crate) mod image;
pub(crate) mod lint;
pub(crate) mod schemathesis;
pub(crate) mod test;
pub(crate) mod tls;
pub(crate) mod web;

use clap::Subcommand;

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum Task {
    Autobahn(autobahn::Autobahn),
    Bench(bench::Bench),
    Deny(deny::Deny),
    Deployment(deployment::Deployment),
    Descriptions(descriptions::Descriptions),
    Docs(docs::Docs),
    Image(image::Image),
    Lint(lint::Lint),
    Schemathesis(schemathesis::Schemathesis),
    Test(test::Test),
    Tls(tls::Tls),
    Web(web::Web),
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
            Self::Deny(task) => task.run(),
            Self::Deployment(task) => task.run(),
            Self::Descriptions(task) => task.run(),
            Self::Docs(task) => task.run(),
            Self::Image(task) => task.run(),
            Self::Lint(task) => task.run(),
            Self::Schemathesis(task) => task.run(),
            Self::Test(task) => task.run(),
            Self::Tls(task) => task.run(),
            Self::Web(task) => task.run(),
        }
    }
}
