//! Revocations in memory.

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AccessChange, Revocation, RevocationVersion, Timestamp, UserId};
use chat_domain::ports::RevocationStore;

use super::MemoryStore;

#[async_trait]
impl RevocationStore for MemoryStore {
    async fn change(&self, person: UserId, change: AccessChange, at: Timestamp) -> Result<Revocation> {
        let revocations = &mut self.lock().revocations;
        let newest = revocations.values().map(|known| known.version).max().unwrap_or_default();
        let known = revocations.get(&person).cloned().unwrap_or_else(|| Revocation::none(person.clone()));
        let changed = known.changed(change, at, newest.next(at));
        revocations.insert(person, changed.clone());
        Ok(changed)
    }

    async fn changed_since(&self, version: RevocationVersion, limit: usize) -> Result<Vec<Revocation>> {
        let state = self.lock();
        let newer = state.revocations.values().filter(|known| known.version > version);
        let mut newer: Vec<Revocation> = newer.cloned().collect();
        newer.sort_by_key(|known| known.version);
        newer.truncate(limit);
        Ok(newer)
    }

    async fn remove_ended(&self, last: RevocationVersion, limit: usize) -> Result<usize> {
        let revocations = &mut self.lock().revocations;
        // The newest one stays: the next version follows it.
        let newest = revocations.values().map(|known| known.version).max().unwrap_or_default();
        let is_ended = |known: &&Revocation| !known.is_blocked && known.version <= last && known.version < newest;
        let ended: Vec<UserId> =
            revocations.values().filter(is_ended).map(|known| known.person.clone()).take(limit).collect();
        for person in &ended {
            revocations.remove(person);
        }
        Ok(ended.len())
    }
}
