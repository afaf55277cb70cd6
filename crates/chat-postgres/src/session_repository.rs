//! `SessionRepository`: where sessions are kept. Each method's work is in the file of its use case.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{
    ChatSession, Idempotency, NewSession, Principal, SessionChange, SessionId, SessionPage, SessionQuery,
};
use chat_domain::ports::{Opened, SessionRepository};

use crate::database::Database;
use crate::unit_of_work::Need;
use crate::{change_session, create_session, list_sessions};

/// Keeps sessions.
pub struct PgSessionRepository {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl SessionRepository for PgSessionRepository {
    async fn open(&self, session: NewSession, creator: Principal, idempotency: Option<Idempotency>) -> Result<Opened> {
        let id = session.id;
        let key = idempotency.as_ref().map(|idempotency| idempotency.key.clone());
        let need = Need::Open { creator: creator.id.clone(), key };
        let work = move |unit: &mut _| create_session::create(unit, &session, &creator, idempotency.as_ref());
        self.database.write(id, need, work).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        self.database.sessions.find(id).await
    }

    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        let query = query.clone();
        self.database.read(move |connection| list_sessions::list(connection, &query)).await
    }

    async fn change(&self, id: SessionId, change: SessionChange) -> Result<ChatSession> {
        let need = Need::Session { id, by: change.by.clone() };
        let work = move |unit: &mut _| change_session::change(unit, id, &change);
        self.database.write(id, need, work).await
    }
}
