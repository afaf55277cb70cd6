//! Open a session.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{
    Fingerprint, Idempotency, IdempotencyKey, NewSession, Principal, Priority, Role, SessionId, Subject, Tags, UserId,
};
use crate::policy::{self, Action};
use crate::write::Opened;

/// What the caller says of the session to be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateSession {
    /// Whose it will be; the caller's own unless an admin says otherwise.
    pub owner: Option<UserId>,
    /// What it is about.
    pub subject: Option<Subject>,
    /// How urgent it is. A customer may choose it unless the operator has decided otherwise.
    pub priority: Priority,
    /// Its labels.
    pub tags: Tags,
}

impl CreateSession {
    fn fingerprint(&self) -> Fingerprint {
        let mut parts = Fingerprint::builder()
            .part("create_session")
            .optional(self.owner.as_ref().map(UserId::as_str))
            .optional(self.subject.as_ref().map(Subject::as_str))
            .part(self.priority.as_str());
        for tag in self.tags.as_slice() {
            parts = parts.part(tag);
        }
        parts.finish()
    }
}

impl ChatService {
    /// Opens a session. The owner is part of the input but decides about the right, so it comes apart from the rest:
    /// naming another person is a missing right first and bad input second.
    ///
    /// The number of sessions that a customer has open is limited. An admin opens as many as they want, for themself
    /// and for customers; those count when the customer opens another session.
    ///
    /// # Errors
    /// In this order: `Forbidden`, `Invalid`, `Conflict(IdempotencyKeyReused)`, `LimitReached`.
    pub async fn create_session(
        &self,
        who: &Principal,
        owner: Option<&UserId>,
        input: Input<CreateSession>,
        key: Option<Input<IdempotencyKey>>,
    ) -> Result<Opened> {
        policy::authorize(who, &Action::OpenSession(owner.unwrap_or(&who.id)))?;
        let input = input?;
        let idempotency = match key {
            Some(key) => Some(Idempotency { key: key?, fingerprint: input.fingerprint() }),
            None => None,
        };
        self.require_access(who)?;
        let is_customer = who.role == Role::User;
        let chooses_priority = !is_customer || self.rules.accepts_customer_priority;
        let session = NewSession {
            id: SessionId::new(self.ports.ids.next_id()),
            owner: input.owner.unwrap_or_else(|| who.id.clone()),
            subject: input.subject,
            // What was asked for stays the meaning of the key, so that a repetition is one whatever the operator
            // changes.
            priority: if chooses_priority { input.priority } else { Priority::default() },
            tags: input.tags,
            started_at: self.ports.clock.now(),
        };
        match self.rules.max_open_sessions.filter(|_| is_customer) {
            Some(limit) => self.ports.sessions.open_within(limit, session, who.clone(), idempotency).await,
            None => self.ports.sessions.open(session, who.clone(), idempotency).await,
        }
    }
}
