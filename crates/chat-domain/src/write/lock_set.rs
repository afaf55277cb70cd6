//! What a batch of writes depends on, before anything of it is loaded.

use std::collections::BTreeSet;

use super::SessionWrite;
use crate::model::{AgentId, AttachmentId, IdempotencyKey, SessionId, UserId};

/// What a store loads, and locks unless it is optimistic, before the batch is decided. All sets are ordered: stores that
/// lock in this order do not deadlock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet<'a> {
    /// The sessions that the batch changes.
    pub sessions: BTreeSet<SessionId>,
    /// The idempotency keys under which sessions are opened, per creator.
    pub session_keys: BTreeSet<(&'a UserId, &'a IdempotencyKey)>,
    /// The customers for whom sessions are opened within a limit. Until the commit, no other transaction opens any for
    /// them within a limit: how many they have open is to be known exactly.
    pub limited_owners: BTreeSet<&'a UserId>,
    /// The idempotency keys under which messages are appended, per session and author.
    pub message_keys: BTreeSet<(SessionId, &'a UserId, &'a IdempotencyKey)>,
    /// The agents who write, with the session in which they do.
    pub writing_agents: BTreeSet<(SessionId, AgentId)>,
    /// The agents who receive a session.
    pub receiving_agents: BTreeSet<&'a AgentId>,
    /// The files of the messages that the batch appends.
    pub files: BTreeSet<AttachmentId>,
    /// Those of them that were uploaded before.
    pub uploads: BTreeSet<AttachmentId>,
}

impl<'a> LockSet<'a> {
    /// What these writes depend on.
    pub fn of(writes: &[&'a SessionWrite]) -> Self {
        let mut set = Self::default();
        for write in writes {
            set.add(write);
        }
        set
    }

    /// All agents that decide about a write of the batch.
    pub fn agents(&self) -> BTreeSet<&AgentId> {
        let writing = self.writing_agents.iter().map(|(_, agent)| agent);
        writing.chain(self.receiving_agents.iter().copied()).collect()
    }

    fn add(&mut self, write: &'a SessionWrite) {
        if let Some(session_id) = write.session_id() {
            self.sessions.insert(session_id);
            self.writing_agents.extend(write.principal().agent().map(|agent| (session_id, agent)));
        }
        match write {
            SessionWrite::OpenSession(open) => {
                let key = open.idempotency.as_ref().map(|idempotency| (&open.creator.id, &idempotency.key));
                self.session_keys.extend(key);
                self.limited_owners.extend(open.limit.map(|_| &open.session.owner));
            }
            SessionWrite::AppendMessage(draft) => {
                let key = draft.idempotency.as_ref();
                let key = key.map(|idempotency| (draft.session_id, &draft.author.id, &idempotency.key));
                self.message_keys.extend(key);
                self.files.extend(draft.attachments.staged().iter().map(|attachment| attachment.id));
                self.files.extend(draft.attachments.uploaded());
                self.uploads.extend(draft.attachments.uploaded());
            }
            SessionWrite::ChangeSession(_, change) => {
                self.receiving_agents.extend(change.action.receiving_agent());
            }
            SessionWrite::MarkRead(_) | SessionWrite::MarkReadUpTo(_) | SessionWrite::MarkDelivered(_) => {}
        }
    }
}
