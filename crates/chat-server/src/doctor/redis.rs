//! Whether events can take the way through Redis.

use super::{Diagnosis, shown_ms, wire};
use crate::config::Config;

/// Publishes a message and waits for it, where Redis is configured.
pub(super) async fn check(config: &Config) -> Option<Diagnosis> {
    const CHECK: &str = "redis";
    let facts = wire::redis_facts(config).await?;
    Some(match facts {
        Ok(facts) => Diagnosis::ok(
            CHECK,
            format!("Redis {}; a message took {} there and back", facts.version, shown_ms(facts.round_trip)),
        ),
        Err(reason) => Diagnosis::fail(
            CHECK,
            reason,
            "start Redis, or correct --redis-url (CHAT_REDIS_URL) and the rights of its user; nodes work without it, and \
             sockets get events of other nodes about a second late",
        ),
    })
}
