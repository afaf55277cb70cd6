//! What several nodes share through Redis: events, tickets, and the number of sockets that a person has open.
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
//! | `outbox`, `inbox`, `queue` | bounded queues to and from Redis |
//! | `commands` | the connection for questions that somebody waits for |
//! | `tickets`, `connections` | the ports of these names |
//!
//! It needs Redis 6.2 or later (RESP3, `GETDEL`): a single primary, or a stable address in front of one. A Redis Cluster
//! is not supported: it has no order between channels, which the counters rely on, and no script over keys of two slots.

mod backoff;
mod commands;
mod config;
mod connections;
mod envelope;
mod error;
mod fanout;
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
mod status;
mod tickets;

pub use config::{ConfigError, RedisConfig};
pub use fanout::RedisFanout;
