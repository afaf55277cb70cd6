//! What several nodes share through Redis: events, and nothing else. There are no keys.
//!
//! [`RedisFanout`] is the fan-out of a node. It carries what nodes may lose: every event is in the database, and a node
//! that may have missed one marks a suspected gap (`PeerSink::mark_suspect`). So nothing here waits for Redis, nothing
//! fails with it, and Redis may be killed, emptied, frozen or replaced at any time.
//!
//! | file | what |
//! |---|---|
//! | `pubsub_connection` | the connection for events: publishing, heartbeats, reconnecting |
//! | `reader`, `failure_detector` | receiving messages, and what follows from them; the detector has no I/O |
//! | `envelope`, `payload` | the messages between nodes, as JSON |
//! | `signature`, `replay_guard` | which messages are authentic and new |
//! | `outbox`, `inbox`, `queue`, `overflowed_shards` | bounded queues to and from Redis, and what they dropped |
//! | `url`, `tls`, `dial` | the addresses of Redis, whose certificates are trusted, and connecting |
//!
//! An attacker with access to Redis can delay events and do nothing else: messages are signed under a key that is in
//! the database of the nodes, name that database and its epoch, and are accepted once.
//!
//! It needs Redis 6.2 or later (RESP3, and `HELLO` that only asks): a primary, a stable address in front of one, or a
//! cluster. Connections may be encrypted.
//!
//! In a cluster, events go through one connection to any member, as ordinary messages, which a cluster gives to all its
//! members. Sharded ones (`SPUBLISH`) have no order between channels, which the counters rely on.

mod backoff;
mod clock_skew;
mod config;
mod dial;
mod envelope;
mod error;
mod failure_detector;
mod fanout;
mod inbox;
pub mod inspection;
mod metering;
mod names;
mod outbox;
mod overflowed_shards;
mod payload;
mod pubsub_connection;
mod queue;
mod reader;
mod replay_guard;
mod signal;
mod signature;
mod status;
mod tls;
mod url;

pub use config::{RedisConfig, RedisPrefix};
pub use error::RedisConfigError;
pub use fanout::{FanoutTask, RedisFanout};
pub use tls::PrivateAuthorities;
pub use url::RedisUrl;
