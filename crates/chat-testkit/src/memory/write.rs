//! Writes in memory: the third pair of `load` and `persist`, beside those of the two databases.

use std::collections::HashSet;
use std::sync::Arc;

use chat_domain::Result;
use chat_domain::model::{ChatMessage, LiveEvent, ReceiptStatus};
use chat_domain::write::{
    Effects, Facts, KnownMessage, LockSet, MessagesNeeded, ReceiptEffect, SessionEffect, SessionWrite, WriteBatch,
    WriteReply,
};

use super::{MemorySession, MemoryState, MemoryStore};

impl MemoryStore {
    /// Decides and persists a batch of writes as one transaction, and returns their replies in their order.
    pub fn commit(&self, writes: &[SessionWrite]) -> Vec<Result<WriteReply>> {
        let writes: Vec<&SessionWrite> = writes.iter().collect();
        let mut state = self.lock();
        let mut batch = WriteBatch::new(load(&state, &writes));
        let replies = writes.iter().map(|write| batch.decide(write)).collect();
        let effects = batch.into_effects();
        persist(&mut state, &effects);
        let (events, _) = effects.into_published(&HashSet::new());
        for event in events {
            self.notifier.publish(LiveEvent::Durable(event));
        }
        replies
    }

    pub(super) fn commit_one(&self, write: SessionWrite) -> Result<WriteReply> {
        self.commit(&[write]).pop().expect("a batch has a reply for each write")
    }
}

fn load(state: &MemoryState, writes: &[&SessionWrite]) -> Facts {
    let locks = LockSet::of(writes);
    let mut facts = Facts::default();
    for record in locks.sessions.iter().filter_map(|id| state.sessions.get(id)) {
        facts.add_session(record.session.clone());
    }
    for agent in locks.agents().into_iter().filter_map(|id| state.agents.get(id)) {
        facts.add_agent(agent.id.clone(), agent.active);
    }
    for (creator, key) in &locks.session_keys {
        let name = ((*creator).clone(), (*key).clone());
        if let Some((fingerprint, id)) = state.session_keys.get(&name) {
            facts.add_opened(name.0, name.1, *fingerprint, &state.sessions[id].session);
        }
    }
    for owner in &locks.limited_owners {
        let of_owner = |record: &&MemorySession| record.session.owner == **owner && record.session.is_active();
        facts.add_open_sessions((*owner).clone(), state.sessions.values().filter(of_owner).count() as u64);
    }
    for (session_id, author, key) in &locks.message_keys {
        let Some(record) = state.sessions.get(session_id) else { continue };
        let Some((fingerprint, id)) = record.message_keys.get(&((*author).clone(), (*key).clone())) else { continue };
        let message = record.message(*id).expect("a key names a message").clone();
        facts.add_appended((*key).clone(), *fingerprint, message);
    }
    for file in &locks.files {
        if let Some(is_condemned) = state.orphans.is_condemned(*file) {
            facts.add_orphan(*file, is_condemned);
        }
    }
    for upload in locks.uploads.iter().filter_map(|id| state.uploads.get(id)) {
        facts.add_upload(upload.clone());
    }
    for id in facts.people_needed(writes) {
        facts.add_person(Arc::new(state.person(&id)));
    }
    for needed in facts.messages_needed(writes) {
        add_messages(state, &mut facts, needed);
    }
    facts
}

fn add_messages(state: &MemoryState, facts: &mut Facts, needed: MessagesNeeded) {
    let known = |message: &ChatMessage| KnownMessage {
        id: message.id,
        seq: message.seq,
        sender: message.sender,
        is_delivered: message.delivery.delivered_at().is_some(),
        is_read: message.delivery.read_at().is_some(),
    };
    match needed {
        MessagesNeeded::Named { session_id, ids } => {
            let record = &state.sessions[&session_id];
            let messages = ids.into_iter().filter_map(|id| record.message(id));
            messages.for_each(|message| facts.add_message(session_id, known(message)));
        }
        MessagesNeeded::NotYet { session_id, sender, status, after, up_to, limit } => {
            let messages = state.sessions[&session_id].messages.iter().filter(|message| {
                let moment = match status {
                    ReceiptStatus::Delivered => message.delivery.delivered_at(),
                    ReceiptStatus::Read => message.delivery.read_at(),
                };
                message.sender == sender && after < message.seq && message.seq <= up_to && moment.is_none()
            });
            messages.take(limit).for_each(|message| facts.add_message(session_id, known(message)));
        }
    }
}

fn persist(state: &mut MemoryState, effects: &Effects) {
    for effect in effects.sessions() {
        save_session(state, effect);
        state.count(effect.statistics);
    }
    for (message, key) in effects.messages() {
        let record = state.sessions.get_mut(&message.session_id).expect("its session was saved");
        record.messages.push(message.clone());
        if let Some((key, fingerprint)) = key {
            record.message_keys.insert((message.author.clone(), key.clone()), (*fingerprint, message.id));
        }
        for attachment in &message.attachments {
            state.attachments.insert(attachment.id, (message.session_id, message.id));
        }
    }
    for event in effects.events() {
        let record = state.sessions.get_mut(&event.session_id).expect("its session was saved");
        record.events.push(event.clone());
    }
    effects.receipts().iter().for_each(|receipt| receive(state, receipt));
    effects.unmarked_files().iter().for_each(|file| state.orphans.unmark(*file));
    for claims in effects.people().filter_map(|person| person.claims()) {
        state.people.insert(claims.id.clone(), claims.clone());
    }
    for id in effects.sent_uploads() {
        state.uploads.remove(id).expect("a sent upload was registered");
    }
}

fn save_session(state: &mut MemoryState, effect: &SessionEffect) {
    let session = effect.after.as_ref().clone();
    let Some(creation) = &effect.creation else {
        let record = state.sessions.get_mut(&session.id).expect("a session that was loaded is there");
        record.session = session;
        return;
    };
    if let Some(idempotency) = &creation.idempotency {
        let name = (creation.creator.clone(), idempotency.key.clone());
        state.session_keys.insert(name, (idempotency.fingerprint, session.id));
    }
    state.sessions.insert(session.id, MemorySession::new(session));
}

fn receive(state: &mut MemoryState, receipt: &ReceiptEffect) {
    let record = state.sessions.get_mut(&receipt.session_id).expect("its session was saved");
    let named = record.messages.iter_mut().filter(|message| receipt.seqs.binary_search(&message.seq).is_ok());
    for message in named {
        message.delivery = match receipt.status {
            ReceiptStatus::Delivered => message.delivery.delivered(receipt.at),
            ReceiptStatus::Read => message.delivery.read(receipt.at),
        };
    }
}
