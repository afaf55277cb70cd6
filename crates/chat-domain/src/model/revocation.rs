//! The end of a person's access before their tokens end.

use super::{Timestamp, UserId};

/// What has been decided about a person's access. The two parts do not depend on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The person: the `sub` of their tokens, whether any token of theirs was ever seen or not.
    pub person: UserId,
    /// Tokens that were issued up to then are refused, and so are tokens that do not say when they were issued.
    pub signed_out_at: Option<Timestamp>,
    /// Whether they are refused whatever their token says.
    pub is_blocked: bool,
    /// The version of the newest change.
    pub version: RevocationVersion,
}

/// A place in the order of all changes of revocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevocationVersion(u64);

impl RevocationVersion {
    /// Before the first change.
    pub const ZERO: Self = Self(0);

    /// The version `n`.
    pub fn new(n: u64) -> Self {
        Self(n)
    }

    /// The version as a number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The version of a change that is made `at`, after one of this version: the next one, or the time in milliseconds
    /// since 1970 if that is larger. Thus a database that has lost its newest changes, such as a standby that has taken
    /// over, does not use their versions again, and a node that has seen them does not pass over what comes later.
    #[must_use]
    pub fn next(self, at: Timestamp) -> Self {
        Self(self.0.saturating_add(1).max(u64::try_from(at.unix_ms()).unwrap_or(0)))
    }
}

/// Why a token does not give access any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessEnd {
    /// It was issued before its holder was signed out. Another token may give access.
    SignedOut,
    /// Its holder was blocked. No token gives access.
    Blocked,
}

/// A change of a person's access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessChange {
    /// Their tokens of before are refused from now on.
    SignOut,
    /// They are refused until they are unblocked.
    Block,
    /// They are no longer blocked. Whom this does not concern stays as they are.
    Unblock,
}

impl Revocation {
    /// A person about whom nothing has been decided.
    pub fn none(person: UserId) -> Self {
        Self { person, signed_out_at: None, is_blocked: false, version: RevocationVersion::ZERO }
    }

    /// The revocation after a change that is made `at`, with that version. The moment of a sign-out never goes back,
    /// whatever the clocks of the nodes say.
    #[must_use]
    pub fn changed(mut self, change: AccessChange, at: Timestamp, version: RevocationVersion) -> Self {
        match change {
            AccessChange::SignOut => self.signed_out_at = self.signed_out_at.max(Some(at)),
            AccessChange::Block => self.is_blocked = true,
            AccessChange::Unblock => self.is_blocked = false,
        }
        self.version = version;
        self
    }

    /// Whether a token that was issued then gives access. A moment in whole seconds, as most issuers have it, is the
    /// beginning of its second: a token of the very second of a sign-out is refused, since it may be from before it.
    ///
    /// # Errors
    /// `SignedOut`, which another token may help against, before `Blocked`, which none does.
    pub fn check(&self, token_issued_at: Option<Timestamp>) -> Result<(), AccessEnd> {
        if self.signed_out_at.is_some_and(|at| token_issued_at.is_none_or(|issued_at| issued_at <= at)) {
            return Err(AccessEnd::SignedOut);
        }
        if self.is_blocked { Err(AccessEnd::Blocked) } else { Ok(()) }
    }

    /// Whether it can refuse a token that was issued after this moment.
    pub fn matters_since(&self, moment: Timestamp) -> bool {
        self.is_blocked || self.signed_out_at.is_some_and(|at| at > moment)
    }
}
