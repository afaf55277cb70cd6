//! The address of a PostgreSQL database: refused before libpq would repeat it, password and all, in an error; shown without
//! its secrets; read for what it sets of TLS; completed with defaults.
//!
//! The grammar is that of `conninfo_uri_parse_options` in libpq
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>), which has no parser as a library:
//! several hosts, and hosts that are directories, are no URL of the URL standard. Names and values of parameters are
//! checked by libpq, which reports a parameter that it does not know.

use std::fmt;
use std::fmt::Write as _;
use std::ops::Range;

/// What is wrong with an address, in words that follow its name. Never a part of the address: with an unescaped character
/// in a password, any part may hold the rest of the password.
pub(crate) type Problem = &'static str;

/// An address that libpq accepts. `Display` and `Debug` show it with `***` for its secrets.
#[derive(Clone)]
pub struct PgUrl {
    raw: String,
    shown: String,
    hosts: Vec<String>,
    database: String,
    parameters: Vec<(String, String)>,
    has_query: bool,
}

/// The parts of an address, not decoded.
struct Parts<'a> {
    user: Option<&'a str>,
    authority: &'a str,
    database: Option<&'a str>,
    query: Option<&'a str>,
}

const PORTS: Range<u32> = 1..65_536;
const NOT_PORT: Problem =
    "must have a port from 1 to 65535, or none for 5432, and `/` and `@` of a password as `%2F` and `%40`";
const SEPARATOR: Problem = "must write the `/`, `@` and `:` of a user name or password as `%2F`, `%40` and `%3A`";
const ESCAPE: Problem = "must write `%` as `%25` and `#` as `%23`";
const PARAMETER: Problem = "must give its parameters as `name=value`, joined by `&`, with `=` in a value as `%3D`";

impl PgUrl {
    /// Reads an address: `postgres://` or `postgresql://`, and what libpq takes behind it.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub fn parse(raw: &str) -> Result<Self, &'static str> {
        let rest = raw.strip_prefix("postgres://").or_else(|| raw.strip_prefix("postgresql://"));
        let rest = rest.ok_or("must begin with postgres://")?;
        if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("must not contain spaces or control characters; write a space as `%20`");
        }
        if rest.contains('#') {
            return Err(ESCAPE);
        }
        let parts = Parts::of(rest)?;
        if let Some(user) = parts.user {
            user.splitn(2, ':').try_for_each(|part| decode(part).map(drop))?;
        }
        let hosts = parts.authority.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
        let parameters = parts.query.map_or(Ok(Vec::new()), parameters)?;
        let mut url = Self {
            raw: raw.to_owned(),
            shown: String::new(),
            hosts,
            database: decode(parts.database.unwrap_or_default())?,
            parameters,
            has_query: parts.query.is_some(),
        };
        url.shown = url.describe(&parts);
        Ok(url)
    }

    /// Checks that the address names a host and a database, which libpq would else take from its environment.
    ///
    /// # Errors
    /// What is missing.
    pub fn names_host_and_database(&self) -> Result<(), &'static str> {
        if self.database.is_empty() && self.parameter("dbname").is_none() {
            return Err("names no database after the host");
        }
        if self.hosts.iter().all(String::is_empty) && self.parameter("host").is_none() {
            return Err("names no host");
        }
        Ok(())
    }

    /// The address as libpq takes it, secrets included.
    pub fn expose(&self) -> &str {
        &self.raw
    }

    /// An address as it may be shown, whatever it is.
    pub(crate) fn display(raw: &str) -> String {
        Self::parse(raw).map_or_else(|_| "(no URL of PostgreSQL)".to_owned(), |url| url.shown)
    }

    /// The address with `***` for its secrets.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The value of a parameter; of several, the last counts.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The hosts that the address names; empty texts where it leaves them to libpq.
    pub(crate) fn hosts(&self) -> Vec<&str> {
        match self.parameter("host") {
            Some(hosts) => hosts.split(',').collect(),
            None => self.hosts.iter().map(String::as_str).collect(),
        }
    }

    /// The address with these parameters, except for those that it has already. Names and values are plain words.
    pub(crate) fn with_defaults(&self, defaults: &[(&str, String)]) -> String {
        let mut url = self.raw.clone();
        let mut separator = if self.has_query { '&' } else { '?' };
        if self.has_query && self.parameters.is_empty() {
            // A question mark with nothing behind it.
            url.truncate(url.trim_end_matches('?').len());
            separator = '?';
        }
        for (name, value) in defaults.iter().filter(|(name, _)| self.parameter(name).is_none()) {
            // Writing to a string cannot fail.
            let _infallible = write!(url, "{separator}{name}={value}");
            separator = '&';
        }
        url
    }

    fn describe(&self, parts: &Parts<'_>) -> String {
        let mut shown = "postgres://".to_owned();
        if let Some(user) = parts.user.filter(|user| !user.is_empty()) {
            let (name, mask) = user.split_once(':').map_or((user, ""), |(name, _password)| (name, ":***"));
            shown.extend([name, mask, "@"]);
        }
        shown.push_str(parts.authority);
        shown.extend(parts.database.into_iter().flat_map(|database| ["/", database]));
        let pairs = parts.query.into_iter().flat_map(|query| query.split('&'));
        for ((name, _), pair) in self.parameters.iter().zip(pairs) {
            shown.push(if shown.contains('?') { '&' } else { '?' });
            match pair.split_once('=') {
                Some((raw, value)) if is_secret(name, value) => shown.extend([raw, "=***"]),
                _ => shown.push_str(pair),
            }
        }
        shown
    }
}

