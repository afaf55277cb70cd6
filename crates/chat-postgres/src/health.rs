//! `HealthProbe`: whether the database can be read and written.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;
use chat_sql::WriteProbe;
use diesel::prelude::*;

use crate::database::Database;
use crate::error::Failure;
use crate::schema::chat_identity;
use crate::schema::chat_write_probes::dsl;
use crate::unit_of_work::{Need, UnitOfWork};

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
        let read = self.database.read(|connection| Ok(identity(connection)?)).await;
        read.map_err(|error| error.to_string())?;
        for writer in &self.database.writers {
            writer.run(Need::Nothing, |_| Ok(())).await.map_err(|error| error.to_string())?;
        }
        let written = self.writes.run(async {
            for writer in &self.database.writers {
                writer.run(Need::Nothing, |unit| Ok(write(unit)?)).await?;
            }
            Ok(())
        });
        written.await.map_err(|error| format!("cannot write: {error}"))
    }
}

/// Counts on, in the writer's own row.
fn write(unit: &mut UnitOfWork) -> Result<(), Failure> {
    let writer = unit.slot();
    let row = diesel::insert_into(dsl::chat_write_probes).values((dsl::writer.eq(writer), dsl::writes.eq(1)));
    let counted = row.on_conflict(dsl::writer).do_update().set(dsl::writes.eq(dsl::writes + 1));
    counted.execute(unit.connection()?)?;
    Ok(())
}

/// Which database this is: 32 hexadecimal digits.
pub(crate) fn identity(connection: &mut PgConnection) -> QueryResult<String> {
    chat_identity::table.select(chat_identity::id).first(connection)
}
