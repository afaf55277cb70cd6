//! `AgentDirectory`: who the support agents are.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Agent, AgentId, AgentStatus, AgentUpdate, DisplayName, Timestamp, UserId};
use chat_domain::ports::AgentDirectory;
use diesel::prelude::*;

use crate::database::Database;
use crate::error::Failure;
use crate::rows::{AgentRow, NewAgent};
use crate::schema::chat_agents;

/// How many agents one statement names: far below SQLite's limit of parameters.
const CHUNK: usize = 250;

/// Keeps the agents.
pub struct SqliteAgentDirectory {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl AgentDirectory for SqliteAgentDirectory {
    async fn find(&self, id: &AgentId) -> Result<Option<Agent>> {
        let id = id.clone();
        self.database.read(move |connection| find(connection, &id)).await
    }

    async fn deactivated_among(&self, ids: Vec<AgentId>) -> Result<Vec<AgentId>> {
        self.database.read(move |connection| deactivated_among(connection, &ids)).await
    }

    async fn list(&self) -> Result<Vec<Agent>> {
        self.database.read(list).await
    }

    async fn put(&self, id: AgentId, update: AgentUpdate, at: Timestamp) -> Result<(Agent, bool)> {
        let put = self.database.writer.run(move |connection| match find(connection, &id)? {
            Some(known) => Ok((store(connection, known.updated(update.clone()))?, false)),
            None => Ok((store(connection, Agent::new(id.clone(), update.clone(), at))?, true)),
        });
        let (agent, is_new) = put.await?;
        self.database.people.forget(&UserId::from(&agent.id), Instant::now());
        Ok((agent, is_new))
    }

    async fn register(&self, id: AgentId, name: Option<DisplayName>, at: Timestamp) -> Result<Agent> {
        let registered = self.database.writer.run(move |connection| {
            if let Some(known) = find(connection, &id)? {
                return Ok(known);
            }
            let update = AgentUpdate { display_name: name.clone(), active: None };
            store(connection, Agent::new(id.clone(), update, at))
        });
        let agent = registered.await?;
        self.database.people.forget(&UserId::from(&agent.id), Instant::now());
        Ok(agent)
    }

    async fn deactivate(&self, id: &AgentId) -> Result<Option<Agent>> {
        let id = id.clone();
        self.database
            .writer
            .run(move |connection| match find(connection, &id)? {
                Some(known) => {
                    let update = AgentUpdate { display_name: None, active: Some(false) };
                    store(connection, known.updated(update)).map(Some)
                }
                None => Ok(None),
            })
            .await
    }

    async fn set_status(&self, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>> {
        let id = id.clone();
        self.database.writer.run(move |connection| set_status(connection, &id, status)).await
    }
}

/// The agent of that id.
pub(crate) fn find(connection: &mut SqliteConnection, id: &AgentId) -> Result<Option<Agent>, Failure> {
    let row: Option<AgentRow> =
        chat_agents::table.find(id.as_str()).select(AgentRow::as_select()).first(connection).optional()?;
    row.map(Agent::try_from).transpose()
}

/// Those of `ids` whose agents are deactivated.
fn deactivated_among(connection: &mut SqliteConnection, ids: &[AgentId]) -> Result<Vec<AgentId>, Failure> {
    let mut deactivated = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let found: Vec<String> = chat_agents::table
            .select(chat_agents::id)
            .filter(chat_agents::id.eq_any(chunk.iter().map(AgentId::as_str)))
            .filter(chat_agents::active.eq(false))
            .load(connection)?;
        for id in found {
            deactivated.push(chat_sql::valid("chat_agents.id", AgentId::parse(&id))?);
        }
    }
    Ok(deactivated)
}

fn list(connection: &mut SqliteConnection) -> Result<Vec<Agent>, Failure> {
    let rows: Vec<AgentRow> =
        chat_agents::table.select(AgentRow::as_select()).order(chat_agents::id).load(connection)?;
    rows.into_iter().map(Agent::try_from).collect()
}

fn set_status(connection: &mut SqliteConnection, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>, Failure> {
    diesel::update(chat_agents::table.find(id.as_str()))
        .filter(chat_agents::active.eq(true))
        .set(chat_agents::status.eq(status.as_str()))
        .execute(connection)?;
    find(connection, id)
}

fn store(connection: &mut SqliteConnection, agent: Agent) -> Result<Agent, Failure> {
    let row = NewAgent::from(&agent);
    diesel::insert_into(chat_agents::table)
        .values(&row)
        .on_conflict(chat_agents::id)
        .do_update()
        .set(&row)
        .execute(connection)?;
    Ok(agent)
}
