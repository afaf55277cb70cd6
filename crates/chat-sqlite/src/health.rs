//! `HealthProbe`: whether the database answers.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;

use crate::counters;
use crate::database::Database;

/// Tries the database.
pub struct SqliteHealthProbe {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl HealthProbe for SqliteHealthProbe {
    fn name(&self) -> &'static str {
        "database"
    }

    /// Reads a table and takes the write lock once, through the same queue as every write.
    async fn check(&self) -> Result<(), String> {
        self.database.read(counters::statistics).await.map_err(|error| error.to_string())?;
        self.database.write(|_| Ok(())).await.map_err(|error| error.to_string())
    }
}
