//! Read a page of a session's messages.

use chat_domain::model::{
    MessageCursor, MessageId, MessagePage, MessageQuery, PageOutcome, Seq, SessionId, SessionSnapshot,
};
use chat_sql::{seq_from_db, to_db};
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::MessageRow;
use crate::schema::chat_messages::{self, dsl};
use crate::values::DbId;
use crate::{attachments, get_session};

/// Runs in a transaction, so that session and page belong together.
pub(crate) fn page(
    connection: &mut SqliteConnection,
    session_id: SessionId,
    query: MessageQuery,
) -> Result<Option<SessionSnapshot>, Failure> {
    let Some(session) = get_session::find(connection, session_id)? else { return Ok(None) };
    if query.cursor == MessageCursor::Newest && query.known == Some(session.progress.last_seq) {
        return Ok(Some(SessionSnapshot { session, page: PageOutcome::Unchanged }));
    }
    let messages =
        chat_messages::table.select(MessageRow::as_select()).filter(dsl::session_id.eq(DbId::from(session_id)));
    // One more than asked for tells whether there are more.
    let limit = i64::from(query.limit.get()) + 1;
    let position = match query.cursor {
        MessageCursor::Newest => Some(Seq::new(u64::MAX)),
        MessageCursor::Before(message) | MessageCursor::After(message) => position_of(connection, session_id, message)?,
    };
    let Some(position) = position else {
        return Ok(Some(SessionSnapshot { session, page: PageOutcome::NoSuchMessage }));
    };
    let position = to_db(position.get());
    let forward = matches!(query.cursor, MessageCursor::After(_));
    let mut rows: Vec<MessageRow> = if forward {
        messages.filter(dsl::seq.gt(position)).order(dsl::seq.asc()).limit(limit).load(connection)?
    } else {
        messages.filter(dsl::seq.lt(position)).order(dsl::seq.desc()).limit(limit).load(connection)?
    };
    let wanted = usize::try_from(query.limit.get()).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    if !forward {
        rows.reverse();
    }
    let messages = attachments::complete(connection, session_id, rows)?;
    Ok(Some(SessionSnapshot { session, page: PageOutcome::Page(MessagePage { messages, has_more }) }))
}

/// The position of a message of this session.
pub(crate) fn position_of(
    connection: &mut SqliteConnection,
    session_id: SessionId,
    message: MessageId,
) -> Result<Option<Seq>, Failure> {
    let seq: Option<i64> = chat_messages::table
        .select(dsl::seq)
        .filter(dsl::session_id.eq(DbId::from(session_id)))
        .filter(dsl::id.eq(DbId::from(message)))
        .first(connection)
        .optional()?;
    Ok(seq.map(|seq| seq_from_db("chat_messages.seq", seq)).transpose()?)
}
