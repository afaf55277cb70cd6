//! `SessionRepository`: where sessions are kept. Each method's work is in the file of its use case.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{
    ChatSession, Idempotency, NewSession, Principal, SessionChange, SessionId, SessionPage, SessionQuery,
};
use chat_domain::ports::{Opened, SessionRepository};

use crate::database::Database;
use crate::{change_session, create_session, get_session, list_sessions};

/// Keeps sessions.
pub struct SqliteSessionRepository {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl SessionRepository for SqliteSessionRepository {
    async fn open(&self, session: NewSession, creator: Principal, idempotency: Option<Idempotency>) -> Result<Opened> {
        self.database.write(move |unit| create_session::create(unit, &session, &creator, idempotency.as_ref())).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        self.database.read(move |connection| get_session::find(connection, id)).await
    }

    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        let query = query.clone();
        self.database.read_snapshot(move |connection| list_sessions::list(connection, &query)).await
    }

    async fn change(&self, id: SessionId, change: SessionChange) -> Result<ChatSession> {
        self.database.write(move |unit| change_session::change(unit, id, &change)).await
    }
}
