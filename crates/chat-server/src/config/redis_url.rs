//! The address of a Redis server, checked before anything is connected, and shown without what it keeps secret.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A checked URL that shows its user, host and database, and not its password.
#[derive(Clone, Debug)]
pub(crate) struct RedisUrl {
    url: SecretString,
    shown: String,
}

impl RedisUrl {
    /// Reads a URL such as `redis://cache.example.com:6379/0`. The error never repeats the text, which may hold a
    /// password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const VALID: &str = "a valid value is redis://:secret@redis.example.com:6379/0";
        let parsed = Self::of(text).map_err(|problem| format!("{problem}; {VALID}"))?;
        Ok(parsed)
    }

    fn of(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("must be a URL")?;
        if scheme != "redis" {
            return Err(if scheme == "rediss" {
                "cannot encrypt the connection to Redis yet: put a TLS proxy beside the server, or use a private network"
            } else {
                "must begin with redis://"
            });
        }
        if rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("must not contain spaces or control characters; write a space as `%20`");
        }
        if rest.contains(['?', '#']) {
            return Err("takes no parameters; write `?` and `#` of a password as `%3F` and `%23`");
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        if database.contains(['/', '@', ':']) || authority.matches('@').count() > 1 {
            return Err("must write the `/`, `@` and `:` of a password as `%2F`, `%40` and `%3A`");
        }
        if !database.is_empty() && database.parse::<u16>().is_err() {
            return Err("must name its database by a number, as in redis://host/0");
        }
        let (credentials, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (name, port) = match host.rsplit_once(']') {
            Some((address, port)) => (address, port.strip_prefix(':')),
            None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
        };
        if name.is_empty() {
            return Err("names no host");
        }
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err("must have a port from 1 to 65535, or none for 6379");
        }
        let user = credentials.split_once(':').map_or(credentials, |(user, _password)| user);
        let at = if user.is_empty() { "" } else { "@" };
        let slash = if database.is_empty() { "" } else { "/" };
        Ok(Self {
            url: SecretString::from(text.to_owned()),
            shown: format!("redis://{user}{at}{host}{slash}{database}"),
        })
    }

    /// The URL as it was given, secrets included.
    pub(crate) fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets_and_handed_on_as_it_is() {
        let cases = [
            ("redis://localhost", "redis://localhost"),
            ("redis://:canary@cache:6380/2", "redis://cache:6380/2"),
            ("redis://chat:canary@[::1]:6379", "redis://chat@[::1]:6379"),
        ];
        for (text, shown) in cases {
            let url = RedisUrl::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.expose()), (shown, text));
            assert!(!format!("{url:?}").contains("canary"), "{url:?}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_repeating_it() {
        let cases = [
            ("canary", "must be a URL"),
            ("http://canary", "redis://"),
            ("rediss://canary", "encrypt"),
            ("redis://", "names no host"),
            ("redis://:canary@", "names no host"),
            ("redis://:can@ary@host", "%40"),
            ("redis://:can/ary@host", "%2F"),
            ("redis://host/canary", "number"),
            ("redis://host:0", "port"),
            ("redis://host:canary", "port"),
            ("redis://[::1]:canary", "port"),
            ("redis://ho st", "%20"),
            ("redis://host?canary", "parameters"),
        ];
        for (text, part) in cases {
            let problem = RedisUrl::parse(text).unwrap_err();
            assert!(problem.contains(part) && !problem.contains("canary"), "{text:?}: {problem}");
        }
    }
}
