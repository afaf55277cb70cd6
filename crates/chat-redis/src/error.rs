//! What the errors of the driver and of connections mean here, and the words for them. No other file looks into one.

use std::io;

use redis::{ErrorKind, RedisError};
use tokio_rustls::rustls::{CertificateError, Error as TlsError};

use crate::url::Server;

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

/// Why a server that was reached does not let this node in.
pub(crate) fn at_login(server: &Server, error: &RedisError) -> Failure {
    let words = words(error);
    let hint = match error.kind() {
        // `SELECT` of another database than 0.
        ErrorKind::Server(_) if words.contains("cluster mode") => {
            " (a cluster has no numbered databases: leave the one in the URL out)"
        }
        ErrorKind::Io | ErrorKind::Parse if !server.encrypted => {
            " (it may not be Redis that answers there; if it is and expects TLS, its URL begins with rediss://)"
        }
        _ => "",
    };
    Failure::Refused(format!("{server}: {words}{hint}"))
}

/// Why a server cannot be reached, or its certificate is not believed.
pub(crate) fn io_words(error: &io::Error) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
        return error.to_string();
    };
    let hint = match tls {
        // A wrong signature: by an authority of the same name, such as one that was made anew.
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
