//! Translates the errors of the driver and of connections. No other file inspects them.

use std::fmt::{self, Display};
use std::io;

use redis::{ErrorKind, RedisError};
use tokio_rustls::rustls::{CertificateError, Error as TlsError};

/// Why the configuration cannot be used. The texts follow the name of the option, and never repeat a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConfigError {
    /// Something is wrong with the URL.
    #[error("{problem}; a valid value is redis://:secret@redis.example.com:6379/0")]
    Url {
        /// What is wrong with it.
        problem: String,
    },
    /// The prefix has other characters, or too many of them.
    #[error("must have 1 to 64 letters, digits, hyphens, dots or underscores, such as chat")]
    Prefix,
    /// The certificates of the private authorities cannot be read.
    #[error("must hold certificates of authorities as PEM, which begin with -----BEGIN CERTIFICATE-----: {problem}")]
    Authorities {
        /// What is wrong with them.
        problem: String,
    },
    /// There are no authorities to verify a server's certificate by.
    #[error(
        "has no authorities to check certificates by: install the system's (`ca-certificates`), or name private ones"
    )]
    NoAuthorities,
}

/// Why a command of Redis failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RedisFailure {
    /// There is no connection, and nothing was sent.
    NotConnected,
    /// It was sent, and whether it was or will be executed is unknown.
    Uncertain(String),
    /// Redis refused it, and executed nothing.
    Refused(String),
}

impl Display for RedisFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not connected"),
            Self::Uncertain(reason) | Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl From<RedisError> for RedisFailure {
    fn from(error: RedisError) -> Self {
        // An error of the server begins with a code, such as `OOM` or `NOPERM`.
        if error.code().is_some() { Self::Refused(message(&error)) } else { Self::Uncertain(message(&error)) }
    }
}

/// The text of the error, for the log. It has the server's text, and no passwords.
pub(crate) fn message(error: &RedisError) -> String {
    error.to_string()
}

/// The problem of a URL, without the error's detail, which repeats a part of the URL and so may hold a secret. The kind
/// of the error, which stands behind the text, adds nothing.
pub(crate) fn url_problem(error: &RedisError) -> String {
    let text = if error.detail().is_some() { error.category().to_owned() } else { error.to_string() };
    text.split(['-', ':']).next().unwrap_or_default().trim_end().to_owned()
}

/// Why a server refused the login.
pub(crate) fn login_failure(server: &impl Display, encrypted: bool, error: &RedisError) -> RedisFailure {
    let text = message(error);
    let hint = match error.kind() {
        // `SELECT` of another database than 0.
        ErrorKind::Server(_) if text.contains("cluster mode") => {
            " (a cluster has no numbered databases: leave the one in the URL out)"
        }
        ErrorKind::Io | ErrorKind::Parse if !encrypted => {
            " (it may not be Redis that responds there; if it is and expects TLS, its URL begins with rediss://)"
        }
        _ => "",
    };
    RedisFailure::Refused(format!("{server}: {text}{hint}"))
}

/// Why a server is unreachable, or its certificate not trusted.
pub(crate) fn io_message(error: &io::Error) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
        return error.to_string();
    };
    let hint = match tls {
        // A wrong signature: by an authority of the same name, such as an authority that was created again.
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "; no authority that is trusted here has signed its certificate: a private one must be named"
        }
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "; its certificate is for another name than that in the URL",
        TlsError::InvalidMessage(_) => "; if this server does not expect TLS, its URL begins with redis://",
        _ => "",
    };
    format!("TLS: {tls}{hint}")
}
