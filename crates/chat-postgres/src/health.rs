//! `HealthProbe`: whether the database answers.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;
use diesel::prelude::*;

use crate::database::Database;
use crate::schema::chat_identity;
use crate::unit_of_work::Need;

/// Tries the database.
pub struct PgHealthProbe {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl HealthProbe for PgHealthProbe {
    fn name(&self) -> &'static str {
        "database"
    }

    /// Reads a row through the same connections as every read, and lets each writer begin and end a transaction.
    async fn check(&self) -> Result<(), String> {
        let read = self.database.read(|connection| Ok(identity(connection)?)).await;
        read.map_err(|error| error.to_string())?;
        for writer in &self.database.writers {
            writer.run(Need::Nothing, |_| Ok(())).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Which database this is: 32 hexadecimal digits.
pub(crate) fn identity(connection: &mut PgConnection) -> QueryResult<String> {
    chat_identity::table.select(chat_identity::id).first(connection)
}
