//! Where Redis's programs are.

use std::path::PathBuf;

use crate::error::Error;
use crate::process::Programs;

/// Names the directory of Redis's programs. `cargo xtask test` sets it.
pub const BIN_VARIABLE: &str = "CHAT_TEST_REDIS_BIN";

const PROGRAMS: Programs = Programs {
    name: "Redis's programs",
    files: &["redis-server", "redis-cli"],
    variable: Some(BIN_VARIABLE),
    remedy: "install the server, on Debian `apt-get install redis-server`, or name their directory in \
             CHAT_TEST_REDIS_BIN",
};

/// The directory with `redis-server` and `redis-cli`: the value of `CHAT_TEST_REDIS_BIN`, or the first directory of
/// `PATH` that holds both.
///
/// # Errors
/// No directory holds them, or the variable is set and names a directory that does not.
pub fn find_programs() -> Result<PathBuf, Error> {
    PROGRAMS.find([], "")
}
