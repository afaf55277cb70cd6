//! The configuration of the fan-out.

use std::fmt;

use uuid::Uuid;

use crate::error::RedisConfigError;
use crate::tls::PrivateAuthorities;
use crate::url::RedisUrl;

/// The configuration of a node's fan-out through Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// The addresses of Redis.
    pub url: RedisUrl,
    /// Whose certificates are trusted besides those of the system's authorities, if a connection is encrypted.
    pub authorities: PrivateAuthorities,
    /// The id of this node. Every start MUST have a new one, since the counters begin at 1.
    pub node: Uuid,
    /// What the names of all channels begin with. All nodes of a deployment MUST have the same one.
    pub prefix: RedisPrefix,
    /// The most events that wait for Redis, and the most messages that wait for the reader.
    pub queue: usize,
}

impl RedisConfig {
    /// The default length of the queues.
    pub const QUEUE: usize = 8_192;

    /// With the default prefix and queues, and the system's authorities.
    pub fn new(url: RedisUrl, node: Uuid) -> Self {
        let (prefix, authorities) = (RedisPrefix::default(), PrivateAuthorities::default());
        Self { url, authorities, node, prefix, queue: Self::QUEUE }
    }
}

/// The prefix of all channel names, so that several deployments can share a Redis: 1 to 64 letters, digits, `-`, `_` or
/// `.`; `chat` by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisPrefix(String);

impl RedisPrefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// [`RedisConfigError::Prefix`]: it has other characters, or too many of them.
    pub fn parse(text: &str) -> Result<Self, RedisConfigError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if fits { Ok(Self(text.to_owned())) } else { Err(RedisConfigError::Prefix) }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RedisPrefix {
    fn default() -> Self {
        Self("chat".to_owned())
    }
}

impl fmt::Display for RedisPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_prefix_is_refused() {
        for prefix in ["", "a b", "chat:", "*", "{a}", &"x".repeat(65)] {
            assert_eq!(RedisPrefix::parse(prefix), Err(RedisConfigError::Prefix), "{prefix}");
        }
        assert_eq!(RedisPrefix::parse("chat").unwrap(), RedisPrefix::default());
    }

    #[test]
    fn a_printed_configuration_has_no_password() {
        let config = RedisConfig::new(RedisUrl::parse("redis://:canary@host").unwrap(), Uuid::nil());
        assert!(!format!("{config:?}").contains("canary"));
    }
}
