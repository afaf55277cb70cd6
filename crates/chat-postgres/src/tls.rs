//! Whether the connection to the database can be as private as the operator asks.
//!
//! libpq is compiled in without TLS by default, so that a C compiler is all that a build needs. Such a program must not
//! pretend: what asks for TLS is refused at the start, and what would take it if it were there is warned of.

use std::net::IpAddr;

use tracing::warn;

use crate::error::OpenError;
use crate::url::PgUrl;

/// Whether libpq of this build knows TLS.
const BUILT: bool = !cfg!(feature = "bundled-libpq");

/// The values of `sslmode` (<https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>).
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const DEMANDS: [&str; 3] = ["require", "verify-ca", "verify-full"];

/// What there is to say about a connection that may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Privacy {
    /// As it was asked for.
    AsAsked,
    /// It goes over a network in plain text, and no setting allows that.
    Plain,
}

impl PgUrl {
    /// Checks that this build can connect as privately as the address and the environment of the process ask.
    ///
    /// # Errors
    /// TLS is asked for and was not built in, or `sslmode` is unknown.
    pub fn check_tls(&self) -> Result<(), OpenError> {
        assess(self, environment, BUILT).map(|_privacy| ())
    }
}

/// Warns, once, when the connection goes over a network without TLS and no setting allows that.
pub(crate) fn warn_if_plain(url: &PgUrl) {
    if assess(url, environment, BUILT).is_ok_and(|privacy| privacy == Privacy::Plain) {
        warn!(
            db.url = url.shown(),
            "the connection to the database is not encrypted: this program was built without TLS. Set sslmode=disable \
             in --database-url (CHAT_DATABASE_URL) if the network is trusted; otherwise build with \
             `--no-default-features --features system-libpq` and set sslmode=verify-full"
        );
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn assess(url: &PgUrl, environment: impl Fn(&str) -> Option<String>, built: bool) -> Result<Privacy, OpenError> {
    let setting = |name: &'static str, variable: &'static str| {
        let given = url.parameter(name).map(|value| (value.to_owned(), format!("{name}={value}")));
        given.or_else(|| environment(variable).map(|value| (value.clone(), format!("{variable}={value}"))))
    };
    let mode = setting("sslmode", "PGSSLMODE");
    if let Some((mode, said)) = &mode
        && !MODES.contains(&mode.as_str())
    {
        return Err(OpenError::TlsMode { said: said.clone() });
    }
    if built {
        return Ok(Privacy::AsAsked);
    }
    // The system's certificates are only ever used to verify, so naming them asks for `verify-full`.
    let verify = setting("sslrootcert", "PGSSLROOTCERT").filter(|(file, _)| file == "system");
    match (mode, verify) {
        (Some((mode, _)), _) if mode == "disable" => Ok(Privacy::AsAsked),
        (Some((mode, said)), _) if DEMANDS.contains(&mode.as_str()) => Err(OpenError::TlsNotBuilt { said }),
        (_, Some((_, said))) => Err(OpenError::TlsNotBuilt { said }),
        _ if is_local(url, environment) => Ok(Privacy::AsAsked),
        _ => Ok(Privacy::Plain),
    }
}

/// Whether every host is this machine.
fn is_local(url: &PgUrl, environment: impl Fn(&str) -> Option<String>) -> bool {
    let addresses = url.parameter("hostaddr").map(str::to_owned).or_else(|| environment("PGHOSTADDR"));
    if let Some(addresses) = addresses {
        return addresses.split(',').all(is_local_host);
    }
    let default = environment("PGHOST").unwrap_or_default();
    url.hosts()
        .into_iter()
        .all(|host| if host.is_empty() { default.split(',').all(is_local_host) } else { is_local_host(host) })
}

fn is_local_host(host: &str) -> bool {
    // Nothing, a directory or an abstract name: a socket of this machine.
    host.is_empty()
        || host.starts_with(['/', '@'])
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome in a word: what is said to ask for TLS, or how private the connection is.
    fn outcome(raw: &str, variables: &[(&str, &str)], built: bool) -> String {
        let environment =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        match assess(&PgUrl::parse(raw).unwrap(), environment, built) {
            Ok(Privacy::AsAsked) => "as asked".to_owned(),
            Ok(Privacy::Plain) => "plain".to_owned(),
            Err(OpenError::TlsNotBuilt { said }) => format!("refused: {said}"),
            Err(OpenError::TlsMode { said }) => format!("unknown: {said}"),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn without_tls_what_asks_for_it_is_refused_and_what_would_take_it_is_warned_of() {
        for (raw, expected) in [
            ("postgres://db?sslmode=require", "refused: sslmode=require"),
            ("postgres://db?sslmode=verify-ca", "refused: sslmode=verify-ca"),
            ("postgres://db?sslmode=verify-full", "refused: sslmode=verify-full"),
            ("postgres://db?ssl=true", "refused: sslmode=require"),
            ("postgres://localhost?sslmode=require", "refused: sslmode=require"),
            ("postgres://db?sslrootcert=system", "refused: sslrootcert=system"),
            ("postgres://db?sslmode=disable", "as asked"),
            ("postgres://db?sslmode=prefer", "plain"),
            ("postgres://db?sslmode=allow", "plain"),
            ("postgres://db", "plain"),
            ("postgres://10.0.0.1", "plain"),
            ("postgres://localhost,db", "plain"),
            ("postgres://localhost?hostaddr=10.0.0.1", "plain"),
            ("postgres://db?hostaddr=127.0.0.1", "as asked"),
            ("postgres://", "as asked"),
            ("postgres://LOCALHOST:5432/chat", "as asked"),
            ("postgres://127.1.2.3", "as asked"),
            ("postgres://[::1]:5432", "as asked"),
            ("postgres:///chat?host=/run/postgresql", "as asked"),
            ("postgres://%2Frun%2Fpostgresql/chat", "as asked"),
            ("postgres://db?sslmode=on", "unknown: sslmode=on"),
        ] {
            assert_eq!(outcome(raw, &[], false), expected, "{raw}");
        }
    }

    #[test]
    fn the_environment_counts_where_the_url_is_silent() {
        let require: &[_] = &[("PGSSLMODE", "require")];
        assert_eq!(outcome("postgres://db", require, false), "refused: PGSSLMODE=require");
        assert_eq!(outcome("postgres://db?sslmode=disable", require, false), "as asked");
        assert_eq!(outcome("postgres://", &[("PGHOST", "db")], false), "plain");
        assert_eq!(outcome("postgres://localhost", &[("PGHOST", "db")], false), "as asked");
        assert_eq!(outcome("postgres://localhost", &[("PGHOSTADDR", "10.0.0.1")], false), "plain");
        assert_eq!(outcome("postgres://db", &[("PGSSLROOTCERT", "system")], false), "refused: PGSSLROOTCERT=system");
    }

    #[test]
    fn with_tls_libpq_follows_the_settings() {
        for raw in ["postgres://db", "postgres://db?sslmode=prefer", "postgres://db?sslmode=verify-full"] {
            assert_eq!(outcome(raw, &[], true), "as asked", "{raw}");
        }
        assert_eq!(outcome("postgres://db?sslmode=yes", &[], true), "unknown: sslmode=yes");
    }
}
