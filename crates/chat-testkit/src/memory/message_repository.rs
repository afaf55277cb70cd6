//! Messages and receipts in memory.

use std::collections::HashSet;

use async_trait::async_trait;
use chat_domain::error::{Conflict, Invalid};
use chat_domain::model::{
    AttachmentId, Change, ChatMessage, Delivery, Idempotency, MAX_RECEIPT_MESSAGES, MessageCursor, MessageDraft,
    MessageId, MessagePage, MessageQuery, PageRead, Party, Principal, Receipt, ReceiptStatus, Seq, SessionId,
    SessionSnapshot, StatisticsDelta, Timestamp, UserId,
};
use chat_domain::policy::{self, Action};
use chat_domain::ports::{Appended, AttachmentRecord, MessageRepository};
use chat_domain::{ChatError, Result};

use super::{MemoryStore, SessionRecord};

#[async_trait]
impl MessageRepository for MemoryStore {
    async fn append(&self, draft: MessageDraft) -> Result<Appended> {
        let mut state = self.lock();
        state.session(draft.session_id)?;
        state.require_active(&draft.author)?;
        let record = state.session(draft.session_id)?;
        draft.authorize(&record.session)?;
        if let Some(idempotency) = &draft.idempotency
            && let Some(first) = earlier_message(record, &draft.author.id, idempotency)?
        {
            return Ok(Appended { message: first.as_sent(), replayed: true });
        }
        let accepted = draft.decide(record.session.clone())?;
        state.orphans.admit(&draft)?;
        state.orphans.unmark(&accepted.message);
        let record = state.session(draft.session_id)?;
        let message = accepted.message;
        let key = draft.idempotency.map(|Idempotency { key, fingerprint }| {
            let name = (draft.author.id.clone(), key.clone());
            record.message_keys.insert(name, (fingerprint, message.id));
            key
        });
        record.messages.push(message.clone());
        let change = Change::Message(message.clone());
        let event = record.commit_keyed(accepted.session, draft.author.id, key, change);
        for attachment in &message.attachments {
            state.attachments.insert(attachment.id, (draft.session_id, message.id));
        }
        let mut delta = StatisticsDelta::default();
        delta.count_message(accepted.response_time);
        state.count(delta);
        self.notifier.publish(event);
        Ok(Appended { message, replayed: false })
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        let state = self.lock();
        let snapshot =
            |record: &SessionRecord| SessionSnapshot { session: record.session.clone(), page: page_of(record, &query) };
        Ok(state.sessions.get(&session).map(snapshot))
    }

    async fn mark_read(
        &self,
        session: SessionId,
        reader: Principal,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let mut state = self.lock();
        state.session(session)?;
        state.require_active(&reader)?;
        let record = state.session(session)?;
        policy::authorize(&reader, &Action::MarkRead(&record.session))?;
        if let Some(unknown) = messages.iter().position(|id| record.message(*id).is_none()) {
            let field = format!("messageIds[{unknown}]");
            return Err(Invalid::new(field, "must be the id of a message of this session").into());
        }
        let wanted: HashSet<MessageId> = messages.into_iter().collect();
        let (party, at) = (record.session.party_of(&reader.id), record.session.time_of_change(at));
        let unread = |message: &ChatMessage| wanted.contains(&message.id) && message.delivery.read_at().is_none();
        let read = move_on(&mut record.messages, party, unread, |delivery| delivery.read(at));
        let Some(receipt) = receipt(reader.id, ReceiptStatus::Read, &read) else { return Ok(None) };
        let after = record.session.clone().record_read(party, read.len() as u64, at);
        let event = record.commit(after, receipt.reader.clone(), Change::Receipt(receipt.clone()));
        self.notifier.publish(event);
        Ok(Some(receipt))
    }

    async fn mark_read_up_to(
        &self,
        session: SessionId,
        reader: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let mut state = self.lock();
        state.session(session)?;
        state.require_active(&reader)?;
        let record = state.session(session)?;
        policy::authorize(&reader, &Action::MarkRead(&record.session))?;
        let (party, at) = (record.session.party_of(&reader.id), record.session.time_of_change(at));
        let unread = |message: &ChatMessage| message.seq <= up_to && message.delivery.read_at().is_none();
        let read = move_on(&mut record.messages, party, unread, |delivery| delivery.read(at));
        let up_to = up_to.min(record.session.progress.last_seq);
        let Some(receipt) = receipt(reader.id, ReceiptStatus::Read, &read) else {
            record.session = record.session.clone().skip_read(party, up_to);
            return Ok(None);
        };
        let all = if read.len() < MAX_RECEIPT_MESSAGES { up_to } else { receipt.up_to };
        let after = record.session.clone().record_read_up_to(party, read.len() as u64, all, at);
        let event = record.commit(after, receipt.reader.clone(), Change::Receipt(receipt.clone()));
        self.notifier.publish(event);
        Ok(Some(receipt))
    }

