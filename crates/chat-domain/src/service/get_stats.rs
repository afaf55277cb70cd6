//! Read the statistics.

use super::ChatService;
use crate::error::Result;
use crate::model::{Principal, Statistics};
use crate::policy::{self, Action};

impl ChatService {
    /// The support desk in figures.
    pub async fn get_stats(&self, who: &Principal) -> Result<Statistics> {
        policy::authorize(who, &Action::SeeStatistics)?;
        self.ports.stats.read().await
    }
}
