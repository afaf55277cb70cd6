//! The database's URL, as far as it has to be understood here: to refuse one that libpq would complain about by
//! repeating it, password and all; to show one without its secrets; to tell what it asks of TLS; to add to it.
//!
//! The grammar is that of `conninfo_uri_parse_options` in libpq
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>).

use std::fmt::Write as _;

/// What is wrong with a URL, in words that follow "it". Never a part of the URL, which may be a part of the password.
pub(crate) type Problem = &'static str;

/// A URL that libpq accepts.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    raw: String,
    shown: String,
    hosts: Vec<String>,
    parameters: Vec<(String, String)>,
    has_query: bool,
}

const NOT_PORT: Problem =
    "has a port that is no number (in a user name or a password, / is written as %2F and @ as %40)";
const STRAY_AT: Problem = "has an @ too many (in a user name or a password, @ is written as %40)";

impl DatabaseUrl {
    /// Reads a URL.
    pub(crate) fn parse(raw: &str) -> Result<Self, Problem> {
        let rest = raw.strip_prefix("postgres://").or_else(|| raw.strip_prefix("postgresql://"));
        let rest = rest.ok_or("does not start with postgres://")?;
        if raw.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("has a blank or a control character (a blank is written as %20)");
        }
        // The user information ends at the first @, unless a / comes first.
        let (user, rest) = match rest.find(['@', '/']) {
            Some(end) if rest[end..].starts_with('@') => (Some(&rest[..end]), &rest[end + 1..]),
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
        if place.contains('@') {
            return Err(STRAY_AT);
        }
        for part in user.into_iter().flat_map(|user| user.splitn(2, ':')).chain(database) {
            decode(part)?;
        }
        let hosts = authority.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
        let parameters = query.map_or(Ok(Vec::new()), parameters)?;
        let mut url = Self { raw: raw.to_owned(), shown: String::new(), hosts, parameters, has_query: query.is_some() };
        url.shown = url.describe(user, authority, database);
        Ok(url)
    }

    /// A URL as it may be shown to anyone, whatever it is.
    pub(crate) fn display(raw: &str) -> String {
        Self::parse(raw).map_or_else(|_| "(no URL of PostgreSQL)".to_owned(), |url| url.shown)
    }

    /// The URL without its password and without its parameters, except for the host.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The value of a parameter; of several, the last counts.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The hosts that the URL names; empty texts where it leaves them to libpq.
    pub(crate) fn hosts(&self) -> Vec<&str> {
        match self.parameter("host") {
            Some(hosts) => hosts.split(',').collect(),
            None => self.hosts.iter().map(String::as_str).collect(),
        }
    }

    /// The URL with these parameters, except for those that it has already. Names and values are plain words.
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

    fn describe(&self, user: Option<&str>, authority: &str, database: Option<&str>) -> String {
        let mut shown = "postgres://".to_owned();
        if let Some(name) = user.and_then(|user| user.split(':').next()).filter(|name| !name.is_empty()) {
            shown.push_str(name);
            shown.push('@');
        }
        shown.push_str(authority);
        if let Some(database) = database {
            shown.push('/');
            shown.push_str(database);
        }
        if let Some(host) = self.parameter("host") {
            shown.push_str("?host=");
            shown.push_str(host);
        }
        shown
    }
}

/// A host, with its port taken off.
fn host(text: &str) -> Result<String, Problem> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("has a [ without a ]")?;
            (address, port.strip_prefix(':').or(port.is_empty().then_some("")).ok_or(NOT_PORT)?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NOT_PORT);
    }
    decode(name)
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').ok_or("has a parameter without a value")?;
        if value.contains('=') {
            return Err("has a parameter with two = (in a value, = is written as %3D)");
        }
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

fn decode(text: &str) -> Result<String, Problem> {
    const BAD: Problem = "has a % that is not followed by two hexadecimal digits (a % is written as %25)";
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).ok_or(BAD)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BAD);
        }
        match u8::from_str_radix(digits, 16) {
            Ok(0) => return Err("has a %00"),
            Ok(byte) => bytes.push(byte),
            Err(_) => return Err(BAD),
        }
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(raw: &str) -> Result<String, Problem> {
        DatabaseUrl::parse(raw).map(|url| url.shown)
    }

    #[test]
    fn urls_are_shown_without_their_secrets() {
        for (raw, expected) in [
            ("postgres://ann:secret@db:5433/chat?sslmode=disable", "postgres://ann@db:5433/chat"),
            ("postgresql://ann:sec%2Fret@db/chat", "postgres://ann@db/chat"),
            ("postgres://ann:s?e:c=ret@db", "postgres://ann@db"),
            ("postgres://:secret@db", "postgres://db"),
            ("postgres://", "postgres://"),
            ("postgres:///chat?host=/run/postgresql&password=secret", "postgres:///chat?host=/run/postgresql"),
            ("postgres://ann:secret@[::1]:5432,db2:5433/chat", "postgres://ann@[::1]:5432,db2:5433/chat"),
        ] {
            assert_eq!(shown(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn what_libpq_would_repeat_in_its_complaint_is_refused_before() {
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
            assert_eq!(DatabaseUrl::display(raw), "(no URL of PostgreSQL)");
        }
    }

    #[test]
    fn defaults_are_added_where_the_url_is_silent() {
        let defaults = [("connect_timeout", "3".to_owned()), ("keepalives", "1".to_owned())];
        for (raw, expected) in [
            ("postgres://db", "postgres://db?connect_timeout=3&keepalives=1"),
            ("postgres://db/chat?", "postgres://db/chat?connect_timeout=3&keepalives=1"),
            ("postgres://db?keepalives=0", "postgres://db?keepalives=0&connect_timeout=3"),
            ("postgres://ann:a?b@db", "postgres://ann:a?b@db?connect_timeout=3&keepalives=1"),
            ("postgres://db?connect%5ftimeout=9", "postgres://db?connect%5ftimeout=9&keepalives=1"),
        ] {
            assert_eq!(DatabaseUrl::parse(raw).unwrap().with_defaults(&defaults), expected);
        }
    }

    #[test]
    fn the_last_of_equal_parameters_counts() {
        let url = DatabaseUrl::parse("postgres://db?sslmode=disable&ssl=true").unwrap();
        assert_eq!(url.parameter("sslmode"), Some("require"));
        assert_eq!(DatabaseUrl::parse("postgres://a,b:1?host=c,d").unwrap().hosts(), ["c", "d"]);
    }
}