    async fn mark_delivered(
        &self,
        session: SessionId,
        receiver: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let mut state = self.lock();
        if !state.sessions.contains_key(&session) {
            return Ok(None);
        }
        state.require_active(&receiver)?;
        let record = state.session(session)?;
        let Some(party) = record.session.participant(&receiver.id) else { return Ok(None) };
        let at = record.session.time_of_change(at);
        let arrived = |message: &ChatMessage| message.seq <= up_to && message.delivery == Delivery::Sent;
        let delivered = move_on(&mut record.messages, party, arrived, |delivery| delivery.delivered(at));
        let Some(receipt) = receipt(receiver.id, ReceiptStatus::Delivered, &delivered) else { return Ok(None) };
        let after = record.session.clone().record_delivery(party, receipt.up_to, at);
        let event = record.commit(after, receipt.reader.clone(), Change::Receipt(receipt.clone()));
        self.notifier.publish(event);
        Ok(Some(receipt))
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentRecord>> {
        let state = self.lock();
        let Some((session, message)) = state.attachments.get(&id) else { return Ok(None) };
        let Some(record) = state.sessions.get(session) else { return Ok(None) };
        let attachments = record.message(*message).into_iter().flat_map(|message| &message.attachments);
        let found = attachments.into_iter().find(|attachment| attachment.id == id).cloned();
        Ok(found.map(|attachment| AttachmentRecord { attachment, session: record.session.clone() }))
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        let state = self.lock();
        Ok(ids.into_iter().filter(|id| !state.attachments.contains_key(id)).collect())
    }
}

/// The message that the same author sent earlier under the same key, when it meant the same.
fn earlier_message(
    record: &SessionRecord,
    author: &UserId,
    idempotency: &Idempotency,
) -> Result<Option<ChatMessage>, ChatError> {
    let name = (author.clone(), idempotency.key.clone());
    match record.message_keys.get(&name) {
        Some((fingerprint, _)) if *fingerprint != idempotency.fingerprint => {
            Err(Conflict::IdempotencyKeyReused(name.1).into())
        }
        Some((_, first)) => Ok(record.message(*first).cloned()),
        None => Ok(None),
    }
}

fn page_of(record: &SessionRecord, query: &MessageQuery) -> PageRead {
    if query.cursor == MessageCursor::Newest && query.known == Some(record.session.progress.last_seq) {
        return PageRead::Unchanged;
    }
    part_of(&record.messages, query).map_or(PageRead::NoSuchMessage, PageRead::Page)
}

fn part_of(messages: &[ChatMessage], query: &MessageQuery) -> Option<MessagePage> {
    let limit = query.limit.get() as usize;
    let position = |id: MessageId| messages.iter().position(|message| message.id == id);
    let (start, end, has_more) = match query.cursor {
        MessageCursor::After(id) => {
            let start = position(id)? + 1;
            let end = messages.len().min(start + limit);
            (start, end, end < messages.len())
        }
        MessageCursor::Newest | MessageCursor::Before(_) => {
            let end = match query.cursor {
                MessageCursor::Before(id) => position(id)?,
                MessageCursor::Newest | MessageCursor::After(_) => messages.len(),
            };
            let start = end.saturating_sub(limit);
            (start, end, start > 0)
        }
    };
    let messages = messages.iter().skip(start).take(end - start).cloned().collect();
    Some(MessagePage { messages, has_more })
}

/// Moves those messages of the other side on that `which` picks, and answers them in order.
fn move_on(
    messages: &mut [ChatMessage],
    reader: Party,
    which: impl Fn(&ChatMessage) -> bool,
    further: impl Fn(Delivery) -> Delivery,
) -> Vec<(MessageId, Seq)> {
    let mut moved = Vec::new();
    let concerned = messages.iter_mut().filter(|message| message.sender == reader.other() && which(message));
    for message in concerned.take(MAX_RECEIPT_MESSAGES) {
        message.delivery = further(message.delivery);
        moved.push((message.id, message.seq));
    }
    moved
}

/// The receipt for messages that have come further; `None` when there are none.
fn receipt(reader: UserId, status: ReceiptStatus, moved: &[(MessageId, Seq)]) -> Option<Receipt> {
    let (_, up_to) = *moved.last()?;
    Some(Receipt { reader, status, up_to, messages: moved.iter().map(|(id, _)| *id).collect() })
}
