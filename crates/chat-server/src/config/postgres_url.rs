//! The address of a PostgreSQL database, checked before anything is opened, and shown without what it keeps secret.
//!
//! The form is libpq's (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>). Names and
//! values of parameters are libpq's affair: it says when it does not know one.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A checked URL that shows its user, hosts and database, and neither password nor parameters.
#[derive(Clone, Debug)]
pub(crate) struct PostgresUrl {
    url: SecretString,
    shown: String,
}

impl PostgresUrl {
    /// Reads what follows `postgres://` or `postgresql://`. The error does not repeat any of it: with an unescaped
    /// character in a password, any part may hold the rest of the password.
    pub(crate) fn parse(rest: &str) -> Result<Self, &'static str> {
        if rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("must not contain spaces or control characters; write a space as `%20`");
        }
        if rest.contains('#') || !escapes_are_valid(rest) {
            return Err("must write `%` as `%25` and `#` as `%23`");
        }
        let (place, parameters) = rest.split_once('?').map_or((rest, None), |(place, rest)| (place, Some(rest)));
        let (authority, database) = place.split_once('/').ok_or("names no database after the host")?;
        if database.contains(['/', '@', ':']) || authority.matches('@').count() > 1 {
            return Err("must write the `/`, `@` and `:` of a user name or password as `%2F`, `%40` and `%3A`");
        }
        if parameters.is_some_and(|all| all.split('&').any(|pair| !pair.contains('='))) {
            return Err("must give its parameters as `name=value`, joined by `&`");
        }
        if database.is_empty() && !has(parameters, "dbname") {
            return Err("names no database after the host");
        }
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        if hosts.is_empty() && !has(parameters, "host") {
            return Err("names no host");
        }
        if !hosts.split(',').all(port_is_valid) {
            return Err("must have a port from 1 to 65535, or none for 5432");
        }
        let user = credentials.split_once(':').map_or(credentials, |(user, _password)| user);
        let at = if user.is_empty() { "" } else { "@" };
        Ok(Self {
            url: SecretString::from(format!("postgres://{rest}")),
            shown: format!("postgres://{user}{at}{hosts}/{database}"),
        })
    }

    /// The URL as libpq takes it, secrets included.
    pub(crate) fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn has(parameters: Option<&str>, name: &str) -> bool {
    parameters.is_some_and(|all| all.split('&').any(|pair| pair.split_once('=').is_some_and(|(key, _)| key == name)))
}

/// Whether each `%` begins an escape of a byte other than zero (RFC 3986, 2.1), which libpq insists on.
fn escapes_are_valid(text: &str) -> bool {
    let mut parts = text.split('%');
    let _before_the_first = parts.next();
    parts.all(|part| {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits.is_some_and(|digits| digits != "00")
    })
}

/// Whether a host has a usable port or none. An IPv6 address stands in brackets.
fn port_is_valid(host: &str) -> bool {
    let after_address = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    after_address.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets_and_handed_on_as_it_is() {
        let cases = [
            ("chat:canary@db:5432/chat", "postgres://chat@db:5432/chat"),
            ("chat@db/chat", "postgres://chat@db/chat"),
            ("db/chat", "postgres://db/chat"),
            ("chat:canary@a:1,b:2/chat?sslmode=require&password=canary", "postgres://chat@a:1,b:2/chat"),
            ("chat:canary%40%2F@[::1]:5433/chat", "postgres://chat@[::1]:5433/chat"),
            ("/chat?host=/run/postgresql", "postgres:///chat"),
            ("chat@%2Frun%2Fpostgresql/chat", "postgres://chat@%2Frun%2Fpostgresql/chat"),
        ];
        for (rest, shown) in cases {
            let url = PostgresUrl::parse(rest).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.expose(), format!("postgres://{rest}"));
            assert!(!format!("{url:?}").contains("canary"), "{url:?}");
        }
    }

    #[test]
    fn a_url_that_libpq_would_read_differently_is_refused() {
        let cases = [
            ("", "names no database"),
            ("db", "names no database"),
            ("db/", "names no database"),
            ("/chat", "names no host"),
            ("chat:canary@/chat", "names no host"),
            ("chat:canary@db:0/chat", "port"),
            ("chat:canary@db:65536/chat", "port"),
            ("chat:canary@db:/chat", "port"),
            ("chat:can@ary@db/chat", "%40"),
            ("chat:can/ary@db/chat", "%2F"),
            ("chat:can%ary@db/chat", "%25"),
            ("chat:can%zzary@db/chat", "%25"),
            ("chat:can%00ary@db/chat", "%25"),
            ("chat:can#ary@db/chat", "%23"),
            ("chat:can ary@db/chat", "%20"),
            ("chat:can\nary@db/chat", "%20"),
            ("db/chat?sslmode", "name=value"),
        ];
        for (rest, part) in cases {
            let problem = PostgresUrl::parse(rest).unwrap_err();
            assert!(problem.contains(part), "{rest:?}: {problem}");
        }
    }
}
