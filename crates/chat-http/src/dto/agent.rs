//! Agents on the wire.

use chat_domain::error::Input;
use chat_domain::model::{Agent, AgentUpdate, DisplayName, Timestamp};
use chat_domain::service::AgentList;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wire::display_or_null;
use crate::problems::Problems;

/// Someone sessions can be assigned to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Agent)]
pub(crate) struct AgentDto<'a> {
    /// The `sub` of the agent's token.
    #[schema(example = "bob")]
    id: &'a str,
    /// The display name; `null` when none was given.
    #[schema(required, example = "Bob")]
    display_name: Option<&'a str>,
    /// Whether they may work.
    #[schema(example = true)]
    active: bool,
    /// RFC 3339 in UTC with milliseconds. For admins alone.
    #[serde(serialize_with = "display_or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, nullable = false, format = DateTime, example = "2026-01-05T08:00:00.000Z")]
    created_at: Option<Timestamp>,
}

impl<'a> From<&'a Agent> for AgentDto<'a> {
    fn from(agent: &'a Agent) -> Self {
        Self {
            id: agent.id.as_str(),
            display_name: agent.display_name.as_ref().map(DisplayName::as_str),
            active: agent.active,
            created_at: Some(agent.created_at),
        }
    }
}

impl<'a> AgentDto<'a> {
    fn colleague(agent: &'a Agent) -> Self {
        Self { created_at: None, ..Self::from(agent) }
    }
}

/// All agents by ascending id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentList)]
pub(crate) struct AgentListDto<'a> {
    /// Deactivated ones too.
    agents: Vec<AgentDto<'a>>,
}

impl<'a> From<&'a AgentList> for AgentListDto<'a> {
    fn from(list: &'a AgentList) -> Self {
        let agents = match list {
            AgentList::Managed(agents) => agents.iter().map(AgentDto::from).collect(),
            AgentList::Colleagues(agents) => agents.iter().map(AgentDto::colleague).collect(),
        };
        Self { agents }
    }
}

/// What to change of an agent; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PutAgent)]
pub(crate) struct PutAgentBody {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\x00]*[^\x00\s][^\x00]*$", example = "Bob")]
    display_name: Option<String>,
    /// Whether they may work; a new agent may.
    #[schema(example = true)]
    active: Option<bool>,
}

impl PutAgentBody {
    pub(crate) fn parse(self) -> Input<AgentUpdate> {
        let mut problems = Problems::default();
        let display_name = self.display_name.and_then(|name| problems.check("displayName", DisplayName::parse(&name)));
        problems.or(AgentUpdate { display_name, active: self.active })
    }
}
