//! A batch between `load` and `persist`: the facts, and the effects of the writes that were decided so far.

use std::sync::Arc;

use super::facts::EarlierMessage;
use super::{Creation, Effects, Facts, ReceiptEffect, SessionEffect, SessionWrite};
use crate::error::{ChatError, Conflict, Refusal, Resource, Result};
use crate::model::{
    AttachmentId, ChatMessage, ChatSession, EventChange, Idempotency, KnownPeople, KnownPerson, MessageDraft,
    Principal, SessionEvent, SessionId, StatisticsDelta, Timestamp, UserId,
};

/// A batch of writes between `load` and `persist`.
#[derive(Debug, Default)]
pub struct WriteBatch {
    pub(super) facts: Facts,
    effects: Effects,
}

impl WriteBatch {
    /// A batch that is decided on these facts.
    pub fn new(facts: Facts) -> Self {
        Self { facts, effects: Effects::default() }
    }

    /// Whether another transaction has locked the write's session, or opens sessions of the same customer within a
    /// limit, so that it cannot be decided now.
    pub fn is_blocked(&self, write: &SessionWrite) -> bool {
        if let SessionWrite::OpenSession(open) = write {
            return open.limit.is_some() && self.facts.is_blocked_owner(&open.session.owner);
        }
        let blocked = self.facts.blocked_sessions();
        !blocked.is_empty() && write.session_id().is_some_and(|session_id| blocked.contains(&session_id))
    }

    /// What the decided writes change. The events show people as the batch leaves them.
    pub fn into_effects(mut self) -> Effects {
        let mut events = std::mem::take(&mut self.effects.events);
        for event in &mut events {
            let shown = event.change.shown_people().filter_map(|id| self.person(&id));
            event.people = KnownPeople::new(shown.map(|person| Arc::clone(person.shown())));
        }
        Effects { events, ..self.effects }
    }

    /// A person as they are known at this point of the batch.
    fn person(&self, id: &UserId) -> Option<&Arc<KnownPerson>> {
        self.effects.people.get(id).or_else(|| self.facts.person(id))
    }

    /// How many events the batch has at this point.
    pub(super) fn event_count(&self) -> usize {
        self.effects.events.len()
    }

    /// Records what the token of a person says who has made a change.
    pub(super) fn record_person(&mut self, who: &Principal, now: Timestamp) {
        let Some(claims) = who.claims(now) else { return };
        let changed = match self.person(&who.id) {
            Some(known) => known.after(&claims),
            None => Some(KnownPerson::new(who.id.clone(), Some(claims), None)),
        };
        self.effects.people.extend(changed.map(|person| (who.id.clone(), Arc::new(person))));
    }

    /// The session as it is at this point of the batch.
    pub(super) fn session(&self, id: SessionId) -> Option<&ChatSession> {
        let changed = self.effects.sessions.get(&id).map(|effect| &effect.after);
        changed.or_else(|| self.facts.sessions.get(&id)).map(Arc::as_ref)
    }

    /// The session as it is at this point of the batch, for a person who is not a deactivated agent.
    pub(super) fn session_for(&self, id: SessionId, who: &Principal) -> Result<&ChatSession> {
        let session = self.session(id).ok_or(ChatError::NotFound(Resource::Session))?;
        match who.agent() {
            Some(agent) if self.facts.is_active(&agent) == Some(false) => Err(Refusal::AgentDeactivated.into()),
            _ => Ok(session),
        }
    }

    /// The message that an earlier request appended under the draft's key, as it was then.
    pub(super) fn appended_before(&self, draft: &MessageDraft) -> Result<Option<ChatMessage>> {
        let Some(Idempotency { key, fingerprint }) = &draft.idempotency else { return Ok(None) };
        let name = (draft.session_id, draft.author.id.clone(), key.clone());
        match self.facts.appended(&name) {
            None => Ok(None),
            Some((earlier, _)) if earlier != fingerprint => Err(Conflict::IdempotencyKeyReused(name.2).into()),
            Some((_, EarlierMessage::Stored(message))) => Ok(Some(message.as_ref().clone())),
            Some((_, EarlierMessage::InBatch(event))) => match self.effects.events.get(*event) {
                Some(SessionEvent { change: EventChange::Message(message), .. }) => Ok(Some(message.clone())),
                _ => Err(ChatError::internal("the key of a message of the batch names no message")),
            },
        }
    }

