//! The embedded store: the domain's repositories on SQLite, for one node.
//!
//! Reads go through a small pool of connections. Writes go through one thread that owns the only connection that writes
//! and commits all that wait together: `load` reads what decides about a batch, the domain decides, `persist` writes what
//! changes.
//! [`SqliteStore::open`] expects a database that [`migrate::up`] has brought up to date.

mod agent_directory;
mod attachments;
pub mod backup;
mod collect_orphans;
mod config;
mod connection;
mod counters;
mod database;
mod download_attachment;
pub mod epoch;
mod error;
mod event_log;
mod get_message;
mod get_messages;
mod get_session;
mod health;
pub mod inspection;
mod instance;
mod list_inbox;
mod list_sessions;
mod load;
mod message_repository;
pub mod migrate;
mod orphan_registry;
mod page_keys;
mod people;
mod people_directory;
mod persist;
mod presence_store;
mod revocation_store;
mod rows;
mod schema;
mod session_repository;
mod session_store;
mod signing_key_store;
mod stats_reader;
mod store;
mod ticket_store;
mod upload_registry;
mod uploads;
mod values;

pub use agent_directory::SqliteAgentDirectory;
pub use config::SqliteConfig;
pub use error::{BackupError, MigrateError, OpenError};
pub use event_log::SqliteEventLog;
pub use health::SqliteHealthProbe;
pub use message_repository::SqliteMessageRepository;
pub use orphan_registry::SqliteOrphanRegistry;
pub use people_directory::SqlitePeopleDirectory;
pub use presence_store::SqlitePresenceStore;
pub use revocation_store::SqliteRevocationStore;
pub use session_repository::SqliteSessionRepository;
pub use signing_key_store::SqliteSigningKeyStore;
pub use stats_reader::SqliteStatsReader;
pub use store::SqliteStore;
pub use ticket_store::SqliteTicketStore;
pub use upload_registry::SqliteUploadRegistry;
