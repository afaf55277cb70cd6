//! Mark everything of the other side up to a position as read.

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{
    Change, MAX_RECEIPT_MESSAGES, MessageId, Principal, Receipt, Seq, SessionId, StatisticsDelta, Timestamp,
};
use chat_domain::policy::{self, Action};
use chat_sql::{UpTo, UpToOutcome};
use diesel::prelude::*;
use uuid::Uuid;

use crate::error::Failure;
use crate::mark_read;
use crate::schema::chat_messages::{self, dsl};
use crate::unit_of_work::UnitOfWork;
use crate::values::DbParty;

pub(crate) fn mark_read_up_to(
    unit: &mut UnitOfWork,
    session_id: SessionId,
    reader: &Principal,
    up_to: Seq,
    at: Timestamp,
) -> Result<Option<Receipt>, Failure> {
    let session = unit.session(session_id).ok_or(ChatError::NotFound(Resource::Session))?;
    unit.require_active(reader)?;
    policy::authorize(reader, &Action::MarkRead(&session))?;
    let Some(wanted) = UpTo::read(session, &reader.id, up_to) else { return Ok(None) };
    unit.flush()?;
    let unread: Vec<(i64, Uuid)> = chat_messages::table
        .select((dsl::seq, dsl::id))
        .filter(dsl::session_id.eq(session_id.as_uuid()))
        .filter(dsl::seq.gt(wanted.after()))
        .filter(dsl::seq.le(wanted.up_to()))
        .filter(dsl::sender.eq(DbParty(wanted.sender())))
        .filter(dsl::read_at.is_null())
        .order(dsl::seq)
        .limit(i64::try_from(MAX_RECEIPT_MESSAGES).unwrap_or(i64::MAX))
        .load(unit.connection()?)?;
    let seqs: Vec<i64> = unread.iter().map(|(seq, _)| *seq).collect();
    match wanted.found(unread.into_iter().map(|(seq, id)| (seq, MessageId::new(id))), at)? {
        UpToOutcome::Nothing(session) => {
            if let Some(session) = session {
                unit.marked(session);
            }
            Ok(None)
        }
        UpToOutcome::Receipt(session, receipt) => {
            let at = session.progress.last_event_at;
            mark_read::store(unit.connection()?, session_id, &seqs, at)?;
            let change = Change::Receipt(receipt.clone());
            unit.changed(session, reader.id.clone(), change, StatisticsDelta::default());
            Ok(Some(receipt))
        }
    }
}
