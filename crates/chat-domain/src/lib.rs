//! The domain of a support chat, free of I/O: what sessions and messages are, who may do what, and the use cases
//! behind ports.
//!
//! The crate knows no database, no HTTP, no clock and no random numbers. A program that embeds it provides adapters for the
//! traits in [`ports`] and calls [`service::ChatService`]; the feature `mock` has a mock of every port.
//!
//! There are three ways to use it.
//!
//! # The state machine alone
//!
//! Here a job decides which sessions have waited too long:
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
//!
//! # The use cases on stores
//!
//! [`ChatService`](service::ChatService) has a method for each use case. It stands on [`Ports`](service::Ports); here on the
//! stores in memory of `chat-testkit`, in production on an adapter such as `chat-postgres`:
//!
//! ```
//! use chat_domain::error::{ChatError, Conflict};
//! use chat_domain::service::{CreateSession, SendMessage};
//! use chat_testkit::MemoryChat;
//! use chat_testkit::fixtures::alice;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let chat = MemoryChat::new().service;
//! let session = chat.create_session(&alice(), None, Ok(CreateSession::default()), None).await?.session;
//! chat.send_message(&alice(), session.id, SendMessage::text("My order is late"), None).await?;
//! chat.close_session(&alice(), session.id, Ok(())).await?;
//!
//! let refused = chat.send_message(&alice(), session.id, SendMessage::text("Hello?"), None).await;
//! assert!(matches!(refused, Err(ChatError::Conflict(Conflict::SessionClosed))));
//! # Ok::<(), chat_domain::ChatError>(())
//! # }).unwrap();
//! ```
//!
//! # A mock in your own tests
//!
//! With the feature `mock` each port has a mock of [mockall](https://docs.rs/mockall). Code of yours that takes a port is
//! tested without a store:
//!
//! ```
//! use chat_domain::model::{ChatSession, SessionId};
//! use chat_domain::ports::{MockSessionRepository, SessionRepository};
//! use chat_testkit::fixtures::{new_session, session_id};
//!
//! /// A function of another service: the subject for the title of a ticket.
//! async fn title(sessions: &dyn SessionRepository, id: SessionId) -> chat_domain::Result<String> {
//!     let session = sessions.find(id).await?;
//!     let subject = session.and_then(|session| session.subject);
//!     Ok(subject.map_or_else(|| "Chat".to_owned(), |subject| subject.as_str().to_owned()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let mut sessions = MockSessionRepository::new();
//! sessions.expect_find().returning(|_| Ok(Some(ChatSession::open(new_session(1)))));
//! assert_eq!(title(&sessions, session_id(1)).await?, "Question 1");
//! # Ok::<(), chat_domain::ChatError>(())
//! # }).unwrap();
//! ```

pub mod error;
pub mod inbox;
mod invalid;
pub mod model;
pub mod policy;
pub mod ports;
pub mod service;
pub mod write;

pub use error::{ChatError, Result};
