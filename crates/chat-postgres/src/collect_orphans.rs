//! Tell which attachments no message refers to.

use std::collections::HashSet;

use chat_domain::model::AttachmentId;
use diesel::prelude::*;
use uuid::Uuid;

use crate::schema::chat_attachments;

pub(crate) fn unknown(connection: &mut PgConnection, ids: &[AttachmentId]) -> QueryResult<Vec<AttachmentId>> {
    let wanted: Vec<Uuid> = ids.iter().map(AttachmentId::as_uuid).collect();
    let known: Vec<Uuid> = chat_attachments::table
        .select(chat_attachments::id)
        .filter(chat_attachments::id.eq_any(wanted))
        .load(connection)?;
    let known: HashSet<Uuid> = known.into_iter().collect();
    Ok(ids.iter().copied().filter(|id| !known.contains(&id.as_uuid())).collect())
}
