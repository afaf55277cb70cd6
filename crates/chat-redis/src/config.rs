//! Who this node is, and what it shares Redis with.

use std::fmt;

use uuid::Uuid;

use crate::tls::PrivateAuthorities;
use crate::url::RedisUrl;

/// How a node takes part in what nodes share through Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where Redis is.
    pub url: RedisUrl,
    /// Whose certificates are believed besides those of the system's authorities, where a connection is encrypted.
    pub authorities: PrivateAuthorities,
    /// The name of this node's life. Every start MUST have a new one: the counters of a life begin at 1.
    pub node: Uuid,
    /// What the names of all channels begin with. All nodes of a deployment MUST have the same one.
    pub prefix: Prefix,
    /// The most events that wait for Redis, and the most that wait to be read, each.
    pub queue: usize,
}

impl RedisConfig {
    /// The length of the queues unless another is chosen.
    pub const QUEUE: usize = 8_192;

    /// With the usual prefix and queues, and the system's authorities.
    pub fn new(url: RedisUrl, node: Uuid) -> Self {
        let (prefix, authorities) = (Prefix::default(), PrivateAuthorities::default());
        Self { url, authorities, node, prefix, queue: Self::QUEUE }
    }
}

/// What names in Redis begin with, so that several deployments can share one: 1 to 64 letters, digits, `-`, `_` or `.`;
/// `chat` unless another is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// [`ConfigError::Prefix`]: it has other characters, or too many of them.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if fits { Ok(Self(text.to_owned())) } else { Err(ConfigError::Prefix) }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("chat".to_owned())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why Redis cannot be used as it is configured. The texts follow the name of what was configured, and never repeat a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
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
    /// There is nothing to check a server's certificate by.
    #[error(
        "has no authorities to check certificates by: install the system's (`ca-certificates`), or name private ones"
    )]
    NoAuthorities,
    /// The tasks that talk to Redis have nowhere to run.
    #[error("Redis is connected outside of an asynchronous runtime")]
    NoRuntime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_could_mean_something_else_is_refused() {
        for prefix in ["", "a b", "chat:", "*", "{a}", &"x".repeat(65)] {
            assert_eq!(Prefix::parse(prefix), Err(ConfigError::Prefix), "{prefix}");
        }
        assert_eq!(Prefix::parse("chat").unwrap(), Prefix::default());
    }

    #[test]
    fn what_is_printed_of_a_configuration_has_no_password() {
        let config = RedisConfig::new(RedisUrl::parse("redis://:canary@host").unwrap(), Uuid::nil());
        assert!(!format!("{config:?}").contains("canary"));
    }
}
