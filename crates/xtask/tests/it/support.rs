//! What the rules look at: the workspace's files and cargo's view of them; and how a broken rule is reported.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cargo_metadata::{Metadata, MetadataCommand};
use toml::Table;

/// A crate of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: Table,
}

/// The directory with the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// A call of the cargo that runs these tests.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command
}

/// The graph of the dependencies of the whole workspace, on every platform.
pub(crate) fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| MetadataCommand::new().cargo_path(env!("CARGO")).current_dir(root()).exec().unwrap())
}

/// The crates of the workspace with their manifests, by name.
pub(crate) fn members() -> Vec<Member> {
    let mut members: Vec<Member> = metadata()
        .workspace_packages()
        .into_iter()
        .map(|package| Member { name: package.name.to_string(), manifest: table(package.manifest_path.as_std_path()) })
        .collect();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    members
}

/// The content of a TOML file.
pub(crate) fn table(path: &Path) -> Table {
    read(path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path as seen from the workspace's root, with `/` between its parts.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The files with this extension under a directory of the workspace, sorted. Directories that tools fill are left out.
pub(crate) fn files(under: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(under), extension, &mut found);
    found.sort();
    found
}

fn collect(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "chat-data", "node_modules"].contains(&name.as_str()) {
                collect(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

/// Fails when there are problems: names each, and then says what to do about them.
#[track_caller]
pub(crate) fn assert_none(problems: &[String], remedy: &str) {
    assert!(problems.is_empty(), "\n- {}\n\nWhat to do: {remedy}\n", problems.join("\n- "));
}
