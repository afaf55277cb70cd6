//! Append a message to its session.

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{MessageDraft, StatisticsDelta};
use chat_domain::ports::Appended;

use crate::collect_orphans;
use crate::error::Failure;
use crate::unit_of_work::UnitOfWork;

pub(crate) fn append(unit: &mut UnitOfWork, draft: &MessageDraft) -> Result<Appended, Failure> {
    let session = unit.session(draft.session_id).ok_or(ChatError::NotFound(Resource::Session))?;
    unit.require_active(&draft.author)?;
    draft.authorize(&session)?;
    if let Some(message) = unit.sent_before(draft)? {
        return Ok(Appended { message, replayed: true });
    }
    let accepted = draft.decide(session)?;
    if !accepted.message.attachments.is_empty() {
        collect_orphans::take_back(unit.connection()?, &accepted.message)?;
    }
    let mut statistics = StatisticsDelta::default();
    statistics.count_message(accepted.response_time);
    unit.appended(accepted.session, accepted.message.clone(), draft.idempotency.as_ref(), statistics);
    Ok(Appended { message: accepted.message, replayed: false })
}
