//! Read one session.

use chat_domain::model::{ChatSession, SessionId};
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::SessionRow;
use crate::schema::chat_sessions;
use crate::values::DbId;

pub(crate) fn find(connection: &mut SqliteConnection, id: SessionId) -> Result<Option<ChatSession>, Failure> {
    let row = chat_sessions::table.find(DbId::from(id)).select(SessionRow::as_select()).first(connection).optional()?;
    row.map(ChatSession::try_from).transpose()
}
