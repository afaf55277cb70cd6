//! Agents on the wire.

use chat_domain::error::Input;
use chat_domain::model::{Agent, AgentUpdate, AvatarUrl, DisplayName, KnownPeople, PersonName, Timestamp, UserId};
use chat_domain::service::{AgentList, ListedAgent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AvailabilityDto;
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
    /// The display name; in a list of agents the name in their token if none was given; else `null`.
    #[schema(required, example = "Bob")]
    display_name: Option<&'a str>,
    /// Where a picture of them is, as their token says. Absent when it is not known, and outside the list of agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        required = false,
        nullable = false,
        max_length = 2_048,
        format = "uri",
        example = "https://pictures.example.com/bob.png"
    )]
    avatar_url: Option<&'a str>,
    /// Whether they may work.
    #[schema(example = true)]
    active: bool,
    /// Whether they can be reached. In the list of agents alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    availability: Option<AvailabilityDto>,
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
            avatar_url: None,
            active: agent.active,
            availability: None,
            created_at: Some(agent.created_at),
        }
    }
}

impl<'a> AgentDto<'a> {
    /// The agent, with what is known of them as a person, whose name is that of the directory if it has one.
    fn listed(listed: &'a ListedAgent, people: &'a KnownPeople) -> Self {
        let agent = &listed.agent;
        let known = people.find(&UserId::from(&agent.id));
        Self {
            display_name: known.and_then(|person| person.name.as_ref()).map(PersonName::as_str),
            avatar_url: known.and_then(|person| person.avatar_url.as_ref()).map(AvatarUrl::as_str),
            availability: Some(listed.availability.into()),
            ..Self::from(agent)
        }
    }
}

/// All agents by ascending id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentList)]
pub(crate) struct AgentListDto<'a> {
    /// Deactivated ones too.
    agents: Vec<AgentDto<'a>>,
}

impl<'a> AgentListDto<'a> {
    /// The list, with what is known of the agents as people.
    pub(crate) fn new(list: &'a AgentList, people: &'a KnownPeople) -> Self {
        let (agents, is_managed) = match list {
            AgentList::Managed(agents) => (agents, true),
            AgentList::Colleagues(agents) => (agents, false),
        };
        let agents = agents
            .iter()
            .map(|agent| AgentDto::listed(agent, people))
            .map(|agent| AgentDto { created_at: agent.created_at.filter(|_| is_managed), ..agent });
        Self { agents: agents.collect() }
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
