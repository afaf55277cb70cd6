//! The sides of a session.

/// The two sides of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The customer who owns the session.
    User,
    /// Everyone who answers: agents and admins.
    Support,
}

impl Party {
    /// The contract's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Support => "support",
        }
    }

    /// The side by a name that was stored. A sender that only a newer version knows is on the desk's side, as everybody
    /// is who is not the customer.
    pub fn from_store(name: &str) -> Self {
        if name == Self::User.as_str() { Self::User } else { Self::Support }
    }

    /// The side across the table.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::User => Self::Support,
            Self::Support => Self::User,
        }
    }
}
