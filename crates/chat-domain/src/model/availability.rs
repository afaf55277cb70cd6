//! Whether an agent can be reached: what they have set, and what others are shown.

use std::time::Duration;

/// After so long without an open inbox at any node an agent is shown as offline.
pub const OFFLINE_AFTER: Duration = Duration::from_mins(1);

/// What an agent has set for the time in which they are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentStatus {
    /// They take sessions; so it is until they set something.
    #[default]
    Online,
    /// They are here, and take no sessions for now.
    Away,
}

impl AgentStatus {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Online, Self::Away];

    /// The name, as clients and stores have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// What others are shown of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Here, and takes sessions.
    Online,
    /// Here, and takes no sessions for now.
    Away,
    /// Not here, whatever they have set.
    Offline,
}

impl Availability {
    /// The availability of an agent with this status who had an inbox open `seen_ago`, at whichever node; `None` for never.
    pub fn of(status: AgentStatus, seen_ago: Option<Duration>) -> Self {
        let is_here = seen_ago.is_some_and(|ago| ago < OFFLINE_AFTER);
        match status {
            _ if !is_here => Self::Offline,
            AgentStatus::Online => Self::Online,
            AgentStatus::Away => Self::Away,
        }
    }

    /// The name, as clients have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => AgentStatus::Online.as_str(),
            Self::Away => AgentStatus::Away.as_str(),
            Self::Offline => "offline",
        }
    }
}
