//! Sessions in memory.

use std::cmp::Reverse;
use std::convert::Infallible;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::inbox::{
    ActiveSession, InboxPage, InboxQuery, InboxRange, InboxSource, MAX_ACTIVE, read_active, read_ended,
};
use chat_domain::model::{ChatSession, Party, Seq, SessionId, SessionKey, SessionPage, SessionQuery};
use chat_domain::ports::{InboxReader, MAX_ENDED, SessionRepository};
use chat_domain::write::{SessionWrite, WriteReply};

use super::{MemoryState, MemoryStore};

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
    async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage> {
        let page = query.read(&mut &*self.lock());
        Ok(page.unwrap_or_else(|never: Infallible| match never {}))
    }
}

#[async_trait]
impl InboxReader for MemoryStore {
    async fn find_many(&self, ids: Vec<SessionId>) -> Result<Vec<ChatSession>> {
        let state = self.lock();
        Ok(ids.iter().filter_map(|id| Some(state.sessions.get(id)?.session.clone())).collect())
    }

    async fn active(&self, ranges: Vec<InboxRange>) -> Result<Vec<ActiveSession>> {
        let active = read_active(&ranges, &mut &*self.lock());
        Ok(active.unwrap_or_else(|never: Infallible| match never {}))
    }

    async fn ended(&self, range: InboxRange) -> Result<Vec<(SessionId, Seq)>> {
        let ended = read_ended(&range, MAX_ENDED, &mut &*self.lock());
        Ok(ended.unwrap_or_else(|never: Infallible| match never {}))
    }
}

/// Nothing is older here than the inbox, so no newest message is lacking.
impl InboxSource for &MemoryState {
    type Error = Infallible;

    fn sessions(
        &mut self,
        range: &InboxRange,
        after: Option<(i64, SessionId)>,
        most: usize,
    ) -> std::result::Result<Vec<(i64, ChatSession)>, Infallible> {
        let sessions = self.sessions.values().map(|record| &record.session).filter(|session| range.includes(session));
        let mut placed: Vec<(i64, ChatSession)> =
            sessions.map(|session| (range.at(session), session.clone())).collect();
        placed.sort_by_key(|(at, session)| Reverse((*at, session.id)));
        placed.retain(|(at, session)| after.is_none_or(|after| (*at, session.id) < after));
        placed.truncate(most);
        Ok(placed)
    }

    fn unread(&mut self, range: &InboxRange, of: Party) -> std::result::Result<Vec<u64>, Infallible> {
        let sessions = self.sessions(range, None, MAX_ACTIVE)?;
        Ok(sessions.iter().map(|(_, session)| session.unread_by(of)).collect())
    }

    fn waiting(&mut self) -> std::result::Result<u64, Infallible> {
        let waits = |record: &&super::MemorySession| record.session.is_active() && record.session.agent().is_none();
        Ok(self.sessions.values().filter(waits).count() as u64)
    }

    fn complete(&mut self, _: &mut [ChatSession]) -> std::result::Result<(), Infallible> {
        Ok(())
    }
}
