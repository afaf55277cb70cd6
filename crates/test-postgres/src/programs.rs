//! Where PostgreSQL's programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::database::BIN_VARIABLE;
use crate::error::Error;

/// What a directory must hold.
const NEEDED: [&str; 4] = ["initdb", "pg_ctl", "postgres", "psql"];

/// Where Debian keeps each version's programs, which are not in the search path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The directory with `initdb`, `pg_ctl`, `postgres` and `psql`.
///
/// It is the first of these that holds them all: what `CHAT_TEST_POSTGRES_BIN` names, what `pg_config --bindir` says, the
/// newest version of a Debian package, a directory of `PATH`.
///
/// # Errors
/// None of them holds the programs, or the variable is set and names a directory that does not.
pub fn find_programs() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os(BIN_VARIABLE) {
        let directory = PathBuf::from(named);
        return match missing(&directory) {
            None => Ok(directory),
            Some(program) => Err(Error::IncompletePrograms { directory, program }),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates = pg_config().into_iter().chain(debian_versions(Path::new(DEBIAN))).chain(env::split_paths(&path));
    candidates.into_iter().find(|directory| missing(directory).is_none()).ok_or_else(|| Error::NoPrograms {
        looked: format!("{BIN_VARIABLE}, `pg_config --bindir`, {DEBIAN}/*/bin, PATH"),
    })
}

/// The first program that the directory does not hold.
fn missing(directory: &Path) -> Option<&'static str> {
    NEEDED.into_iter().find(|program| !directory.join(program).is_file())
}

/// What `pg_config` says, which may come with the client's library alone: the directory need not hold a server.
fn pg_config() -> Option<PathBuf> {
    let said = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(said.stdout).ok()?;
    said.status.success().then(|| PathBuf::from(directory.trim_end()))
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

    #[test]
    fn a_directory_must_hold_every_program() {
        let directory = tempfile::tempdir().unwrap();
        for program in ["initdb", "pg_ctl", "psql"] {
            fs::write(directory.path().join(program), "").unwrap();
        }
        assert_eq!(missing(directory.path()), Some("postgres"));
        fs::write(directory.path().join("postgres"), "").unwrap();
        assert_eq!(missing(directory.path()), None);
    }
}
