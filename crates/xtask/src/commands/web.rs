//! `cargo xtask web`: what is written in JavaScript, with its types, tests, sizes and built files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use test_servers::chromium::find_chromium;

use crate::step::{Plan, cargo, target_dir, workspace_root};
use crate::{node, packages};

/// The program that makes the built files of a part, in the part's directory.
const BUILD_SCRIPT: &str = "build.js";
/// Tells the tests of pages which program is under test, and which browser they open.
const SERVER_VARIABLE: &str = "CHAT_TEST_SERVER_BIN";
const BROWSER_VARIABLE: &str = "CHAT_TEST_CHROMIUM";

/// Checks what is written in JavaScript: that the built files are those of the sources, types, tests, sizes, and the pages
/// in a browser, with a debug build of the server.
///
/// Built files that are not current are written, and the task fails: commit them. `node`, `npm` and Chromium are installed if
/// they are missing (Debian's packages, as root or through a sudo that asks nothing); packages come from npm's registry and
/// are kept in `crates/chat-web/node_modules`.
#[derive(clap::Args)]
pub(crate) struct Web {
    /// Only build the files.
    #[arg(long)]
    build: bool,
}

impl Web {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.build { WebParts::find()?.build() } else { run() }
    }
}

/// As the command does without arguments.
///
/// # Errors
/// The first check that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    packages::find_or_install("chromium", find_chromium)?;
    let parts = WebParts::find()?;
    parts.check_built_files()?;
    parts.check_sources()
}

/// The directories in which JavaScript is written.
struct WebParts {
    root: PathBuf,
    directories: Vec<PathBuf>,
}

impl WebParts {
    /// Installs the packages and finds the parts.
    fn find() -> anyhow::Result<Self> {
        let root = workspace_root().join("crates/chat-web");
        node::install_packages(&root)?;
        let mut directories = Vec::new();
        for entry in fs::read_dir(&root)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name() != Some(OsStr::new("node_modules")) {
                directories.push(path);
            }
        }
        directories.sort();
        Ok(Self { root, directories })
    }

    fn node(&self) -> Command {
        let mut node = Command::new("node");
        node.current_dir(&self.root);
        node
    }

    fn build(&self) -> anyhow::Result<()> {
        let mut plan = Plan::new("web: build");
        for part in &self.directories {
            let script = part.join(BUILD_SCRIPT);
            if script.is_file() {
                let mut build = self.node();
                build.arg(script);
                plan.add(format!("build {}", name(part)), build);
            }
        }
        plan.run()
    }

    /// Builds them again, and compares: what is embedded must be what the sources say.
    fn check_built_files(&self) -> anyhow::Result<()> {
        let before = self.built_files()?;
        self.build()?;
        let after = self.built_files()?;
        let differs = |name: &&PathBuf| before.get(*name) != after.get(*name);
        let stale: Vec<String> =
            before.keys().chain(after.keys()).filter(differs).map(|path| path.display().to_string()).collect();
        ensure!(stale.is_empty(), "built files were not current and are now; commit them: {}", stale.join(", "));
        Ok(())
    }

    fn built_files(&self) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for dist in self.directories.iter().map(|part| part.join("dist")).filter(|dist| dist.is_dir()) {
            for entry in fs::read_dir(&dist)? {
                let path = entry?.path();
                let content = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
                files.insert(path, content);
            }
        }
        Ok(files)
    }

    /// Types, sizes and tests. Those of pages open the files that are embedded in a debug build of the server.
    fn check_sources(&self) -> anyhow::Result<()> {
        let (mut projects, mut tests) = (Vec::new(), Vec::new());
        find_files(&self.root, &|name| name == "tsconfig.json", &mut projects)?;
        find_files(&self.root, &|name| name.ends_with(".test.js"), &mut tests)?;
        let mut plan = Plan::new("web");
        for project in projects {
            let mut types = self.node();
            types.args(["node_modules/typescript/bin/tsc", "--project"]).arg(&project);
            plan.add(format!("types of {}", project.strip_prefix(&self.root)?.display()), types);
        }
        let mut sizes = self.node();
        sizes.arg("sizes.js");
        plan.add("sizes", sizes);
        // With the features that the tests of the workspace have, so that it is not built twice.
        plan.add("build the server", cargo(["test", "--workspace", "--test=it", "--no-run"]));
        let mut test = self.node();
        // Two files at a time: they wait for a browser more than they compute.
        test.args(["--test", "--test-concurrency=2", "--test-timeout=900000"]).args(tests);
        test.env(SERVER_VARIABLE, target_dir().join("debug/chat-server"));
        test.env(BROWSER_VARIABLE, find_chromium()?);
        plan.add("tests, of pages in Chromium too", test);
        plan.run()
    }
}

/// The name of a part.
fn name(part: &Path) -> String {
    part.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Collects the files with such names under a directory, in order.
fn find_files(directory: &Path, is_wanted: &dyn Fn(&str) -> bool, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        let name = name(&path);
        if path.is_dir() {
            if !["node_modules", "dist"].contains(&name.as_str()) {
                find_files(&path, is_wanted, found)?;
            }
        } else if is_wanted(&name) {
            found.push(path);
        }
    }
    Ok(())
}
