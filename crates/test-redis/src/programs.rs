//! Where Redis's programs are.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Names the directory of Redis's programs. `cargo xtask test` sets it.
pub const BIN_VARIABLE: &str = "CHAT_TEST_REDIS_BIN";

/// What a directory must hold.
const NEEDED: [&str; 2] = ["redis-server", "redis-cli"];

/// The directory with `redis-server` and `redis-cli`: what `CHAT_TEST_REDIS_BIN` names, or the first directory of `PATH`
/// that holds both.
///
/// # Errors
/// No directory holds them, or the variable is set and names one that does not.
pub fn find_programs() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os(BIN_VARIABLE) {
        let directory = PathBuf::from(named);
        return match missing(&directory) {
            None => Ok(directory),
            Some(program) => Err(Error::IncompletePrograms { directory, program }),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .find(|directory| missing(directory).is_none())
        .ok_or_else(|| Error::NoPrograms { looked: format!("{BIN_VARIABLE}, PATH") })
}

/// The first program that the directory does not hold.
fn missing(directory: &Path) -> Option<&'static str> {
    NEEDED.into_iter().find(|program| !directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_must_hold_every_program() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("redis-server"), "").unwrap();
        assert_eq!(missing(directory.path()), Some("redis-cli"));
        fs::write(directory.path().join("redis-cli"), "").unwrap();
        assert_eq!(missing(directory.path()), None);
    }
}
