//! The addresses of Redis as an operator writes them: parsed before anything is connected, shown without passwords.

use std::fmt;
use std::sync::Arc;

use redis::{ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use crate::error::RedisConfigError;
use crate::error::url_problem;

const PLAIN: &str = "redis";
const ENCRYPTED: &str = "rediss";
const PORT: &str = "6379";

/// The most addresses. A cluster needs a few seeds only.
const MAX_SERVERS: usize = 32;

/// The addresses of the servers of one Redis: of a single primary, of a primary and those that may take its place, or
/// of some members of a cluster.
///
/// `redis://[user[:password]@]host[:port][,host[:port]…][/database]`, or `rediss://` for TLS. Several of these, each
/// with what is its own, are separated by commas too. `Display` and `Debug` show `***` for a password.
#[derive(Clone)]
pub struct RedisUrl {
    servers: Arc<[RedisServer]>,
    shown: String,
}

/// One address, with its login.
#[derive(Clone)]
pub(crate) struct RedisServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encrypted: bool,
    pub(crate) login: RedisConnectionInfo,
}

impl fmt::Display for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As in a URL (RFC 3986, 3.2.2).
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl RedisUrl {
    /// Reads the addresses.
    ///
    /// # Errors
    /// [`RedisConfigError::Url`], which names the problem and shows a valid value. It never repeats the text, which may
    /// hold a password.
    pub fn parse(text: &str) -> Result<Self, RedisConfigError> {
        Self::of(text).map_err(|problem| RedisConfigError::Url { problem })
    }

    /// Whether any of the connections is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.servers.iter().any(|server| server.encrypted)
    }

    pub(crate) fn servers(&self) -> &Arc<[RedisServer]> {
        &self.servers
    }

    fn of(text: &str) -> Result<Self, String> {
        let (mut servers, mut shown) = (Vec::new(), Vec::new());
        for url in split(text) {
            shown.push(read(&url, &mut servers)?);
        }
        if servers.len() > MAX_SERVERS {
            return Err(format!("has more than {MAX_SERVERS} addresses: some of a cluster's are enough"));
        }
        let mut databases = servers.iter().map(|server| server.login.db());
        let first = databases.next();
        if databases.any(|database| Some(database) != first) {
            return Err("must name the same database for every address".to_owned());
        }
        Ok(Self { servers: servers.into(), shown: shown.join(",") })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

/// Splits the URLs. A comma separates two URLs only if another URL begins behind it; the others separate hosts.
fn split(text: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for part in text.split(',') {
        match urls.last_mut() {
            Some(url) if !part.contains("://") => {
                url.push(',');
                url.push_str(part);
            }
            _ => urls.push(part.to_owned()),
        }
    }
    urls
}

/// Adds the servers of one URL, and returns the URL without its password.
fn read(url: &str, servers: &mut Vec<RedisServer>) -> Result<String, String> {
    let (scheme, rest) = url.split_once("://").ok_or("must be a URL")?;
    if scheme != PLAIN && scheme != ENCRYPTED {
        return Err("must begin with redis://, or with rediss:// for TLS".to_owned());
    }
    if rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not contain spaces or control characters; write a space as `%20`".to_owned());
    }
    if rest.contains(['?', '#']) {
        return Err("takes no parameters, and certificates are always checked; write `?` and `#` of a password as \
                    `%3F` and `%23`"
            .to_owned());
    }
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    if database.contains(['/', '@', ':']) || authority.matches('@').count() > 1 {
        return Err("must write the `/`, `@` and `:` of a password as `%2F`, `%40` and `%3A`".to_owned());
    }
    if !database.is_empty() && database.parse::<u16>().is_err() {
        return Err("must name its database by a number, behind the last host, as in redis://host/0".to_owned());
    }
    let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    for host in hosts.split(',') {
        servers.push(server(scheme, credentials, host, database)?);
    }
    let (user, mask) = credentials.split_once(':').map_or((credentials, ""), |(user, _password)| (user, ":***"));
    let at = if credentials.is_empty() { "" } else { "@" };
    let slash = if database.is_empty() { "" } else { "/" };
    Ok(format!("{scheme}://{user}{mask}{at}{hosts}{slash}{database}"))
}

