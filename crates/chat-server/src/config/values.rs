//! How each option's text becomes a value. An error says what is wrong and shows a valid value; the option's name is
//! put in front where it is reported.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chat_domain::model::Role;
use clap::ValueEnum;
use secrecy::SecretString;
use tracing_subscriber::filter::{LevelFilter, Targets};
use url::Url;

use super::units;
use crate::adapters::{PgUrl, S3Location};

/// Where sessions and messages are kept.
#[derive(Clone, Debug)]
pub(crate) enum DatabaseUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(PgUrl),
}

impl DatabaseUrl {
    /// Reads a database URL. The error never repeats the text, which may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const VALID: &str =
            "valid values are sqlite:///var/lib/chat/chat.db and postgres://chat:secret@db.example.com:5432/chat";
        match text.split_once("://") {
            Some(("sqlite", path)) => {
                Ok(Self::Sqlite(local_path(path).map_err(|problem| format!("{problem}; {VALID}"))?))
            }
            Some(("postgres" | "postgresql", _)) => {
                let url = PgUrl::parse(text).and_then(|url| url.names_host_and_database().map(|()| url));
                Ok(Self::Postgres(url.map_err(|problem| format!("{problem}; {VALID}"))?))
            }
            Some(_) => Err(format!("must begin with sqlite:// or postgres://; {VALID}")),
            None => Err(format!("must be a URL; {VALID}")),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// Where the bytes of attachments are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttachmentsUrl {
    /// A directory.
    File(PathBuf),
    /// A bucket of S3.
    S3(S3Location),
}

impl fmt::Display for AttachmentsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file://{}", path.display()),
            Self::S3(location) => location.fmt(f),
        }
    }
}

/// Reads how long something waits, at least a second.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    let wait = units::duration(text)?;
    if wait < Duration::from_secs(1) {
        return Err("must be at least 1s; valid values are 30m, 24h and 7d".to_owned());
    }
    Ok(wait)
}

/// Reads a share of all.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a number from 0 to 1, such as 0.01 for one in a hundred".to_owned())
}

/// Reads how long the server goes on to serve after a signal; `0` for not at all.
pub(crate) fn drain_delay(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_mins(10);
    let delay = if text == "0" { Some(Duration::ZERO) } else { units::duration(text).ok() };
    delay
        .filter(|delay| *delay <= LONGEST)
        .ok_or_else(|| "must be 0, or a time of at most 10m with its unit, such as 5s or 30s".to_owned())
}

/// Reads the URL of the attachments.
pub(crate) fn attachments_url(text: &str) -> Result<AttachmentsUrl, String> {
    const VALID: &str = "valid values are file:///var/lib/chat/attachments and s3://bucket/prefix";
    match text.split_once("://") {
        Some(("file", path)) => {
            Ok(AttachmentsUrl::File(local_path(path).map_err(|problem| format!("{problem}; {VALID}"))?))
        }
        Some(("s3", place)) => {
            Ok(AttachmentsUrl::S3(S3Location::parse(place).map_err(|problem| format!("{problem}; {VALID}"))?))
        }
        Some((scheme, _)) => Err(format!("`{scheme}://` is not a store this server knows; {VALID}")),
        None => Err(format!("must be a URL; {VALID}")),
    }
}

/// What follows `sqlite://` or `file://`: a path as it is, absolute when it starts with a slash.
fn local_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the path is missing".to_owned());
    }
    if text.contains(['?', '#', '%']) {
        return Err("the path must not contain `?`, `#` or `%`, which are reserved in URLs".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// Reads the address to listen on.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080".to_owned())
}

/// Where the figures about the server are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminListen {
    /// On this address.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

impl AdminListen {
    /// Reads the address or `off`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|_| {
                "must be an IP address and a port, such as 127.0.0.1:9464 or 0.0.0.0:9464, or off".to_owned()
            }),
        }
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Off => f.write_str("off"),
        }
    }
}

/// Reads the public base URL, and writes it as the URL standard does, without the slash at its end.
pub(crate) fn public_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| is_base(url) && !text.contains(":///"));
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| "must be an http or https URL without a query, such as https://chat.example.com".to_owned())
}

fn is_base(url: &Url) -> bool {
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let is_place = !has_credentials && url.query().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && is_place
}

/// Takes the secret as it is: its length is checked later, because an error here would repeat it.
#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
pub(crate) fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

