//! Where Redis is, who this node is, and what it shares Redis with.

use std::fmt;
use std::time::Duration;

use redis::{Client, IntoConnectionInfo, ProtocolVersion};
use uuid::Uuid;

use crate::error::problem;

/// How a node takes part in what nodes share through Redis.
#[derive(Clone)]
pub struct RedisConfig {
    /// `redis://[user[:password]@]host[:port][/database]`: a single primary, or a stable address in front of one.
    pub url: String,
    /// The name of this node's life. Every start MUST have a new one: the counters of a life begin at 1.
    pub node: Uuid,
    /// What the names of all channels and keys begin with, so that several deployments can share a Redis:
    /// 1 to 64 letters, digits, `-`, `_` or `.`. All nodes of a deployment MUST have the same one.
    pub prefix: String,
    /// The most events that wait for Redis, and the most that wait to be read, each.
    pub queue: usize,
    /// How long somebody who opens a socket waits for Redis before this node decides alone.
    pub budget: Duration,
}

impl RedisConfig {
    /// The prefix unless another is chosen.
    pub const PREFIX: &str = "chat";
    /// The length of the queues unless another is chosen.
    pub const QUEUE: usize = 8_192;
    /// The budget unless another is chosen.
    pub const BUDGET: Duration = Duration::from_millis(250);

    /// With the usual prefix and queues.
    pub fn new(url: impl Into<String>, node: Uuid) -> Self {
        Self { url: url.into(), node, prefix: Self::PREFIX.to_owned(), queue: Self::QUEUE, budget: Self::BUDGET }
    }

    /// What the driver connects with. Nothing is connected yet.
    pub(crate) fn client(&self) -> Result<Client, ConfigError> {
        let prefix_fits = (1..=64).contains(&self.prefix.len())
            && self.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !prefix_fits {
            return Err(ConfigError::Prefix);
        }
        match self.url.split_once("://").map(|(scheme, _)| scheme) {
            Some("redis") => {}
            Some("rediss") => return Err(ConfigError::Encrypted),
            _ => return Err(ConfigError::Scheme),
        }
        let info =
            self.url.as_str().into_connection_info().map_err(|error| ConfigError::Url { problem: problem(&error) })?;
        // RESP3 (https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md) has answers and
        // subscriptions on one connection.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        Client::open(info).map_err(|error| ConfigError::Url { problem: problem(&error) })
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the URL, which may hold a password.
        f.debug_struct("RedisConfig").field("node", &self.node).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Why Redis cannot be used as it is configured. The texts never repeat the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Another scheme, or none.
    #[error("the URL of Redis must begin with redis://")]
    Scheme,
    /// TLS is not compiled in.
    #[error(
        "the connection to Redis cannot be encrypted: use redis:// in a private network, or a TLS proxy beside the node"
    )]
    Encrypted,
    /// Something else is wrong with the URL.
    #[error("the URL of Redis cannot be used: {problem}")]
    Url {
        /// What is wrong with it.
        problem: String,
    },
    /// The prefix has other characters, or too many of them.
    #[error("the prefix of names in Redis must have 1 to 64 letters, digits, '-', '_' or '.'")]
    Prefix,
    /// The tasks that talk to Redis have nowhere to run.
    #[error("Redis is connected outside of an asynchronous runtime")]
    NoRuntime,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, prefix: &str) -> ConfigError {
        let config = RedisConfig { prefix: prefix.to_owned(), ..RedisConfig::new(url, Uuid::nil()) };
        config.client().unwrap_err()
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_in_words_without_its_secrets() {
        for url in ["canary", "http://canary", "unix:///canary"] {
            assert_eq!(refusal(url, "chat"), ConfigError::Scheme, "{url}");
        }
        assert_eq!(refusal("rediss://:canary@host", "chat"), ConfigError::Encrypted);
        for (url, part) in [
            ("redis://", "host"),
            ("redis://:canary@host/canary", "database"),
            ("redis://:canary@host:canary", "parse"),
            ("redis://:%ff@host", "Password"),
        ] {
            let said = refusal(url, "chat").to_string();
            assert!(said.contains(part) && !said.contains("canary"), "{url}: {said}");
        }
    }

    #[test]
    fn a_prefix_that_could_mean_something_else_is_refused() {
        for prefix in ["", "a b", "chat:", "*", &"x".repeat(65)] {
            assert_eq!(refusal("redis://host", prefix), ConfigError::Prefix, "{prefix}");
        }
    }

    #[test]
    fn what_is_printed_of_a_configuration_has_no_password() {
        let config = RedisConfig::new("redis://:canary@host", Uuid::nil());
        assert!(!format!("{config:?}").contains("canary"));
        assert!(config.client().is_ok());
    }
}
