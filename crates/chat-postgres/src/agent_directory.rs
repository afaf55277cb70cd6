//! `AgentDirectory`: who the support agents are.
//!
//! Agents have nothing to do with a session's sequence, so they do not go through its writers. Each change is one
//! statement, which is a transaction by itself. When the connection is lost it may run twice, which changes nothing more.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Agent, AgentId, AgentStatus, AgentUpdate, DisplayName, Timestamp, UserId};
use chat_domain::ports::AgentDirectory;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};

use crate::database::Database;
use crate::error::Failure;
use crate::rows::{AgentRow, NewAgent};
use crate::schema::chat_agents;

/// Keeps the agents.
pub struct PgAgentDirectory {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl AgentDirectory for PgAgentDirectory {
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
        let (agent, is_new) = self.database.autocommit(move |connection| put(connection, &id, &update, at)).await?;
        self.database.people.forget(&UserId::from(&agent.id), Instant::now());
        Ok((agent, is_new))
    }

    async fn register(&self, id: AgentId, name: Option<DisplayName>, at: Timestamp) -> Result<Agent> {
        let agent = self.database.autocommit(move |connection| register(connection, &id, name.as_ref(), at)).await?;
        self.database.people.forget(&UserId::from(&agent.id), Instant::now());
        Ok(agent)
    }

    async fn deactivate(&self, id: &AgentId) -> Result<Option<Agent>> {
        let id = id.clone();
        self.database.autocommit(move |connection| deactivate(connection, &id)).await
    }

    async fn set_status(&self, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>> {
        let id = id.clone();
        self.database.autocommit(move |connection| set_status(connection, &id, status)).await
    }
}

/// The agent of that id.
pub(crate) fn find(connection: &mut PgConnection, id: &AgentId) -> Result<Option<Agent>, Failure> {
    let row: Option<AgentRow> =
        chat_agents::table.find(id.as_str()).select(AgentRow::as_select()).first(connection).optional()?;
    row.map(Agent::try_from).transpose()
}

/// Those of `ids` whose agents are deactivated.
pub(crate) fn deactivated_among(connection: &mut PgConnection, ids: &[AgentId]) -> Result<Vec<AgentId>, Failure> {
    let ids: Vec<&str> = ids.iter().map(AgentId::as_str).collect();
    let found: Vec<String> = chat_agents::table
        .select(chat_agents::id)
        .filter(chat_agents::id.eq_any(ids))
        .filter(chat_agents::active.eq(false))
        .load(connection)?;
    let valid = |id: String| Ok(chat_sql::valid("chat_agents.id", AgentId::parse(&id))?);
    found.into_iter().map(valid).collect()
}

fn list(connection: &mut PgConnection) -> Result<Vec<Agent>, Failure> {
    let rows: Vec<AgentRow> =
        chat_agents::table.select(AgentRow::as_select()).order(chat_agents::id).load(connection)?;
    rows.into_iter().map(Agent::try_from).collect()
}

/// An update says only what changes, and the row is locked while it is changed: of two admins who change different
/// things of an agent at once, neither undoes the other's change. `xmax` is 0 in a row that was inserted just now.
fn put(
    connection: &mut PgConnection,
    id: &AgentId,
    update: &AgentUpdate,
    at: Timestamp,
) -> Result<(Agent, bool), Failure> {
    let new = Agent::new(id.clone(), update.clone(), at);
    let name = sql::<Nullable<Text>>("coalesce(excluded.display_name, chat_agents.display_name)");
    let active = sql::<Bool>("coalesce(").bind::<Nullable<Bool>, _>(update.active).sql(", chat_agents.active)");
    let (row, is_new): (AgentRow, bool) = diesel::insert_into(chat_agents::table)
        .values(NewAgent::from(&new))
        .on_conflict(chat_agents::id)
        .do_update()
        .set((chat_agents::display_name.eq(name), chat_agents::active.eq(active)))
        .returning((AgentRow::as_returning(), sql::<Bool>("xmax = 0")))
        .get_result(connection)?;
    Ok((row.try_into()?, is_new))
}

fn register(
    connection: &mut PgConnection,
    id: &AgentId,
    name: Option<&DisplayName>,
    at: Timestamp,
) -> Result<Agent, Failure> {
    // Every request of an agent comes here, and nearly always the agent is there.
    if let Some(known) = find(connection, id)? {
        return Ok(known);
    }
    let agent = Agent::new(id.clone(), AgentUpdate { display_name: name.cloned(), active: None }, at);
    let inserted = diesel::insert_into(chat_agents::table)
        .values(NewAgent::from(&agent))
        .on_conflict(chat_agents::id)
        .do_nothing()
        .execute(connection)?;
    if inserted == 1 {
        return Ok(agent);
    }
    // Another request was faster, and agents are never removed.
    find(connection, id)?.ok_or_else(|| Failure::corrupt("chat_agents.id", "vanished"))
}

fn deactivate(connection: &mut PgConnection, id: &AgentId) -> Result<Option<Agent>, Failure> {
    let row: Option<AgentRow> = diesel::update(chat_agents::table.find(id.as_str()))
        .set(chat_agents::active.eq(false))
        .returning(AgentRow::as_returning())
        .get_result(connection)
        .optional()?;
    row.map(Agent::try_from).transpose()
}

fn set_status(connection: &mut PgConnection, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>, Failure> {
    let row: Option<AgentRow> = diesel::update(chat_agents::table.find(id.as_str()))
        .filter(chat_agents::active.eq(true))
        .set(chat_agents::status.eq(status.as_str()))
        .returning(AgentRow::as_returning())
        .get_result(connection)
        .optional()?;
    match row {
        Some(row) => row.try_into().map(Some),
        // They are deactivated, or there is none.
        None => find(connection, id),
    }
}
