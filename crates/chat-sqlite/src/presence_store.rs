//! `PresenceStore`: when agents last had an inbox open. Times are those of SQLite's clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::AgentId;
use chat_domain::ports::PresenceStore;
use chat_sql::{age_from_db, age_to_db};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::database::Database;
use crate::error::Failure;
use crate::schema::chat_agent_presence;

/// How many agents one statement names: far below SQLite's limit of parameters.
const CHUNK: usize = 250;

/// The newer time stays, unless it is ahead of the clock, which was set back then. Inside one process a statement costs no
/// round trip, so each agent has its own.
const NOTE: &str = "\
    INSERT INTO chat_agent_presence AS p (agent_id, seen_at) \
    VALUES (?, CAST(unixepoch('subsec') * 1000 AS INTEGER) - ?) \
    ON CONFLICT (agent_id) DO UPDATE SET seen_at = excluded.seen_at \
    WHERE p.seen_at NOT BETWEEN excluded.seen_at AND CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Keeps when agents last had an inbox open.
pub struct SqlitePresenceStore {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl PresenceStore for SqlitePresenceStore {
    async fn note(&self, seen: BTreeMap<AgentId, Duration>) -> Result<()> {
        self.database.writer.run(move |connection| note(connection, &seen)).await
    }

    async fn last_seen(&self, agents: Vec<AgentId>) -> Result<HashMap<AgentId, Duration>> {
        self.database.read(move |connection| last_seen(connection, &agents)).await
    }
}

fn note(connection: &mut SqliteConnection, seen: &BTreeMap<AgentId, Duration>) -> Result<(), Failure> {
    for (agent, ago) in seen {
        diesel::sql_query(NOTE)
            .bind::<Text, _>(agent.as_str())
            .bind::<BigInt, _>(age_to_db(*ago))
            .execute(connection)?;
    }
    Ok(())
}

fn last_seen(connection: &mut SqliteConnection, agents: &[AgentId]) -> Result<HashMap<AgentId, Duration>, Failure> {
    let mut found = HashMap::new();
    for chunk in agents.chunks(CHUNK) {
        let rows: Vec<(String, i64)> = chat_agent_presence::table
            .select((
                chat_agent_presence::agent_id,
                sql::<BigInt>("CAST(unixepoch('subsec') * 1000 AS INTEGER) - seen_at"),
            ))
            .filter(chat_agent_presence::agent_id.eq_any(chunk.iter().map(AgentId::as_str)))
            .load(connection)?;
        for (id, difference) in rows {
            let id = chat_sql::valid("chat_agent_presence.agent_id", AgentId::parse(&id))?;
            found.insert(id, age_from_db(difference));
        }
    }
    Ok(found)
}
