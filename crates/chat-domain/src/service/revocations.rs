//! Whose access was ended, as this node knows it: requests look here and at no store. A round now and then reads what
//! has changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::model::{AccessEnd, Principal, Revocation, RevocationVersion, Timestamp, UserId};

/// The revocations that can still refuse a token.
#[derive(Default)]
pub(super) struct Revocations {
    known: RwLock<Known>,
    /// Whether there are any: on most nodes there are none, and requests need not look.
    are_any: AtomicBool,
}

#[derive(Default)]
struct Known {
    by_person: HashMap<UserId, Revocation>,
    /// Up to here all changes were read. Changes that were made at this node may be newer.
    read_up_to: RevocationVersion,
}

impl Revocations {
    /// Whether the access of `who` has not been ended.
    ///
    /// # Errors
    /// As [`Revocation::check`].
    pub(super) fn check(&self, who: &Principal) -> Result<(), AccessEnd> {
        if !self.are_any.load(Ordering::Acquire) {
            return Ok(());
        }
        let known = self.read();
        known.by_person.get(&who.id).map_or(Ok(()), |revocation| revocation.check(who.token_issued_at))
    }

    /// Up to where the changes were read.
    pub(super) fn read_up_to(&self) -> RevocationVersion {
        self.read().read_up_to
    }

    /// How many people it knows.
    pub(super) fn count(&self) -> usize {
        self.read().by_person.len()
    }

    /// Takes note of a change, unless a later one of the same person is known.
    pub(super) fn note(&self, revocation: &Revocation) {
        self.write().note(revocation);
        self.are_any.store(true, Ordering::Release);
    }

    /// Takes note of all changes that follow `read_up_to`, and forgets as `forget` does.
    pub(super) fn note_read(&self, page: &[Revocation], oldest_token: Timestamp) {
        let Some(newest) = page.last() else { return };
        let mut known = self.write();
        for revocation in page {
            known.note(revocation);
        }
        known.read_up_to = newest.version.max(known.read_up_to);
        self.forget_in(&mut known, oldest_token);
    }

    /// Forgets whom no token can concern that was issued after `oldest_token`.
    pub(super) fn forget(&self, oldest_token: Timestamp) {
        self.forget_in(&mut self.write(), oldest_token);
    }

    fn forget_in(&self, known: &mut Known, oldest_token: Timestamp) {
        let read_up_to = known.read_up_to;
        // A change of this node that was not read yet stays: an older page could bring back what it has ended.
        known.by_person.retain(|_, known| known.version > read_up_to || known.matters_since(oldest_token));
        self.are_any.store(!known.by_person.is_empty(), Ordering::Release);
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, revocation: &Revocation) {
        let is_newer = |known: &Revocation| known.version < revocation.version;
        if self.by_person.get(&revocation.person).is_none_or(is_newer) {
            self.by_person.insert(revocation.person.clone(), revocation.clone());
        }
    }
}
