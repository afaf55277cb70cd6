//! Read a page of the sessions a person may see.
//!
//! The totals come first, then the keys of the page, then its rows by their ids. A page whose number is beyond the last
//! costs no walk, since the totals are known by then.

use std::cmp::Reverse;

use chat_domain::model::{ChatSession, SessionKey, SessionPage, SessionQuery};
use chat_sql::Scope;
use diesel::prelude::*;

use crate::counters;
use crate::error::Failure;
use crate::page_keys::PageKeys;
use crate::rows::SessionRow;
use crate::schema::chat_sessions::{self, dsl};
use crate::values::DbId;

pub(crate) fn list(connection: &mut SqliteConnection, query: &SessionQuery) -> Result<SessionPage, Failure> {
    let listed = Scope::listed(&query.visible, query.status);
    let total = counters::total(connection, &listed)?;
    if query.position.offset(query.limit) >= total {
        return Ok(query.page(Vec::new(), total));
    }
    let keys: Vec<(i64, DbId)> = PageKeys::of(query, &listed).load(connection)?;
    let ids: Vec<DbId> = keys.into_iter().map(|(_, id)| id).collect();
    // For no ids, diesel writes a condition that SQLite checks on each row of the table.
    let sessions = if ids.is_empty() { Vec::new() } else { sessions(connection, &ids)? };
    Ok(query.page(sessions, total))
}

/// The sessions of these ids, in their order.
fn sessions(connection: &mut SqliteConnection, ids: &[DbId]) -> Result<Vec<ChatSession>, Failure> {
    let rows: Vec<SessionRow> =
        chat_sessions::table.select(SessionRow::as_select()).filter(dsl::id.eq_any(ids)).load(connection)?;
    let mut sessions = rows.into_iter().map(ChatSession::try_from).collect::<Result<Vec<_>, _>>()?;
    sessions.sort_unstable_by_key(|session| Reverse(SessionKey::of(session)));
    Ok(sessions)
}
