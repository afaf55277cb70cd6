//! `RevocationStore`: whose access was ended.
//!
//! A change is a write like all others, so the one writer makes one after the other, and each has the next version.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AccessChange, Revocation, RevocationVersion, Timestamp, UserId};
use chat_domain::ports::RevocationStore;
use chat_sql::{from_db, to_db};
use diesel::dsl::max;
use diesel::prelude::*;

use crate::database::Database;
use crate::error::Failure;
use crate::rows::{NewRevocation, RevocationRow};
use crate::schema::chat_revocations::{self, dsl};

/// Keeps whose access was ended.
pub struct SqliteRevocationStore {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl RevocationStore for SqliteRevocationStore {
    async fn change(&self, person: UserId, change: AccessChange, at: Timestamp) -> Result<Revocation> {
        self.database.writer.run(move |connection| write(connection, &person, change, at)).await
    }

    async fn changed_since(&self, version: RevocationVersion, limit: usize) -> Result<Vec<Revocation>> {
        self.database.read(move |connection| changed_since(connection, version, limit)).await
    }

    async fn remove_ended(&self, last: RevocationVersion, limit: usize) -> Result<usize> {
        self.database.writer.run(move |connection| remove_ended(connection, last, limit)).await
    }
}

fn write(
    connection: &mut SqliteConnection,
    person: &UserId,
    change: AccessChange,
    at: Timestamp,
) -> Result<Revocation, Failure> {
    let newest: Option<i64> = chat_revocations::table.select(max(dsl::version)).first(connection)?;
    let newest = RevocationVersion::new(from_db("chat_revocations.version", newest.unwrap_or(0))?);
    let row = chat_revocations::table.find(person.as_str()).select(RevocationRow::as_select());
    let known: Option<RevocationRow> = row.first(connection).optional()?;
    let known = match known {
        Some(row) => Revocation::try_from(row)?,
        None => Revocation::none(person.clone()),
    };
    let changed = known.changed(change, at, newest.next(at));
    let row = NewRevocation::from(&changed);
    diesel::insert_into(chat_revocations::table)
        .values(&row)
        .on_conflict(dsl::person_id)
        .do_update()
        .set(&row)
        .execute(connection)?;
    Ok(changed)
}

/// The newest one stays, since the next version follows it.
fn remove_ended(connection: &mut SqliteConnection, last: RevocationVersion, limit: usize) -> Result<usize, Failure> {
    let newest: Option<i64> = chat_revocations::table.select(max(dsl::version)).first(connection)?;
    let last = to_db(last.get()).min(newest.unwrap_or(0) - 1);
    let others = diesel::alias!(chat_revocations as others);
    let ended = others
        .select(others.field(dsl::person_id))
        .filter(others.field(dsl::is_blocked).eq(false).and(others.field(dsl::version).le(last)))
        .order(others.field(dsl::version))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(diesel::delete(chat_revocations::table).filter(dsl::person_id.eq_any(ended)).execute(connection)?)
}

fn changed_since(
    connection: &mut SqliteConnection,
    version: RevocationVersion,
    limit: usize,
) -> Result<Vec<Revocation>, Failure> {
    let rows: Vec<RevocationRow> = chat_revocations::table
        .select(RevocationRow::as_select())
        .filter(dsl::version.gt(to_db(version.get())))
        .order(dsl::version)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(connection)?;
    rows.into_iter().map(Revocation::try_from).collect()
}
