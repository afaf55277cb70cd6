//! Read one message.

use chat_domain::model::{MessageId, SessionId};
use chat_domain::ports::MessageLookup;
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::MessageRow;
use crate::schema::chat_messages::{self, dsl};
use crate::values::DbId;
use crate::{attachments, get_session};

/// Runs in a transaction, so that session and message belong together.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    session_id: SessionId,
    message: MessageId,
) -> Result<Option<MessageLookup>, Failure> {
    let Some(session) = get_session::find(connection, session_id)? else { return Ok(None) };
    let row: Option<MessageRow> = chat_messages::table
        .select(MessageRow::as_select())
        .filter(dsl::session_id.eq(DbId::from(session_id)))
        .filter(dsl::id.eq(DbId::from(message)))
        .first(connection)
        .optional()?;
    let message = attachments::complete(connection, session_id, row.into_iter().collect())?.pop();
    Ok(Some(MessageLookup { session, message }))
}
