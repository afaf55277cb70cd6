//! The store for many nodes: the domain's repositories on PostgreSQL.
//!
//! Reads go through a small pool of connections, and look-ups of sessions many at a time. Writes go through a few threads,
//! each of which owns a connection and commits whatever waits together; each use case's statements are in the file of its
//! name. [`PgStore::open`] expects a database that [`migrate::up`] has brought up to date.

mod agent_directory;
mod attachments;
mod change_session;
mod collect_orphans;
mod config;
mod connection;
mod counters;
mod create_session;
mod database;
mod download_attachment;
pub mod epoch;
mod error;
mod event_log;
pub mod fanout_credentials;
mod get_messages;
mod get_session;
mod health;
mod instance;
mod list_sessions;
mod mark_delivered;
mod mark_read;
mod mark_read_up_to;
mod message_repository;
pub mod migrate;
mod orphan_registry;
mod rows;
mod schema;
mod send_message;
mod session_repository;
mod statements;
mod stats_reader;
mod store;
mod suitability;
mod ticket_batch;
mod ticket_store;
mod tls;
mod unit_of_work;
mod url;
mod values;
mod writing_connection;

pub use agent_directory::PgAgentDirectory;
pub use config::PgConfig;
pub use error::{MigrateError, OpenError};
pub use event_log::PgEventLog;
pub use fanout_credentials::PgFanoutCredentials;
pub use health::PgHealthProbe;
pub use message_repository::PgMessageRepository;
pub use orphan_registry::PgOrphanRegistry;
pub use session_repository::PgSessionRepository;
pub use stats_reader::PgStatsReader;
pub use store::PgStore;
pub use ticket_store::PgTicketStore;
