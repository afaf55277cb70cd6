//! Availability of agents on the wire.

use chat_domain::error::{Input, Invalid};
use chat_domain::model::{AgentStatus, Availability};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The rule for what an agent sets.
pub(crate) const AGENT_STATUSES: &str = "must be online or away";

/// Whether an agent can be reached.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Availability)]
pub(crate) enum AvailabilityDto {
    /// Here, and takes sessions.
    Online,
    /// Here, and takes no sessions for now.
    Away,
    /// Without an open inbox for 60 seconds, or deactivated.
    Offline,
}

impl From<Availability> for AvailabilityDto {
    fn from(availability: Availability) -> Self {
        match availability {
            Availability::Online => Self::Online,
            Availability::Away => Self::Away,
            Availability::Offline => Self::Offline,
        }
    }
}

/// What an agent sets for the time in which they are here.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AgentStatus)]
pub(crate) enum AgentStatusDto {
    /// They take sessions.
    Online,
    /// They take no sessions for now.
    Away,
}

impl From<AgentStatus> for AgentStatusDto {
    fn from(status: AgentStatus) -> Self {
        match status {
            AgentStatus::Online => Self::Online,
            AgentStatus::Away => Self::Away,
        }
    }
}

/// What an agent has set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentAvailability)]
pub(crate) struct AgentAvailabilityDto {
    /// How they are shown while they have an inbox open.
    status: AgentStatusDto,
}

impl From<AgentStatus> for AgentAvailabilityDto {
    fn from(status: AgentStatus) -> Self {
        Self { status: status.into() }
    }
}

/// How to be shown. Other fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SetAvailability)]
pub(crate) struct SetAvailabilityBody {
    /// How to be shown while one has an inbox open.
    #[schema(value_type = AgentStatusDto, required, nullable = false)]
    status: Option<String>,
}

impl SetAvailabilityBody {
    pub(crate) fn parse(self) -> Input<AgentStatus> {
        let name = self.status.ok_or_else(|| Invalid::new("status", "is required"))?;
        AgentStatus::parse(&name).ok_or_else(|| Invalid::new("status", AGENT_STATUSES))
    }
}