/// Takes any text but an empty one.
pub(crate) fn text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("must not be empty; leave the option out instead".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Reads a whole number from 1 to `MAX`.
pub(crate) fn count<T: TryFrom<u32>, const MAX: u32>(text: &str) -> Result<T, String> {
    whole_number(text, 1, MAX)
}

/// Reads a whole number from 0, which means none, to `MAX`.
pub(crate) fn count_or_none<T: TryFrom<u32>, const MAX: u32>(text: &str) -> Result<T, String> {
    whole_number(text, 0, MAX)
}

fn whole_number<T: TryFrom<u32>>(text: &str, min: u32, max: u32) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

/// Reads the dotted path of the claim with the role.
pub(crate) fn claim_path(text: &str) -> Result<String, String> {
    if text.split('.').any(|name| name.trim().is_empty()) {
        return Err("must be the names of claims joined by dots, such as role or realm_access.roles".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads one entry of the role map.
pub(crate) fn role_name(text: &str) -> Result<(String, Role), String> {
    text.split_once('=')
        .and_then(|(foreign, role)| Some((foreign.trim(), Role::parse(role.trim())?)))
        .filter(|(foreign, _)| !foreign.is_empty())
        .map(|(foreign, role)| (foreign.to_owned(), role))
        .ok_or_else(|| {
            "must be pairs of a foreign name and one of user, agent, admin, such as \
             support-agent=agent,supervisor=admin"
                .to_owned()
        })
}

/// Reads the limit to how far ahead a token ends. Beyond it, a time in milliseconds that was taken for seconds would pass.
pub(crate) fn token_lifetime(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(3_650 * 24);
    units::duration(text)
        .ok()
        .filter(|lifetime| *lifetime <= LONGEST)
        .ok_or_else(|| "must be a time above zero and of at most 3650d with its unit, such as 12h or 365d".to_owned())
}

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The format when the operator does not choose one.
    pub(crate) fn for_output(is_terminal: bool) -> Self {
        if is_terminal { Self::Pretty } else { Self::Json }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        })
    }
}

/// Which log lines are written: a level for all, and others for some parts.
#[derive(Clone, Debug)]
pub(crate) struct LogFilter {
    text: String,
    targets: Targets,
}

impl LogFilter {
    /// Reads a filter. A single word must be a level: taken as the name of a part, a typo would silence everything.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "must be a level (off, error, warn, info, debug, trace), with other levels for parts if wanted, \
             such as info or info,chat_http=debug"
                .to_owned()
        };
        let is_level = |level: &str| level.trim().parse::<LevelFilter>().is_ok() && !level.trim().is_empty();
        let known = text.split(',').all(|part| match part.split_once('=') {
            Some((target, level)) => !target.trim().is_empty() && is_level(level),
            None => is_level(part),
        });
        if !known {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), targets: text.parse().map_err(|_| wrong())? })
    }

    /// The filter in the form that the subscriber takes.
    pub(crate) fn targets(&self) -> Targets {
        self.targets.clone()
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_names_a_file() {
        for (text, file) in
            [("sqlite:///var/lib/chat/chat.db", "/var/lib/chat/chat.db"), ("sqlite://chat.db", "chat.db")]
        {
            let parsed = DatabaseUrl::parse(text).unwrap();
            assert!(matches!(&parsed, DatabaseUrl::Sqlite(path) if path.as_os_str() == file), "{parsed:?}");
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn both_schemes_of_postgres_mean_the_same() {
        for text in ["postgres://chat:canary@db/chat", "postgresql://chat:canary@db/chat"] {
            let parsed = DatabaseUrl::parse(text).unwrap();
            assert_eq!(parsed.to_string(), "postgres://chat:***@db/chat");
            assert!(!format!("{parsed:?}").contains("canary"));
        }
    }

    #[test]
    fn the_admin_address_can_be_off() {
        assert_eq!(AdminListen::parse("off"), Ok(AdminListen::Off));
        assert_eq!(AdminListen::parse("[::1]:9464").unwrap().to_string(), "[::1]:9464");
        for text in ["", "Off", "localhost:9464", "127.0.0.1", ":9464"] {
            assert!(AdminListen::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_refused_database_url_does_not_give_its_password_away() {
        for text in ["postgres://chat:canary@db", "mysql://chat:canary@db/chat", "canary://db", "chat:canary@db"] {
            let problem = DatabaseUrl::parse(text).unwrap_err();
            assert!(!problem.contains("canary"), "{problem}");
            assert!(problem.contains("sqlite:///var/lib/chat/chat.db"), "{problem}");
        }
    }

    #[test]
    fn a_public_url_loses_its_last_slash() {
        assert_eq!(public_url("https://example.com/chat/"), Ok("https://example.com/chat".to_owned()));
        assert_eq!(public_url("HTTPS://Chat.Example:443"), Ok("https://chat.example".to_owned()));
        let refused = [
            "",
            "example.com",
            "https:///example.com",
            "https://example.com/?a=b",
            "https://example.com/#a",
            "wss://example.com",
            "https://u:p@example.com",
        ];
        for text in refused {
            assert!(public_url(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_mistyped_log_level_is_refused() {
        assert!(LogFilter::parse("info").is_ok());
        assert!(LogFilter::parse("warn,chat_http=debug").is_ok());
        for text in ["", "inof", "info,", "chat_http", "chat_http=loud", "=debug"] {
            assert!(LogFilter::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn tokens_may_be_limited_to_ten_years_and_no_more() {
        assert_eq!(token_lifetime("12h"), Ok(Duration::from_hours(12)));
        assert_eq!(token_lifetime("3650d"), Ok(Duration::from_hours(3_650 * 24)));
        for text in ["", "365", "0d", "3651d", "1y"] {
            assert!(token_lifetime(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_share_is_from_none_to_all() {
        for (text, expected) in [("0", 0.0_f64), ("0.01", 0.01), ("1", 1.0)] {
            assert_eq!(share(text).unwrap().to_bits(), expected.to_bits());
        }
        for text in ["", "-0.1", "1.1", "1%", "NaN"] {
            assert!(share(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_drain_delay_may_be_none_and_at_most_ten_minutes() {
        assert_eq!(drain_delay("0"), Ok(Duration::ZERO));
        assert_eq!(drain_delay("10m"), Ok(Duration::from_mins(10)));
        for text in ["", "5", "0s", "601s", "-1s"] {
            assert!(drain_delay(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_role_map_entry_gives_a_foreign_name_one_of_our_roles() {
        assert_eq!(role_name("support-agent=agent"), Ok(("support-agent".to_owned(), Role::Agent)));
        for text in ["", "agent", "=agent", "boss=owner", "boss="] {
            assert!(role_name(text).is_err(), "{text:?} was taken");
        }
    }
}
