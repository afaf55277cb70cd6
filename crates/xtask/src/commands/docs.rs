//! `cargo xtask docs`: the reference documents that are made from the code.
//!
//! Each document has a test, in the crate that it describes, with `reference_document` in its name. The test compares the
//! file with the code, or rewrites the file when `UPDATE_DOCS=1` is set. So `cargo test` alone notices a stale document.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::step::{Plan, cargo, workspace_root};

/// What the tests of the documents have in their names.
const NAME_PART: &str = "reference_document";

/// The crates with such tests, and the documents that these hold in `docs/reference`.
const DOCUMENTS: &[(&str, &[&str])] = &[
    ("chat-domain", &["permissions.md"]),
    ("chat-http", &["openapi.json", "asyncapi.json", "errors.md", "files.md", "websocket.md"]),
    ("chat-server", &["configuration.md", "limits.md", "metrics.md"]),
];

/// Writes the documents in `docs/reference` from the code.
#[derive(clap::Args)]
pub(crate) struct Docs {
    /// Change nothing; fail when a document is not what the code says.
    #[arg(long)]
    check: bool,
}

impl Docs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut plan = Plan::new("docs");
        for (package, documents) in DOCUMENTS {
            let title = format!("{} {}", if self.check { "check" } else { "write" }, documents.join(", "));
            let mut tests = cargo(["test", "--test=it"]);
            tests.arg(format!("--package={package}")).args(["--", NAME_PART]);
            if self.check {
                tests.env_remove("UPDATE_DOCS");
            } else {
                tests.env("UPDATE_DOCS", "1");
            }
            plan.add(title, tests);
        }
        plan.run()?;
        for (package, documents) in DOCUMENTS {
            every_document_has_a_test(package, documents)?;
        }
        Ok(())
    }
}

/// A filter that matches no test is a success for cargo; a document without a test must not be one here.
fn every_document_has_a_test(package: &str, documents: &[&str]) -> anyhow::Result<()> {
    let mut list = cargo(["test", "--quiet", "--test=it"]);
    list.arg(format!("--package={package}")).args(["--", NAME_PART, "--list"]);
    let listed = list.output().context("cargo cannot be started")?;
    let tests = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter_map(|line| line.strip_suffix(": test")?.rsplit("::").next())
        .filter(|name| name.contains(NAME_PART))
        .count();
    ensure!(
        tests >= documents.len(),
        "{package} has {tests} tests with `{NAME_PART}` in their names for {} documents ({})",
        documents.len(),
        documents.join(", "),
    );
    for document in documents {
        let path = Path::new("docs/reference").join(document);
        ensure!(workspace_root().join(&path).is_file(), "no test of {package} wrote {}", path.display());
    }
    Ok(())
}