/// Whether a parameter holds a secret. A value with an `@` may be the rest of a password whose `@` and `?` are not escaped.
fn is_secret(name: &str, value: &str) -> bool {
    ["password", "sslpassword"].contains(&name) || value.contains('@')
}

impl fmt::Display for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PgUrl({self})")
    }
}

impl<'a> Parts<'a> {
    /// The parts of what follows the scheme.
    fn of(rest: &'a str) -> Result<Self, Problem> {
        // The user information ends at the first @, unless a / comes first.
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) if !user.contains('/') => (Some(user), rest),
            _ => (None, rest),
        };
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let (authority, database) = match place.split_once('/') {
            Some((authority, database)) => (authority, Some(database)),
            None => (place, None),
        };
        if place.contains('@') || database.is_some_and(|database| database.contains(['/', ':'])) {
            return Err(SEPARATOR);
        }
        Ok(Self { user, authority, database, query })
    }
}

/// A host, with its port taken off.
fn host(text: &str) -> Result<String, Problem> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("must close the bracket of an IPv6 address")?;
            match port.strip_prefix(':') {
                None if !port.is_empty() => return Err(NOT_PORT),
                port => (address, port),
            }
        }
        None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse().is_ok_and(|port| PORTS.contains(&port))
    };
    if !port.is_none_or(is_port) {
        return Err(NOT_PORT);
    }
    decode(name)
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').filter(|(_, value)| !value.contains('=')).ok_or(PARAMETER)?;
        let (name, value) = (decode(name)?, decode(value)?);
        // What JDBC calls it, which libpq takes too.
        Ok(if (name.as_str(), value.as_str()) == ("ssl", "true") {
            ("sslmode".to_owned(), "require".to_owned())
        } else {
            (name, value)
        })
    };
    if query.is_empty() { Ok(Vec::new()) } else { query.split('&').map(pair).collect() }
}

