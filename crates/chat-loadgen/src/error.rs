//! What keeps a command from doing its work. Requests that fail while load runs are not errors but figures.

use std::io;

/// A command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The options contradict each other, or the service refused the preparation; the text says what to do.
    #[error("{0}")]
    Setup(String),
    /// The operating system refused something.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, as the continuation of "cannot".
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl LoadError {
    pub(crate) fn setup(text: impl Into<String>) -> Self {
        Self::Setup(text.into())
    }

    /// For `map_err`: adds what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}
