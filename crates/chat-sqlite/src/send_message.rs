//! Append a message to its session.

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{ChatMessage, Idempotency, MessageDraft, StatisticsDelta};
use chat_domain::ports::Appended;
use chat_sql::same_request;
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::{MessageRow, NewAttachment, NewMessage};
use crate::schema::{chat_attachments, chat_messages};
use crate::unit_of_work::UnitOfWork;
use crate::values::DbId;
use crate::{attachments, collect_orphans};

pub(crate) fn append(unit: &mut UnitOfWork, draft: &MessageDraft) -> Result<Appended, Failure> {
    let session = unit.session(draft.session_id)?.ok_or(ChatError::NotFound(Resource::Session))?;
    unit.require_active(&draft.author)?;
    draft.authorize(&session)?;
    if let Some(idempotency) = &draft.idempotency
        && let Some(message) = sent_before(&mut unit.connection, draft, idempotency)?
    {
        return Ok(Appended { message, replayed: true });
    }
    let accepted = draft.decide(session)?;
    let message = accepted.message;
    collect_orphans::take_back(&mut unit.connection, &message)?;
    insert(&mut unit.connection, &message, draft.idempotency.as_ref())?;
    let mut statistics = StatisticsDelta::default();
    statistics.count_message(accepted.response_time);
    let key = draft.idempotency.as_ref().map(|idempotency| idempotency.key.clone());
    unit.appended(accepted.session, message.clone(), key, statistics);
    Ok(Appended { message, replayed: false })
}

fn insert(
    connection: &mut SqliteConnection,
    message: &ChatMessage,
    idempotency: Option<&Idempotency>,
) -> QueryResult<()> {
    diesel::insert_into(chat_messages::table).values(NewMessage::new(message, idempotency)).execute(connection)?;
    for attachment in NewAttachment::of(message) {
        diesel::insert_into(chat_attachments::table).values(attachment).execute(connection)?;
    }
    Ok(())
}

/// The message that an earlier request with this key sent, as it was then.
fn sent_before(
    connection: &mut SqliteConnection,
    draft: &MessageDraft,
    idempotency: &Idempotency,
) -> Result<Option<ChatMessage>, Failure> {
    let known: Option<(MessageRow, Option<Vec<u8>>)> = chat_messages::table
        .select((MessageRow::as_select(), chat_messages::fingerprint))
        .filter(chat_messages::session_id.eq(DbId::from(draft.session_id)))
        .filter(chat_messages::author_id.eq(draft.author.id.as_str()))
        .filter(chat_messages::idempotency_key.eq(idempotency.key.as_str()))
        .first(connection)
        .optional()?;
    let Some((row, fingerprint)) = known else { return Ok(None) };
    same_request(fingerprint.as_deref(), idempotency)?;
    let message = attachments::complete(connection, draft.session_id, vec![row])?.pop();
    Ok(message.map(ChatMessage::as_sent))
}
