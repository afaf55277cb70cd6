//! Identifiers. Callers treat all of them as opaque strings.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::invalid::Violation;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID made by the `IdGenerator` or read from a store.
            pub fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Reads the one spelling that is ever given out, lower case with hyphens.
            /// Anything else is the id of nothing, hence `None` and not an error.
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::try_parse(text).ok()?;
                let mut spelling = Uuid::encode_buffer();
                (*id.hyphenated().encode_lower(&mut spelling) == *text).then_some(Self(id))
            }

            /// The id as a UUID.
            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// Names a chat session.
    SessionId
}

uuid_id! {
    /// Names a message; unique within its session.
    MessageId
}
uuid_id! {
    /// Names an attachment, and the stored object that holds its bytes.
    AttachmentId
}

uuid_id! {
    /// Names an open socket.
    SocketId
}

macro_rules! person_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 128 characters, not all of them blank, none of them a control character. Cheap to clone.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the length and the characters.
            pub fn parse(text: &str) -> Result<Self, Violation> {
                let length = text.chars().take(129).count();
                if !(1..=128).contains(&length) {
                    return Err(Violation::new("must have 1 to 128 characters"));
                }
                if text.trim().is_empty() {
                    return Err(Violation::new("must not be blank"));
                }
                if text.chars().any(char::is_control) {
                    return Err(Violation::new("must not contain control characters"));
                }
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

person_id! {
    /// Names a person: the `sub` of their token.
    UserId
}
person_id! {
    /// Names a support agent: the same text as their `UserId`.
    AgentId
}

impl From<&UserId> for AgentId {
    fn from(user: &UserId) -> Self {
        Self(Arc::clone(&user.0))
    }
}

impl From<&AgentId> for UserId {
    fn from(agent: &AgentId) -> Self {
        Self(Arc::clone(&agent.0))
    }
}

impl PartialEq<UserId> for AgentId {
    fn eq(&self, other: &UserId) -> bool {
        self.0 == other.0
    }
}
