//! `cargo xtask lint`: layout, lints and documentation, with warnings as errors.

use crate::libpq;
use crate::step::{Plan, cargo};

/// Checks the layout of the code, the lints and the documentation's links; any warning is an error.
#[derive(clap::Args)]
pub(crate) struct Lint {}

impl Lint {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        libpq::find_or_install()?;
        let mut plan = Plan::new("lint");
        plan.add("rustfmt", cargo(["fmt", "--all", "--", "--check"]));
        // Not all features: those of chat-postgres are alternatives.
        plan.add(
            "clippy, whole workspace",
            cargo(["clippy", "--workspace", "--all-targets", "--features=chat-domain/mock", "--", "-D", "warnings"]),
        );
        // What the other features of chat-postgres compile: the crates themselves, and the tests that only they have.
        let mut system_libpq = cargo(["clippy", "--workspace", "--lib", "--bins", "--test=tls"]);
        system_libpq.args(libpq::FEATURES).args(["--", "-D", "warnings"]);
        plan.add("clippy, with the machine's libpq", system_libpq);
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
