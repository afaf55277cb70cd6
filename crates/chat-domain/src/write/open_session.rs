//! Opens a session.

use super::{OpenSession, Opened, WriteBatch};
use crate::error::{Conflict, LimitReached, Result};
use crate::model::ChatSession;

pub(super) fn decide(batch: &mut WriteBatch, write: &OpenSession) -> Result<Opened> {
    let OpenSession { session, creator, idempotency, limit } = write;
    if let Some(idempotency) = idempotency
        && let Some((fingerprint, earlier)) = batch.facts.opened(&creator.id, &idempotency.key)
    {
        if *fingerprint != idempotency.fingerprint {
            return Err(Conflict::IdempotencyKeyReused(idempotency.key.clone()).into());
        }
        return Ok(Opened { session: earlier.clone(), replayed: true });
    }
    // After the key: a customer whose first answer was lost has the session, and gets the answer, also at the limit.
    if let Some(limit) = *limit
        && batch.facts.open_sessions(&session.owner) >= u64::from(limit)
    {
        return Err(LimitReached::OpenSessions { limit }.into());
    }
    let session = ChatSession::open(session.clone());
    batch.open(session.clone(), &creator.id, idempotency.as_ref());
    Ok(Opened { session, replayed: false })
}
