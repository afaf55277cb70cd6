//! What can go wrong with a throwaway server. The texts are for developers and say what to do.

use std::io;
use std::path::PathBuf;

/// Why there is no server, or why it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory with PostgreSQL's programs.
    #[error(
        "PostgreSQL's programs were not found ({looked}); install the server, on Debian `apt-get install postgresql`, \
         or name their directory in CHAT_TEST_POSTGRES_BIN"
    )]
    NoPrograms {
        /// Where they were looked for.
        looked: String,
    },
    /// `CHAT_TEST_POSTGRES_BIN` names a directory without the programs.
    #[error("CHAT_TEST_POSTGRES_BIN is {directory}, where there is no {program}")]
    IncompletePrograms {
        /// What the variable says.
        directory: PathBuf,
        /// The first program that is missing.
        program: &'static str,
    },
    /// No `PgBouncer`.
    #[error("pgbouncer was not found ({looked}); install it, on Debian `apt-get install pgbouncer`")]
    NoPooler {
        /// Where it was looked for.
        looked: String,
    },
    /// The operating system refused.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted.
        action: String,
        /// The refusal.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed ({status}): {output}")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: String,
        /// What it said, the end of the server's log included where that explains it.
        output: String,
    },
    /// Every port that was tried is in use.
    #[error("none of {tried} random ports of 127.0.0.1 was free")]
    NoPort {
        /// How many were tried.
        tried: usize,
    },
}

impl Error {
    /// For `map_err`: says what was attempted.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
