//! Who is asking.

use sha2::{Digest, Sha256};

use super::{AgentId, AvatarUrl, PersonClaims, PersonName, Timestamp, UserId};

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
    pub name: Option<PersonName>,
    /// Where a picture of them is, if the token says.
    pub avatar_url: Option<AvatarUrl>,
    /// When the token was issued, if it says.
    pub token_issued_at: Option<Timestamp>,
    /// The key that verified the token, if keys may be removed while the node runs.
    pub token_key: Option<TokenKeyDigest>,
}

impl Principal {
    /// A caller whose token says nothing more.
    pub fn new(id: UserId, role: Role) -> Self {
        Self { id, role, name: None, avatar_url: None, token_issued_at: None, token_key: None }
    }

    /// The agent that the caller acts as, if they do.
    pub fn agent(&self) -> Option<AgentId> {
        (self.role == Role::Agent).then(|| AgentId::from(&self.id))
    }

    /// What the token says of the person in a request that is made at `now`; `None` when it says nothing.
    pub fn claims(&self, now: Timestamp) -> Option<PersonClaims> {
        let Self { id, name, avatar_url, token_issued_at, .. } = self;
        (name.is_some() || avatar_url.is_some()).then(|| PersonClaims {
            id: id.clone(),
            name: name.clone(),
            avatar_url: avatar_url.clone(),
            as_of: token_issued_at.unwrap_or(now),
        })
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
