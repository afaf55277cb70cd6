//! Rows of `chat_agents`.

use chat_domain::model::{Agent, DisplayName};
use chat_sql::AgentRecord;
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_agents;

/// An agent as they are read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_agents, check_for_backend(diesel::pg::Pg))]
pub(crate) struct AgentRow {
    id: String,
    display_name: Option<String>,
    active: bool,
    created_at: i64,
    status: Option<String>,
}

impl TryFrom<AgentRow> for Agent {
    type Error = Failure;

    fn try_from(row: AgentRow) -> Result<Self, Failure> {
        let AgentRow { id, display_name, active, created_at, status } = row;
        Ok(Self::try_from(AgentRecord { id, display_name, active, created_at, status })?)
    }
}

/// An agent as they are written.
#[derive(Insertable)]
#[diesel(table_name = chat_agents, treat_none_as_default_value = false)]
pub(crate) struct NewAgent<'a> {
    id: &'a str,
    display_name: Option<&'a str>,
    active: bool,
    created_at: i64,
}

impl<'a> From<&'a Agent> for NewAgent<'a> {
    fn from(agent: &'a Agent) -> Self {
        Self {
            id: agent.id.as_str(),
            display_name: agent.display_name.as_ref().map(DisplayName::as_str),
            active: agent.active,
            created_at: agent.created_at.unix_ms(),
        }
    }
}
