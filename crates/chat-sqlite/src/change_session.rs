//! Assign, transfer or close a session.

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{Change, ChatSession, SessionChange, SessionId, StatisticsDelta};
use chat_domain::policy::{self, Action};

use crate::agent_directory;
use crate::error::Failure;
use crate::unit_of_work::UnitOfWork;

pub(crate) fn change(unit: &mut UnitOfWork, id: SessionId, change: &SessionChange) -> Result<ChatSession, Failure> {
    let session = unit.session(id)?.ok_or(ChatError::NotFound(Resource::Session))?;
    unit.require_active(&change.by)?;
    // `decide` asks again; asked here so that a missing right is told before a missing agent.
    policy::authorize(&change.by, &Action::change(&change.action, &session))?;
    if let Some(agent) = change.action.receiving_agent() {
        let agent = agent_directory::find(&mut unit.connection, agent)?;
        if !agent.is_some_and(|agent| agent.active) {
            return Err(ChatError::NotFound(Resource::Agent).into());
        }
    }
    let (session, changed) = change.decide(session)?;
    if let Some(changed) = changed {
        let closed = u64::from(matches!(changed, Change::Closed(_)));
        let statistics = StatisticsDelta { closed, ..StatisticsDelta::default() };
        unit.changed(session.clone(), change.by.id.clone(), changed, statistics)?;
    }
    Ok(session)
}
