//! The store for many nodes: the domain's repositories on PostgreSQL.
//!
//! Reads go through a small pool of connections, and look-ups of sessions many at a time. Writes go through a few threads,
//! each of which owns a connection and commits all that wait together: `load` reads what decides about a batch, the domain
//! decides, `persist` writes what changes. [`PgStore::open`] expects a database that [`migrate::up`] has brought up to date.
//!
//! # Embedding it
//!
//! ```no_run
//! use std::sync::Arc;
//! use chat_domain::model::LiveEvent;
//! use chat_domain::ports::{Notifier, SessionRepository};
//! use chat_postgres::{PgConfig, PgStore, migrate};
//!
//! /// Takes every change that this program commits.
//! struct Log;
//!
//! impl Notifier for Log {
//!     fn publish(&self, event: LiveEvent) {
//!         println!("{:?}", event.session_id());
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "postgres://chat:password@db.example.com/chat";
//! migrate::up(url)?;
//! let store = PgStore::open(PgConfig::new(url), Arc::new(Log)).await?;
//! let id = chat_domain::model::SessionId::parse("0190a6e8-5b1c-7c3e-9d7e-4f1f2a3b4c5d").ok_or("no id")?;
//! println!("{:?}", store.sessions.find(id).await?);
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Which programs may write to one database
//!
//! Any number of programs that use this crate, in versions that know the database's schema: every write locks or checks its
//! session, so it does not matter which program the other writes come from. A change that is committed here is published
//! to this program's `Notifier` alone. `chat-server` nodes show it on their sockets when they look for gaps (within
//! 15 seconds), or at once when the program publishes it to their Redis through `chat-redis`. Programs that write to the
//! tables with SQL of their own are not supported: positions, counters and statistics move with each change.
//! An SQLite database belongs to one program at a time, which holds a lock on it.

mod advisory_locks;
mod agent_directory;
mod attachments;
mod collect_orphans;
mod config;
mod connection;
mod counters;
mod database;
mod download_attachment;
pub mod epoch;
mod error;
mod event_log;
pub mod fanout_credentials;
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
mod statements;
mod stats_reader;
mod store;
mod suitability;
mod ticket_store;
mod ticket_writer;
mod tls;
mod upload_registry;
mod uploads;
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
pub use people_directory::PgPeopleDirectory;
pub use presence_store::PgPresenceStore;
pub use revocation_store::PgRevocationStore;
pub use session_repository::PgSessionRepository;
pub use signing_key_store::PgSigningKeyStore;
pub use stats_reader::PgStatsReader;
pub use store::PgStore;
pub use ticket_store::PgTicketStore;
pub use upload_registry::PgUploadRegistry;
pub use url::PgUrl;
