//! Where PostgreSQL's programs are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process::Programs;

/// Names the directory of PostgreSQL's programs. `cargo xtask test` sets it.
pub const BIN_VARIABLE: &str = "CHAT_TEST_POSTGRES_BIN";

const PROGRAMS: Programs = Programs {
    name: "PostgreSQL's programs",
    files: &["initdb", "pg_ctl", "postgres", "psql"],
    variable: Some(BIN_VARIABLE),
    remedy: "install the server, on Debian `apt-get install postgresql`, or name their directory in \
             CHAT_TEST_POSTGRES_BIN",
};

/// Where Debian keeps each version's programs, which are not in the search path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The directory with `initdb`, `pg_ctl`, `postgres` and `psql`.
///
/// It is the first of these that holds them all: the value of `CHAT_TEST_POSTGRES_BIN`, the output of
/// `pg_config --bindir`, the newest version of a Debian package, a directory of `PATH`.
///
/// # Errors
/// None of them holds the programs, or the variable is set and names a directory that does not.
pub fn find_programs() -> Result<PathBuf, Error> {
    let candidates = pg_config().into_iter().chain(debian_versions(Path::new(DEBIAN)));
    PROGRAMS.find(candidates, "`pg_config --bindir`, /usr/lib/postgresql/*/bin")
}

/// The output of `pg_config`, which may come with the client's library alone: the directory need not hold a server.
fn pg_config() -> Option<PathBuf> {
    let done = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(done.stdout).ok()?;
    done.status.success().then(|| PathBuf::from(directory.trim_end()))
}

/// `<root>/<version>/bin`, newest version first.
fn debian_versions(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.into_iter().map(|(_, directory)| directory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9", "15", "16", "common"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let wanted = ["16", "15", "9"].map(|version| root.path().join(version).join("bin"));
        assert_eq!(debian_versions(root.path()), wanted);
    }
}
