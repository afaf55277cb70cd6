//! What the driver's errors mean here, and the words for them. No other file looks into one.

use redis::RedisError;

/// Why Redis did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no connection, and nothing was sent.
    Down,
    /// It was sent, and nobody knows whether it was done or will be.
    Uncertain(String),
    /// Redis said no, and did nothing.
    Refused(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Down => f.write_str("not connected"),
            Self::Uncertain(reason) | Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        // A code is what a server's error begins with, such as `OOM` or `NOPERM`.
        if error.code().is_some() { Self::Refused(words(&error)) } else { Self::Uncertain(words(&error)) }
    }
}

/// The error in words, for the log. The driver's texts have the server's words, and no passwords.
pub(crate) fn words(error: &RedisError) -> String {
    error.to_string()
}

/// What is wrong with a URL, without what is written there: that is what an error's detail repeats, and it may be a
/// secret. The kind of the error, which stands behind the words, says nothing more.
pub(crate) fn problem(error: &RedisError) -> String {
    let words = if error.detail().is_some() { error.category().to_owned() } else { error.to_string() };
    words.split(['-', ':']).next().unwrap_or_default().trim_end().to_owned()
}
