//! `cargo xtask lint`: layout, lints and documentation, with warnings as errors.

use crate::step::{Plan, cargo};

/// Checks the layout of the code, the lints and the documentation's links; any warning is an error.
#[derive(clap::Args)]
pub(crate) struct Lint {}

impl Lint {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut plan = Plan::new("lint");
        plan.add("rustfmt", cargo(["fmt", "--all", "--", "--check"]));
        // Not all features: those of chat-postgres are alternatives, and the other one looks for libpq on the machine.
        plan.add(
            "clippy, whole workspace",
            cargo(["clippy", "--workspace", "--all-targets", "--features=chat-domain/mock", "--", "-D", "warnings"]),
        );
        // By itself, because in the workspace other crates switch on features of its dependencies that it may not
        // rely on where another service uses it.
        plan.add("clippy, the domain by itself", cargo(["clippy", "--package=chat-domain", "--", "-D", "warnings"]));
        plan.add(
            "clippy, the domain with its mocks",
            cargo(["clippy", "--package=chat-domain", "--features=mock", "--", "-D", "warnings"]),
        );
        let mut rustdoc = cargo(["doc", "--workspace", "--features=chat-domain/mock", "--no-deps"]);
        rustdoc.env("RUSTDOCFLAGS", "-D warnings");
        plan.add("rustdoc", rustdoc);
        plan.run()
    }
}
