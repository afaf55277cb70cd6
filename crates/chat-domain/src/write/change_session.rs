//! Assigns, transfers, updates or closes a session.

use super::{ChangedSession, WriteBatch};
use crate::error::{ChatError, Conflict, Resource, Result};
use crate::model::{ChatSession, EventChange, SessionAction, SessionChange, SessionId, StatisticsDelta};
use crate::policy::{self, Action};

pub(super) fn decide(batch: &mut WriteBatch, id: SessionId, change: &SessionChange) -> Result<ChangedSession> {
    let SessionChange { by, at, action } = change;
    let session = batch.session_for(id, by)?;
    policy::authorize(by, &Action::change(action, session))?;
    if let Some(agent) = action.receiving_agent()
        && batch.facts.is_active(agent) != Some(true)
    {
        return Err(ChatError::NotFound(Resource::Agent));
    }
    let before = session.progress.last_seq;
    let session = session.clone();
    let (session, wrap): (_, fn(ChatSession) -> EventChange) = match action {
        SessionAction::Assign(agent) => {
            if session.is_active() && session.agent() == Some(agent) && *agent == by.id {
                return Err(Conflict::AlreadyYours.into());
            }
            (session.assign(agent.clone(), *at)?, EventChange::Assigned)
        }
        SessionAction::Transfer(to) => (session.transfer(to.clone(), *at)?, EventChange::Transferred),
        SessionAction::Update(update) => {
            if !update.expected.admits(before) {
                return Err(ChatError::VersionMismatch { current: before });
            }
            (session.update(&update.details, *at)?, EventChange::Updated)
        }
        SessionAction::Close => (session.close(*at)?, EventChange::Closed),
    };
    // A transfer to the agent who has the session already changes nothing, nor does an update to what it is about.
    let has_event = session.progress.last_seq != before;
    if has_event {
        let closed = u64::from(matches!(action, SessionAction::Close));
        let statistics = StatisticsDelta { closed, ..StatisticsDelta::default() };
        batch.change(session.clone(), by.id.clone(), wrap(session.clone().in_event()), &statistics);
    }
    Ok(ChangedSession { session, has_event })
}
