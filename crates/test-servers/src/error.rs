//! What can go wrong with a throwaway server. The texts are for developers and say what to do.

use std::io;
use std::path::PathBuf;

/// Why a server did not start, or did not do what was requested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory holds the programs.
    #[error("{programs} were not found ({looked}); {remedy}")]
    NoPrograms {
        /// Which programs.
        programs: &'static str,
        /// Where they were looked for.
        looked: String,
        /// How to install or name them.
        remedy: &'static str,
    },
    /// A variable names a directory without the programs.
    #[error("{variable} is {directory}, which has no {program}")]
    IncompletePrograms {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
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
    /// A program ended with an error, or a server returned one.
    #[error("{program} failed ({status}): {output}")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: String,
        /// What it wrote, with the end of the server's log where that explains it.
        output: String,
    },
    /// The server was killed and is not running.
    #[error("the server is not running")]
    NotRunning,
    /// The server is running already.
    #[error("the server is running already")]
    AlreadyRunning,
    /// Every port that was tried is in use.
    #[error("none of {tried} random ports of 127.0.0.1 was free")]
    NoPort {
        /// How many were tried.
        tried: usize,
    },
}

impl Error {
    /// For `map_err`: names what was attempted.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// A program that failed, its status and its output.
    pub(crate) fn failed(program: &str, status: &str, output: impl Into<String>) -> Self {
        Self::Failed { program: program.to_owned(), status: status.to_owned(), output: output.into() }
    }
}
