//! `SessionRepository`: where sessions are kept. What a write does is in `session_store`.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::inbox::{ActiveSession, InboxPage, InboxQuery, InboxRange};
use chat_domain::model::{ChatSession, Seq, SessionId, SessionPage, SessionQuery};
use chat_domain::ports::{InboxReader, SessionRepository};
use chat_domain::write::{SessionWrite, WriteReply};

use crate::database::Database;
use crate::{list_inbox, list_sessions};

/// Keeps sessions.
pub struct PgSessionRepository {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl SessionRepository for PgSessionRepository {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.database.write(write).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        self.database.sessions.find(id).await
    }

    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        let query = query.clone();
        self.database.read(move |connection| list_sessions::list(connection, &query)).await
    }

    async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage> {
        let query = query.clone();
        self.database.read_snapshot(move |connection| list_inbox::list(connection, &query)).await
    }
}

#[async_trait]
impl InboxReader for PgSessionRepository {
    async fn find_many(&self, ids: Vec<SessionId>) -> Result<Vec<ChatSession>> {
        self.database.read(move |connection| list_inbox::find_many(connection, &ids)).await
    }

    async fn active(&self, ranges: Vec<InboxRange>) -> Result<Vec<ActiveSession>> {
        self.database.read(move |connection| list_inbox::active(connection, &ranges)).await
    }

    async fn ended(&self, range: InboxRange) -> Result<Vec<(SessionId, Seq)>> {
        self.database.read(move |connection| list_inbox::ended(connection, &range)).await
    }
}
