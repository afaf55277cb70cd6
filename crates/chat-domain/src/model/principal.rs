//! Who is asking.

use sha2::{Digest, Sha256};

use super::{AgentId, Timestamp, UserId};

/// What a person may do in general; see `policy` for what that means for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A customer: sees their own sessions.
    User,
    /// A support agent: works on the sessions assigned to them and may claim waiting ones.
    Agent,
    /// Runs the support desk: sees and does everything.
    Admin,
}

impl Role {
    /// All roles, least powerful first.
    pub const ALL: [Self; 3] = [Self::User, Self::Agent, Self::Admin];

    /// The role's name in a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }

    /// The role of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// An authenticated caller, as their token describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who they are.
    pub id: UserId,
    /// What they may do in general.
    pub role: Role,
    /// What they are called, if the token says.
    pub name: Option<String>,
    /// When the token was issued, if it says.
    pub token_issued_at: Option<Timestamp>,
    /// The key that verified the token, if keys may be removed while the node runs.
    pub token_key: Option<TokenKeyDigest>,
}

impl Principal {
    /// A caller whose token says nothing more.
    pub fn new(id: UserId, role: Role) -> Self {
        Self { id, role, name: None, token_issued_at: None, token_key: None }
    }

    /// The agent that the caller acts as, if they do.
    pub fn agent(&self) -> Option<AgentId> {
        (self.role == Role::Agent).then(|| AgentId::from(&self.id))
    }
}

/// SHA-256 of a public key. It is the same on all nodes, whatever id the key is published under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenKeyDigest([u8; 32]);

impl TokenKeyDigest {
    /// The digest of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// A digest that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
