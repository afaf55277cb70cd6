//! Read one message.

use chat_domain::model::{ChatMessage, MessageId, SessionId};
use diesel::prelude::*;

use crate::attachments;
use crate::error::Failure;
use crate::rows::MessageRow;
use crate::schema::chat_messages::{self, dsl};

/// The message of that id, if the session has it. The session is read before: a message is never removed and its files
/// never change, so no transaction is needed around the two.
pub(crate) fn find(
    connection: &mut PgConnection,
    session_id: SessionId,
    message: MessageId,
) -> Result<Option<ChatMessage>, Failure> {
    let row: Option<MessageRow> = chat_messages::table
        .select(MessageRow::as_select())
        .filter(dsl::session_id.eq(session_id.as_uuid()))
        .filter(dsl::id.eq(message.as_uuid()))
        .first(connection)
        .optional()?;
    Ok(attachments::complete(connection, session_id, row.into_iter().collect())?.pop())
}
