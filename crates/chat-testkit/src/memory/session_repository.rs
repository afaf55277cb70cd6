//! Sessions in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{ChatSession, SessionId, SessionKey, SessionPage, SessionQuery};
use chat_domain::ports::SessionRepository;
use chat_domain::write::{SessionWrite, WriteReply};

use super::MemoryStore;

#[async_trait]
impl SessionRepository for MemoryStore {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.commit_one(write)
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
        sessions.sort_by_key(|session| Reverse(SessionKey::of(session)));
        let total = sessions.len() as u64;
        let after = query.position.after();
        let offset = usize::try_from(query.position.offset(query.limit)).unwrap_or(usize::MAX);
        let from_start = sessions.into_iter().filter(|session| after.is_none_or(|key| SessionKey::of(session) < key));
        let page_and_next = from_start.skip(offset).take(query.limit.get() as usize + 1).cloned().collect();
        Ok(query.page(page_and_next, total))
    }
}
