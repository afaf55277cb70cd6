//! The domain of a support chat, free of I/O: what sessions and messages are, who may do what, and the use cases
//! behind ports.
//!
//! The crate knows no database, no HTTP, no clock and no random numbers. Whoever embeds it gives it adapters for the
//! traits in [`ports`] and calls [`service::ChatService`]; the feature `mock` has a mock of every port.
//!
//! # Example
//!
//! Another service can use the state machine alone. Here a job decides which sessions have waited too long:
//!
//! ```
//! use std::time::Duration;
//! use chat_domain::model::{ChatSession, NewSession, Party, Priority, SessionId, Subject, Tags, Timestamp, UserId};
//! use uuid::Uuid;
//!
//! let opened = Timestamp::from_unix_ms(1_790_000_000_000);
//! let session = ChatSession::open(NewSession {
//!     id: SessionId::new(Uuid::from_u128(1)),
//!     owner: UserId::parse("alice").unwrap(),
//!     subject: Subject::parse("My order is late").unwrap(),
//!     priority: Priority::High,
//!     tags: Tags::default(),
//!     started_at: opened,
//! });
//! let (session, _) = session.record_message(Party::User, opened.plus(Duration::from_secs(5)))?;
//!
//! let now = opened.plus(Duration::from_secs(125));
//! let waited = session.progress.waiting_since.map(|since| now.since(since));
//! assert_eq!(waited, Some(Duration::from_secs(120)));
//!
//! // A closed session takes no more messages, and the error says what was attempted from which state.
//! let closed = session.close(now)?;
//! let refused = closed.record_message(Party::User, now).unwrap_err();
//! assert_eq!(refused.to_string(), "cannot send a message in a session that is closed");
//! # Ok::<(), chat_domain::model::TransitionError>(())
//! ```

pub mod error;
pub mod model;
pub mod policy;
pub mod ports;
pub mod service;

pub use error::{ChatError, Result};