/// Decodes the escapes (RFC 3986, 2.1). libpq refuses an escape that is incomplete or stands for a zero byte.
fn decode(text: &str) -> Result<String, Problem> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).ok_or(ESCAPE)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ESCAPE);
        }
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|byte| *byte != 0).ok_or(ESCAPE)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(raw: &str) -> Result<String, Problem> {
        PgUrl::parse(raw).map(|url| url.shown)
    }

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (raw, expected) in [
            ("postgres://ann:secret@db:5433/chat?sslmode=disable", "postgres://ann:***@db:5433/chat?sslmode=disable"),
            ("postgresql://ann:sec%2Fret@db/chat", "postgres://ann:***@db/chat"),
            ("postgres://ann:s?e:c=ret@db", "postgres://ann:***@db"),
            ("postgres://:secret@db", "postgres://:***@db"),
            ("postgres://", "postgres://"),
            (
                "postgres:///chat?host=/run/postgresql&password=secret",
                "postgres:///chat?host=/run/postgresql&password=***",
            ),
            (
                "postgres://db/chat?pass%77ord=secret&sslpassword=secret",
                "postgres://db/chat?pass%77ord=***&sslpassword=***",
            ),
            ("postgres://ann:se@db/chat?cret=secret@db", "postgres://ann:***@db/chat?cret=***"),
            ("postgres://ann:secret@[::1]:5432,db2:5433/chat", "postgres://ann:***@[::1]:5432,db2:5433/chat"),
        ] {
            assert_eq!(shown(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn an_address_that_libpq_would_repeat_in_an_error_is_refused() {
        for raw in [
            "mysql://ann:secret@db/chat",
            "host=db password=secret",
            "postgres://ann:sec/ret@db/chat",
            "postgres://ann:12/34@db/chat",
            "postgres://ann:sec@ret@db/chat",
            "postgres://ann:sec%ret@db/chat",
            "postgres://ann:secret%@db/chat",
            "postgres://ann:sec%00ret@db/chat",
            "postgres://ann:sec ret@db/chat",
            "postgres://ann:secret@[::1/chat",
            "postgres://ann:secret@[::1]5432/chat",
            "postgres://ann:secret@db:54x/chat",
            "postgres://ann@db/chat?password",
            "postgres://ann@db/chat?password=sec=ret",
            "postgres://ann@db/chat?password=%é",
        ] {
            let problem = shown(raw).expect_err(raw);
            assert!(!problem.contains("sec"), "{problem}");
            assert_eq!(PgUrl::display(raw), "(no URL of PostgreSQL)");
        }
    }

    #[test]
    fn an_operators_address_is_taken_as_it_is_and_shown_without_its_secrets() {
        let cases = [
            ("chat:canary@db:5432/chat", "postgres://chat:***@db:5432/chat"),
            ("chat@db/chat", "postgres://chat@db/chat"),
            ("db/chat", "postgres://db/chat"),
            (
                "chat:canary@a:1,b:2/chat?sslmode=require&password=canary",
                "postgres://chat:***@a:1,b:2/chat?sslmode=require&password=***",
            ),
            ("chat:canary%40%2F@[::1]:5433/chat", "postgres://chat:***@[::1]:5433/chat"),
            ("/chat?host=/run/postgresql", "postgres:///chat?host=/run/postgresql"),
            ("chat@%2Frun%2Fpostgresql/chat", "postgres://chat@%2Frun%2Fpostgresql/chat"),
        ];
        for (rest, shown) in cases {
            let url = PgUrl::parse(&format!("postgres://{rest}")).unwrap();
            assert_eq!(url.names_host_and_database(), Ok(()), "{rest}");
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.expose(), format!("postgres://{rest}"));
            assert!(!format!("{url:?}").contains("canary"), "{url:?}");
        }
    }

    #[test]
    fn an_operators_address_that_is_incomplete_or_ambiguous_is_refused() {
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
            let url = PgUrl::parse(&format!("postgres://{rest}"));
            let problem = url.and_then(|url| url.names_host_and_database()).unwrap_err();
            assert!(problem.contains(part), "{rest:?}: {problem}");
        }
    }

    #[test]
    fn defaults_are_added_where_the_address_sets_nothing() {
        let defaults = [("connect_timeout", "3".to_owned()), ("keepalives", "1".to_owned())];
        for (raw, expected) in [
            ("postgres://db", "postgres://db?connect_timeout=3&keepalives=1"),
            ("postgres://db/chat?", "postgres://db/chat?connect_timeout=3&keepalives=1"),
            ("postgres://db?keepalives=0", "postgres://db?keepalives=0&connect_timeout=3"),
            ("postgres://ann:a?b@db", "postgres://ann:a?b@db?connect_timeout=3&keepalives=1"),
            ("postgres://db?connect%5ftimeout=9", "postgres://db?connect%5ftimeout=9&keepalives=1"),
        ] {
            assert_eq!(PgUrl::parse(raw).unwrap().with_defaults(&defaults), expected);
        }
    }

    #[test]
    fn the_last_of_equal_parameters_counts() {
        let url = PgUrl::parse("postgres://db?sslmode=disable&ssl=true").unwrap();
        assert_eq!(url.parameter("sslmode"), Some("require"));
        assert_eq!(PgUrl::parse("postgres://a,b:1?host=c,d").unwrap().hosts(), ["c", "d"]);
    }
}
