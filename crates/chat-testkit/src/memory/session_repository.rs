//! Sessions in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use chat_domain::error::{Conflict, Resource};
use chat_domain::model::{
    Change, ChatSession, Idempotency, NewSession, Principal, SessionChange, SessionId, SessionPage, SessionQuery,
    StatisticsDelta,
};
use chat_domain::policy::{self, Action};
use chat_domain::ports::{Opened, SessionRepository};
use chat_domain::{ChatError, Result};

use super::{MemoryStore, SessionRecord, State};

#[async_trait]
impl SessionRepository for MemoryStore {
    async fn open(&self, session: NewSession, creator: Principal, idempotency: Option<Idempotency>) -> Result<Opened> {
        let mut state = self.lock();
        if let Some(idempotency) = idempotency {
            let name = (creator.id.clone(), idempotency.key);
            if let Some((fingerprint, first)) = state.session_keys.get(&name).copied() {
                if fingerprint != idempotency.fingerprint {
                    return Err(Conflict::IdempotencyKeyReused(name.1).into());
                }
                return Ok(Opened { session: state.session(first)?.session.as_opened(), replayed: true });
            }
            state.session_keys.insert(name, (idempotency.fingerprint, session.id));
        }
        let session = ChatSession::open(session);
        let mut record = SessionRecord::new(session.clone());
        let event = record.commit(session.clone(), creator.id, Change::Opened(session.clone()));
        state.sessions.insert(session.id, record);
        state.count(StatisticsDelta { opened: 1, ..StatisticsDelta::default() });
        self.notifier.publish(event);
        Ok(Opened { session, replayed: false })
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        Ok(self.lock().sessions.get(&id).map(|record| record.session.clone()))
    }

    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        let state = self.lock();
        let mut sessions: Vec<&ChatSession> = state
            .sessions
            .values()
            .map(|record| &record.session)
            .filter(|session| query.visible.includes(session))
            .filter(|session| query.status.is_none_or(|status| status.includes(session)))
            .collect();
        sessions.sort_by_key(|session| Reverse((session.started_at, session.id)));
        let offset = usize::try_from(query.page.offset(query.limit)).unwrap_or(usize::MAX);
        Ok(SessionPage {
            total: sessions.len() as u64,
            sessions: sessions.into_iter().skip(offset).take(query.limit.get() as usize).cloned().collect(),
            page: query.page,
            limit: query.limit,
        })
    }

    async fn change(&self, id: SessionId, change: SessionChange) -> Result<ChatSession> {
        let mut state = self.lock();
        let before = state.session(id)?.session.clone();
        state.require_active(&change.by)?;
        policy::authorize(&change.by, &Action::change(&change.action, &before))?;
        require_receiver(&state, &change)?;
        let (session, what) = change.decide(before)?;
        if let Some(what) = what {
            let closed = u64::from(matches!(what, Change::Closed(_)));
            let event = state.session(id)?.commit(session.clone(), change.by.id, what);
            state.count(StatisticsDelta { closed, ..StatisticsDelta::default() });
            self.notifier.publish(event);
        }
        Ok(session)
    }
}

fn require_receiver(state: &State, change: &SessionChange) -> Result<()> {
    match change.action.receiving_agent() {
        Some(agent) if !state.agents.get(agent).is_some_and(|agent| agent.active) => {
            Err(ChatError::NotFound(Resource::Agent))
        }
        _ => Ok(()),
    }
}
