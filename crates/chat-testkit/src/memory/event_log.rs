//! The log of changes in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Epoch, MessageId, Seq, SessionId};
use chat_domain::ports::{EventLog, LogLimit, LogPage};

use super::MemoryStore;

#[async_trait]
impl EventLog for MemoryStore {
    async fn head(&self, session: SessionId) -> Result<Option<Seq>> {
        Ok(self.lock().sessions.get(&session).map(|record| record.session.progress.last_seq))
    }

    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>> {
        let state = self.lock();
        let head = |id| state.sessions.get(&id).map(|record| (id, record.session.progress.last_seq));
        Ok(sessions.into_iter().collect::<BTreeSet<_>>().into_iter().filter_map(head).collect())
    }

    async fn read(&self, session: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage> {
        let state = self.lock();
        let events = state.sessions.get(&session).into_iter().flat_map(|record| &record.events);
        let events = events.filter(|event| event.seq > after).take(limit.events as usize);
        let events = events.map(|event| state.with_people(event)).collect();
        Ok(LogPage::within(limit, events))
    }

    async fn position_of(&self, session: SessionId, message: MessageId) -> Result<Option<Seq>> {
        let state = self.lock();
        Ok(state.sessions.get(&session).and_then(|record| record.message(message)).map(|message| message.seq))
    }

    async fn epoch(&self) -> Result<Epoch> {
        Ok(self.current_epoch())
    }
}
