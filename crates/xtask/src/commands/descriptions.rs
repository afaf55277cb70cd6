//! `cargo xtask descriptions`: the descriptions of the API and of the socket, read by the checkers of their formats.

use crate::node;
use crate::step::Plan;

/// The programs in `crates/xtask/node`, and the documents that they read.
const CHECKS: [(&str, &str); 2] =
    [("openapi.mjs", "docs/reference/openapi.json"), ("asyncapi.mjs", "docs/reference/asyncapi.json")];

/// Reads the description of the API with Redocly's linter, and that of the socket with the parser of `AsyncAPI`; any error
/// or warning is an error.
///
/// `node` and `npm` are installed if they are missing (Debian's packages, as root or through a sudo that asks nothing); the
/// checkers come from npm's registry and are kept under `target`.
#[derive(clap::Args)]
pub(crate) struct Descriptions {}

impl Descriptions {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        run()
    }
}

/// As the command does.
///
/// # Errors
/// A document is not valid, or could not be read.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut plan = Plan::new("descriptions");
    for (program, document) in CHECKS {
        let mut check = node::script(program)?;
        check.arg(document);
        plan.add(format!("read {document}"), check);
    }
    plan.run()
}
