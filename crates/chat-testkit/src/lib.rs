//! Test support for programs that embed `chat-domain` or write an adapter for one of its ports: stores in memory, fixtures,
//! and the contract suites that each adapter must pass. Name it as a dev-dependency; nothing here is made for production.
//!
//! # Testing a service on stores in memory
//!
//! [`MemoryChat`] has all use cases on stores in memory, which pass the same contract suites as the databases:
//!
//! ```
//! use chat_domain::service::{CreateSession, SendMessage};
//! use chat_testkit::MemoryChat;
//! use chat_testkit::fixtures::alice;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let chat = MemoryChat::new();
//! let opened = chat.service.create_session(&alice(), None, Ok(CreateSession::default()), None).await?;
//! let id = opened.session.id;
//! chat.service.send_message(&alice(), id, SendMessage::text("My order is late"), None).await?;
//! assert_eq!(chat.notifier.changes_of(id).len(), 2, "the session was opened, the message was sent");
//! # Ok::<(), chat_domain::ChatError>(())
//! # }).unwrap();
//! ```
//!
//! # Writing an adapter
//!
//! A store implements the ports with the steps of `chat_domain::write`: load the facts of a batch, let `WriteBatch` decide,
//! persist the effects. [`memory`] is the shortest one. Its tests then name a function that makes an empty store, and get
//! one test for each promise of the ports:
//!
//! ```
//! use std::sync::Arc;
//! use chat_testkit::contract::StoreUnderTest;
//! use chat_testkit::{MemoryStore, RecordingNotifier};
//!
//! async fn make_store() -> StoreUnderTest {
//!     let notifier = Arc::new(RecordingNotifier::new());
//!     let store = MemoryStore::new(notifier.clone());
//!     StoreUnderTest {
//!         sessions: store.clone(),
//!         inbox_reader: store.clone(),
//!         messages: store.clone(),
//!         events: store.clone(),
//!         stats: store.clone(),
//!         agents: store.clone(),
//!         people: store.clone(),
//!         presence: store.clone(),
//!         revocations: store.clone(),
//!         orphans: store.clone(),
//!         uploads: store,
//!         notifier,
//!         guard: Box::new(()),
//!     }
//! }
//!
//! chat_testkit::store_contract!(make_store);
//! # fn main() {}
//! ```
//!
//! Adapters of other ports have suites of their own; [`contract`] lists them. A suite is proved itself: for each promise
//! there is a store that breaks it, and a test that the suite notices.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test support: a failed expectation is a failed test"
)]

pub mod clock;
pub mod contract;
pub mod fixtures;
pub mod form;
pub mod ids;
pub mod inbox_pages;
pub mod latch;
pub mod media;
pub mod memory;
pub mod notifier;
pub mod replacements;
pub mod service;
pub mod source;

pub use clock::FixedClock;
pub use ids::SequentialIds;
pub use memory::{MemoryAttachmentStore, MemorySockets, MemoryStore, MemoryTicketStore};
pub use notifier::RecordingNotifier;
pub use replacements::Replacements;
pub use service::{MemoryChat, NullFeed, NullThumbnailMaker};
