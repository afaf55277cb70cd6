//! Appends a message to its session.

use super::{Appended, WriteBatch};
use crate::error::{ChatError, Result};
use crate::model::{ChatMessage, Delivery, LastMessage, MessageDraft, StatisticsDelta};
use crate::policy::{self, Action};

pub(super) fn decide(batch: &mut WriteBatch, draft: &MessageDraft) -> Result<Appended> {
    let session = batch.session_for(draft.session_id, &draft.author)?;
    policy::authorize(&draft.author, &Action::SendMessage(session))?;
    // Before the state: a repetition returns the first message though the session was closed since.
    if let Some(message) = batch.appended_before(draft)? {
        return Ok(Appended { message, replayed: true });
    }
    let attachments = batch.facts.attachments_of(draft)?;
    let sender = session.party_of(&draft.author.id);
    let (session, response_time) = session.clone().record_message(sender, draft.sent_at)?;
    if attachments.iter().any(|file| batch.facts.is_condemned(file.id)) {
        return Err(ChatError::unavailable("attachments: a file of the message has been collected"));
    }
    let message = ChatMessage {
        id: draft.id,
        session_id: draft.session_id,
        seq: session.progress.last_seq,
        author: draft.author.id.clone(),
        sender,
        content: draft.content.clone(),
        sent_at: session.progress.last_event_at,
        delivery: Delivery::Sent,
        attachments,
    };
    let last = LastMessage::of(&message, session.progress.message_count);
    let session = session.with_last_message(last);
    let mut statistics = StatisticsDelta::default();
    statistics.count_message(response_time);
    batch.append(session, message.clone(), draft.idempotency.as_ref(), &statistics);
    batch.take_uploads(draft.attachments.uploaded());
    Ok(Appended { message, replayed: false })
}
