//! Read a page of a session's messages.

use chat_domain::model::{
    ChatMessage, ChatSession, MessageCursor, MessageId, MessagePage, MessageQuery, PageOutcome, Seq, SessionId,
};
use chat_sql::{seq_from_db, to_db};
use diesel::prelude::*;

use crate::attachments;
use crate::error::Failure;
use crate::rows::MessageRow;
use crate::schema::chat_messages::{self, dsl};

/// Whether the asker already has the newest page, so that there is nothing to read.
pub(crate) fn is_known(session: &ChatSession, query: &MessageQuery) -> bool {
    query.cursor == MessageCursor::Newest && query.known == Some(session.progress.last_seq)
}

/// The page of a session that was read before. Rows are never added below a position that has been read, so a page that
/// ends at the session's position belongs to it without a transaction around the two.
pub(crate) fn page(
    connection: &mut PgConnection,
    session: &ChatSession,
    query: &MessageQuery,
) -> Result<PageOutcome, Failure> {
    if is_known(session, query) {
        return Ok(PageOutcome::Unchanged);
    }
    let last = to_db(session.progress.last_seq.get());
    let (above, up_to) = match query.cursor {
        MessageCursor::Newest => (None, last),
        MessageCursor::Before(message) => match position_of(connection, session.id, message)? {
            Some(position) => (None, last.min(to_db(position.get()) - 1)),
            None => return Ok(PageOutcome::NoSuchMessage),
        },
        MessageCursor::After(message) => match position_of(connection, session.id, message)? {
            Some(position) => (Some(to_db(position.get())), last),
            None => return Ok(PageOutcome::NoSuchMessage),
        },
    };
    let messages = chat_messages::table
        .select(MessageRow::as_select())
        .filter(dsl::session_id.eq(session.id.as_uuid()))
        .filter(dsl::seq.le(up_to));
    // One more than asked for tells whether there are more.
    let limit = i64::from(query.limit.get()) + 1;
    let mut rows: Vec<MessageRow> = match above {
        Some(above) => messages.filter(dsl::seq.gt(above)).order(dsl::seq.asc()).limit(limit).load(connection)?,
        None => messages.order(dsl::seq.desc()).limit(limit).load(connection)?,
    };
    let wanted = usize::try_from(query.limit.get()).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    if above.is_none() {
        rows.reverse();
    }
    let messages = attachments::complete(connection, session.id, rows)?;
    Ok(PageOutcome::Page(MessagePage { messages, has_more }))
}

/// The position of a message of this session.
pub(crate) fn position_of(
    connection: &mut PgConnection,
    session_id: SessionId,
    message: MessageId,
) -> Result<Option<Seq>, Failure> {
    let seq: Option<i64> = chat_messages::table
        .select(dsl::seq)
        .filter(dsl::session_id.eq(session_id.as_uuid()))
        .filter(dsl::id.eq(message.as_uuid()))
        .first(connection)
        .optional()?;
    Ok(seq.map(|seq| seq_from_db("chat_messages.seq", seq)).transpose()?)
}

/// The message at a position of a session.
pub(crate) fn at(
    connection: &mut PgConnection,
    session_id: SessionId,
    seq: i64,
) -> Result<Option<ChatMessage>, Failure> {
    let row: Option<MessageRow> = chat_messages::table
        .find((session_id.as_uuid(), seq))
        .select(MessageRow::as_select())
        .first(connection)
        .optional()?;
    let rows = row.into_iter().collect();
    Ok(attachments::complete(connection, session_id, rows)?.pop())
}