fn server(scheme: &str, credentials: &str, host: &str, database: &str) -> Result<RedisServer, String> {
    let (name, port) = match host.rsplit_once(']') {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if name.is_empty() {
        return Err("names no host".to_owned());
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err("must have a port from 1 to 65535, or none for 6379".to_owned());
    }
    let port = if port.is_some() { String::new() } else { format!(":{PORT}") };
    // The driver decodes the credentials. TLS is not its concern here.
    let one = format!("{PLAIN}://{credentials}@{host}{port}/{database}");
    let info = one.into_connection_info().map_err(|error| url_problem(&error))?;
    let ConnectionAddr::Tcp(host, port) = info.addr() else { return Err("names no host".to_owned()) };
    // RESP3 (https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md) has replies and subscriptions
    // on one connection.
    let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(RedisServer { host: host.clone(), port: *port, encrypted: scheme == ENCRYPTED, login })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let cases = [
            ("redis://localhost", "redis://localhost"),
            ("redis://:canary@cache:6380/2", "redis://:***@cache:6380/2"),
            ("redis://chat:canary@[::1]:6379", "redis://chat:***@[::1]:6379"),
            ("rediss://chat:canary@one,two:6380/0", "rediss://chat:***@one,two:6380/0"),
            ("redis://:canary@one,rediss://me:canary@two", "redis://:***@one,rediss://me:***@two"),
        ];
        for (text, shown) in cases {
            let url = RedisUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("canary"), "{url:?}");
        }
    }

    #[test]
    fn hosts_of_one_url_share_its_credentials_and_database() {
        let url = RedisUrl::parse("redis://me:p%2Cw@one,two:7000/3,rediss://[::1]:7001/3").unwrap();
        let servers: Vec<_> = url.servers().iter().map(|it| (it.to_string(), it.encrypted, it.login.db())).collect();
        let wanted = [("one:6379", false), ("two:7000", false), ("[::1]:7001", true)];
        assert_eq!(servers, wanted.map(|(server, encrypted)| (server.to_owned(), encrypted, 3)));
        let logins: Vec<_> = url.servers().iter().map(|it| (it.login.username(), it.login.password())).collect();
        assert_eq!(logins, [(Some("me"), Some("p,w")), (Some("me"), Some("p,w")), (None, None)]);
    }

    #[test]
    fn an_invalid_url_is_refused_without_repeating_it() {
        let cases = [
            ("", "must be a URL"),
            ("canary", "must be a URL"),
            ("http://canary", "redis://"),
            ("unix:///canary", "redis://"),
            ("redis://", "names no host"),
            ("redis://:canary@", "names no host"),
            ("redis://canary,", "names no host"),
            ("redis://:can@ary@host", "%40"),
            ("redis://:can/ary@host", "%2F"),
            ("redis://host/canary", "number"),
            ("redis://host/0,canary", "number"),
            ("redis://host:0", "port"),
            ("redis://host:canary", "port"),
            ("redis://[::1]:canary", "port"),
            ("redis://:%ff@host", "Password"),
            ("redis://ho st", "%20"),
            ("redis://host?canary", "parameters"),
            ("rediss://canary/#insecure", "certificates are always checked"),
            ("redis://one/1,redis://two/2", "the same database"),
            (&["redis://host"; 33].join(","), "more than 32"),
        ];
        for (text, part) in cases {
            let problem = RedisUrl::parse(text).unwrap_err().to_string();
            assert!(problem.contains(part) && !problem.contains("canary"), "{text:?}: {problem}");
            assert!(problem.contains("a valid value is redis://"), "{problem}");
        }
    }
}
