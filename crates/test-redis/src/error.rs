//! What can go wrong with a throwaway server. The texts are for developers and say what to do.

use std::io;
use std::path::PathBuf;

/// Why there is no server, or why it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory with Redis's programs.
    #[error(
        "Redis's programs were not found ({looked}); install the server, on Debian `apt-get install redis-server`, or \
         name their directory in CHAT_TEST_REDIS_BIN"
    )]
    NoPrograms {
        /// Where they were looked for.
        looked: String,
    },
    /// `CHAT_TEST_REDIS_BIN` names a directory without the programs.
    #[error("CHAT_TEST_REDIS_BIN is {directory}, where there is no {program}")]
    IncompletePrograms {
        /// What the variable says.
        directory: PathBuf,
        /// The first program that is missing.
        program: &'static str,
    },
    /// The operating system refused.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted.
        action: String,
        /// The refusal.
        source: io::Error,
    },
    /// A program ended with an error, or the server answered with one.
    #[error("{program} failed: {output}")]
    Failed {
        /// Its name.
        program: String,
        /// What it said; for the server, the end of its log.
        output: String,
    },
    /// The server is not running, since it was killed.
    #[error("the server is not running")]
    NotRunning,
    /// The server is running, and there is one at a time.
    #[error("the server is running already")]
    Running,
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
