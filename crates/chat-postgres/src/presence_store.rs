//! `PresenceStore`: when agents last had an inbox open. Times are those of the database's clock.
//!
//! What is noted has nothing to do with a session, so it does not go through the writers of sessions, and no message waits
//! for it. It is one statement, which is a transaction by itself, and may run twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::AgentId;
use chat_domain::ports::PresenceStore;
use chat_sql::age_from_db;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::database::Database;
use crate::error::Failure;
use crate::schema::chat_agent_presence;
use crate::statements::NotePresence;

/// Keeps when agents last had an inbox open.
pub struct PgPresenceStore {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl PresenceStore for PgPresenceStore {
    async fn note(&self, seen: BTreeMap<AgentId, Duration>) -> Result<()> {
        self.database.autocommit(move |connection| Ok(NotePresence::new(&seen).run(connection)?)).await
    }

    async fn last_seen(&self, agents: Vec<AgentId>) -> Result<HashMap<AgentId, Duration>> {
        self.database.read(move |connection| last_seen(connection, &agents)).await
    }
}

fn last_seen(connection: &mut PgConnection, agents: &[AgentId]) -> Result<HashMap<AgentId, Duration>, Failure> {
    let agents: Vec<&str> = agents.iter().map(AgentId::as_str).collect();
    let rows: Vec<(String, i64)> = chat_agent_presence::table
        .select((
            chat_agent_presence::agent_id,
            sql::<BigInt>("(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT - seen_at"),
        ))
        .filter(chat_agent_presence::agent_id.eq_any(agents))
        .load(connection)?;
    let seen = |(id, difference): (String, i64)| {
        let id = chat_sql::valid("chat_agent_presence.agent_id", AgentId::parse(&id))?;
        Ok((id, age_from_db(difference)))
    };
    rows.into_iter().map(seen).collect()
}
