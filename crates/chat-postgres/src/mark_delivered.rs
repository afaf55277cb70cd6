//! Note that messages have reached a participant.

use chat_domain::model::{
    Change, MAX_RECEIPT_MESSAGES, MessageId, Principal, Receipt, Seq, SessionId, StatisticsDelta, Timestamp,
};
use chat_sql::{UpTo, UpToOutcome, to_db};
use diesel::prelude::*;
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::chat_messages::{self, dsl};
use crate::unit_of_work::UnitOfWork;
use crate::values::DbParty;

pub(crate) fn mark_delivered(
    unit: &mut UnitOfWork,
    session_id: SessionId,
    receiver: &Principal,
    up_to: Seq,
    at: Timestamp,
) -> Result<Option<Receipt>, Failure> {
    let Some(session) = unit.session(session_id) else { return Ok(None) };
    unit.require_active(receiver)?;
    let Some(wanted) = UpTo::delivered(session, &receiver.id, up_to) else { return Ok(None) };
    unit.flush()?;
    let arrived = chat_messages::table
        .filter(dsl::session_id.eq(session_id.as_uuid()))
        .filter(dsl::seq.gt(wanted.after()))
        .filter(dsl::sender.eq(DbParty(wanted.sender())))
        .filter(dsl::delivered_at.is_null());
    let limit = i64::try_from(MAX_RECEIPT_MESSAGES).unwrap_or(i64::MAX);
    let messages: Vec<(i64, Uuid)> = arrived
        .filter(dsl::seq.le(wanted.up_to()))
        .select((dsl::seq, dsl::id))
        .order(dsl::seq)
        .limit(limit)
        .load(unit.connection()?)?;
    match wanted.found(messages.into_iter().map(|(seq, id)| (seq, MessageId::new(id))), at)? {
        UpToOutcome::Nothing(session) => {
            if let Some(session) = session {
                unit.marked(session);
            }
            Ok(None)
        }
        UpToOutcome::Receipt(session, receipt) => {
            let at = session.progress.last_event_at;
            let named = arrived.filter(dsl::seq.le(to_db(receipt.up_to.get())));
            diesel::update(named).set(dsl::delivered_at.eq(at.unix_ms())).execute(unit.connection()?)?;
            let change = Change::Receipt(receipt.clone());
            unit.changed(session, receiver.id.clone(), change, StatisticsDelta::default());
            Ok(Some(receipt))
        }
    }
}
