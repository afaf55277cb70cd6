//! The embedded store: the domain's repositories on SQLite, for one server process.
//!
//! Reads go through a small pool of connections. Writes go through one thread that owns the only connection that
//! writes and commits whatever waits together (`group_commit`); each use case's statements are in the file of its name.
//! [`SqliteStore::open`] expects a database that [`migrate::up`] has brought up to date.

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
mod stats_reader;
mod store;
mod ticket_store;
mod unit_of_work;
mod values;

pub use agent_directory::SqliteAgentDirectory;
pub use config::SqliteConfig;
pub use error::{MigrateError, OpenError};
pub use event_log::SqliteEventLog;
pub use health::SqliteHealthProbe;
pub use message_repository::SqliteMessageRepository;
pub use orphan_registry::SqliteOrphanRegistry;
pub use session_repository::SqliteSessionRepository;
pub use stats_reader::SqliteStatsReader;
pub use store::SqliteStore;
pub use ticket_store::SqliteTicketStore;
