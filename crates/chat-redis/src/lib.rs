//! What several nodes share through Redis: events, and nothing else. There are no keys.
//!
//! [`RedisFanout`] is a node's part in it. It carries what nodes may lose: every event is in the database, and a node that
//! may have missed one is told where to look (`EventSink::missed`). So nothing here waits for Redis, nothing fails with
//! it, and Redis may be killed, emptied, frozen or replaced at any time.
//!
//! | file | what |
//! |---|---|
//! | `line` | the connection for events: publishing, heartbeats, connecting again |
//! | `reader`, `link` | what is heard, and what follows from it; `link` has no I/O |
//! | `envelope`, `payload` | what nodes say to each other, as JSON |
//! | `signature`, `freshness` | what of it is believed |
//! | `outbox`, `inbox`, `queue` | bounded queues to and from Redis |
//! | `url`, `tls`, `dial` | where Redis is, whom it is believed to be, and connecting to it |
//!
//! Whoever reaches Redis can delay events and do nothing else: what nodes say is signed under a key that is in their
//! database, names that database and its epoch, and is taken once.
//!
//! It needs Redis 6.2 or later (RESP3, and `HELLO` that only asks): a primary, a stable address in front of one, or a
//! cluster. Connections may be encrypted.
//!
//! In a cluster, events go through one connection to any member, as ordinary messages, which a cluster gives to all its
//! members. Sharded ones (`SPUBLISH`) have no order between channels, which the counters rely on.

mod backoff;
mod config;
mod dial;
mod dirty;
mod envelope;
mod error;
mod fanout;
mod freshness;
mod inbox;
mod line;
mod link;
mod metering;
mod names;
mod outbox;
mod payload;
mod queue;
mod reader;
mod signal;
mod signature;
mod skew;
mod status;
mod tasks;
mod tls;
mod url;

pub use config::{ConfigError, Prefix, RedisConfig};
pub use fanout::RedisFanout;
pub use tls::PrivateAuthorities;
pub use url::RedisUrl;
