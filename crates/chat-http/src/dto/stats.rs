//! Statistics on the wire.

use chat_domain::model::Statistics;
use serde::Serialize;
use utoipa::ToSchema;

/// The support desk in figures.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatStatistics)]
pub(crate) struct StatsDto {
    /// Sessions ever opened.
    #[schema(example = 120)]
    total_sessions: u64,
    /// Sessions that are open.
    #[schema(example = 7)]
    active_sessions: u64,
    /// Minutes from the first customer message that waits to the support message that answers it, as a mean.
    #[schema(example = 2.5)]
    average_response_time: f64,
    /// Messages ever sent.
    #[schema(example = 1_432)]
    messages_exchanged: u64,
}

impl From<Statistics> for StatsDto {
    fn from(stats: Statistics) -> Self {
        Self {
            total_sessions: stats.total_sessions,
            active_sessions: stats.active_sessions,
            average_response_time: stats.average_response_minutes(),
            messages_exchanged: stats.messages,
        }
    }
}
