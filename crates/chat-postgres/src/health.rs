//! `HealthProbe`: whether the database can be read and written.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;
use chat_sql::WriteProbe;
use diesel::prelude::*;

use crate::database::Database;
use crate::error::Failure;
use crate::instance;
use crate::schema::chat_write_probes::dsl;
use crate::writing_connection::WritingConnection;

/// Tries the database.
pub struct PgHealthProbe {
    pub(crate) database: Arc<Database>,
    pub(crate) writes: WriteProbe,
}

#[async_trait]
impl HealthProbe for PgHealthProbe {
    fn name(&self) -> &'static str {
        "database"
    }

    /// Reads a row through the same connections as every read, lets each writer begin and end a transaction, and every
    /// few seconds commit a row: a full disk, or a server that has become read-only, lets transactions begin.
    async fn check(&self) -> Result<(), String> {
        let read = self.database.read(|connection| Ok(instance::identity(connection)?)).await;
        read.map_err(|error| error.to_string())?;
        for writer in &self.database.writers {
            writer.run(|_| Ok(())).await.map_err(|error| error.to_string())?;
        }
        let written = self.writes.run(async {
            for writer in &self.database.writers {
                writer.run(write).await?;
            }
            Ok(())
        });
        written.await.map_err(|error| format!("cannot write: {error}"))
    }
}

/// Counts on, in the writer's own row.
fn write(connection: &mut WritingConnection) -> Result<(), Failure> {
    let writer = connection.slot();
    let row = diesel::insert_into(dsl::chat_write_probes).values((dsl::writer.eq(writer), dsl::writes.eq(1)));
    let counted = row.on_conflict(dsl::writer).do_update().set(dsl::writes.eq(dsl::writes + 1));
    counted.execute(connection.get()?)?;
    Ok(())
}
