//! `HealthProbe`: whether the database can be read and written.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;
use chat_sql::WriteProbe;
use diesel::prelude::*;

use crate::counters;
use crate::database::Database;
use crate::schema::chat_write_probes::dsl;

/// Tries the database.
pub struct SqliteHealthProbe {
    pub(crate) database: Arc<Database>,
    pub(crate) writes: WriteProbe,
}

#[async_trait]
impl HealthProbe for SqliteHealthProbe {
    fn name(&self) -> &'static str {
        "database"
    }

    /// Reads a table, takes the write lock once, through the same queue as every write, and every few seconds commits a
    /// row: a full disk lets transactions begin.
    async fn check(&self) -> Result<(), String> {
        self.database.read(counters::statistics).await.map_err(|error| error.to_string())?;
        self.database.writer.run(|_| Ok(())).await.map_err(|error| error.to_string())?;
        let written = self.writes.run(self.database.writer.run(|connection| Ok(write(connection)?)));
        written.await.map_err(|error| format!("cannot write: {error}"))
    }
}

fn write(connection: &mut SqliteConnection) -> QueryResult<()> {
    let row = diesel::insert_into(dsl::chat_write_probes).values((dsl::writer.eq(0), dsl::writes.eq(1)));
    row.on_conflict(dsl::writer).do_update().set(dsl::writes.eq(dsl::writes + 1)).execute(connection).map(drop)
}
