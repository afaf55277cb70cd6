//! Where it is kept whose access was ended before their tokens end.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{AccessChange, Revocation, RevocationVersion, Timestamp, UserId};

/// Keeps one revocation for each person whose access was ever changed. It is asked by nodes now and then and not by
/// each request, so each node reads what has changed since it last looked.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RevocationStore: Send + Sync {
    /// Changes the access of a person, about whom nothing need be known, and returns what holds from then on, as
    /// `Revocation::changed` makes it. It MUST be durable when this returns, and MUST have a version that is larger
    /// than all earlier ones and at least `RevocationVersion::next`. Of concurrent changes of one person, on all nodes,
    /// none MUST be lost.
    ///
    /// # Errors
    /// `Unavailable` also when it is unknown whether the change was made.
    async fn change(&self, person: UserId, change: AccessChange, at: Timestamp) -> Result<Revocation>;

    /// The revocations whose newest change is after `version`, in ascending order of their versions, at most `limit`. A
    /// caller who goes on from the largest version that this returned MUST miss no change, also of changes that are
    /// made at the same time on other nodes: a version MUST be visible only with all smaller ones. Its cost MUST NOT
    /// grow with the number of revocations.
    async fn changed_since(&self, version: RevocationVersion, limit: usize) -> Result<Vec<Revocation>>;

    /// Removes revocations of people who are not blocked, whose version is at most `last`, at most `limit` of them, and
    /// returns how many. It MUST NOT remove a revocation that is changed at the same time, and later changes MUST get
    /// versions that no removed revocation had; a store may keep one revocation for that. Its cost MUST NOT grow with
    /// the number of revocations that stay.
    async fn remove_ended(&self, last: RevocationVersion, limit: usize) -> Result<usize>;
}