    /// Takes over a session that the batch opens.
    pub(super) fn open(&mut self, session: ChatSession, creator: &UserId, idempotency: Option<&Idempotency>) {
        let creation = Creation { creator: creator.clone(), idempotency: idempotency.cloned() };
        let statistics = StatisticsDelta { opened: 1, ..StatisticsDelta::default() };
        let event = event(&session, creator.clone(), EventChange::Opened(session.clone().in_event()));
        if let Some(Idempotency { key, fingerprint }) = idempotency {
            self.facts.note_opened(creator.clone(), key.clone(), *fingerprint, session.clone());
        }
        self.facts.note_open_session(&session.owner);
        let id = session.id;
        let creation = Some(Box::new(creation));
        let effect = SessionEffect { before: None, after: Arc::new(session), creation, statistics };
        self.effects.sessions.insert(id, effect);
        self.effects.events.push(event);
    }

    /// Takes over a session after a change that has an event.
    pub(super) fn change(
        &mut self,
        session: ChatSession,
        actor: UserId,
        change: EventChange,
        statistics: &StatisticsDelta,
    ) {
        if matches!(change, EventChange::Closed(_)) {
            self.facts.note_closed_session(&session.owner);
        }
        self.effects.events.push(event(&session, actor, change));
        self.replace(session, statistics);
    }

    /// Takes over a message, and its session after it.
    pub(super) fn append(
        &mut self,
        session: ChatSession,
        message: ChatMessage,
        idempotency: Option<&Idempotency>,
        statistics: &StatisticsDelta,
    ) {
        let index = self.effects.events.len();
        self.facts.note_message(&message);
        let marked = message.attachments.iter().map(|file| file.id).filter(|file| self.facts.is_marked(*file));
        self.effects.unmarked_files.extend(marked);
        if let Some(Idempotency { key, fingerprint }) = idempotency {
            let name = (message.session_id, message.author.clone(), key.clone());
            self.facts.note_appended(name, *fingerprint, index);
            self.effects.fingerprints.push((index, *fingerprint));
        }
        let key = idempotency.map(|idempotency| idempotency.key.clone());
        let event = event(&session, message.author.clone(), EventChange::Message(message));
        self.effects.events.push(SessionEvent { key, ..event });
        self.replace(session, statistics);
    }

    /// Takes over that these uploads are sent.
    pub(super) fn take_uploads(&mut self, ids: &[AttachmentId]) {
        self.facts.note_sent_uploads(ids);
        self.effects.sent_uploads.extend(ids);
    }

    /// Takes over messages that have come further.
    pub(super) fn receive(&mut self, receipt: ReceiptEffect) {
        self.facts.note_receipt(receipt.session_id, receipt.status, &receipt.seqs);
        self.effects.receipts.push(receipt);
    }

    /// Takes over a session of which only a watermark has advanced. That is no change and has no event.
    pub(super) fn advance(&mut self, session: ChatSession) {
        self.replace(session, &StatisticsDelta::default());
    }

    fn replace(&mut self, session: ChatSession, statistics: &StatisticsDelta) {
        if let Some(effect) = self.effects.sessions.get_mut(&session.id) {
            effect.after = Arc::new(session);
            effect.statistics.add(statistics);
            return;
        }
        let before = self.facts.sessions.remove(&session.id);
        debug_assert!(before.is_some(), "only a session that was loaded can have been decided about");
        let id = session.id;
        let effect = SessionEffect { before, after: Arc::new(session), creation: None, statistics: *statistics };
        self.effects.sessions.insert(id, effect);
    }
}

/// The event of the change that the session has just taken.
fn event(session: &ChatSession, actor: UserId, change: EventChange) -> SessionEvent {
    let (session_id, progress) = (session.id, &session.progress);
    SessionEvent {
        session_id,
        seq: progress.last_seq,
        at: progress.last_event_at,
        actor,
        key: None,
        change,
        people: KnownPeople::default(),
    }
}
