//! Tell which attachments no message refers to.

use std::collections::HashSet;

use chat_domain::model::AttachmentId;
use diesel::prelude::*;

use crate::schema::chat_attachments;
use crate::values::DbId;

/// How many attachments one statement names.
const CHUNK: usize = 250;

pub(crate) fn unknown(connection: &mut SqliteConnection, ids: &[AttachmentId]) -> QueryResult<Vec<AttachmentId>> {
    let mut known: HashSet<AttachmentId> = HashSet::new();
    for chunk in ids.chunks(CHUNK) {
        let found: Vec<DbId> = chat_attachments::table
            .select(chat_attachments::id)
            .filter(chat_attachments::id.eq_any(chunk.iter().copied().map(DbId::from)))
            .load(connection)?;
        known.extend(found.into_iter().map(AttachmentId::from));
    }
    Ok(ids.iter().copied().filter(|id| !known.contains(id)).collect())
}
