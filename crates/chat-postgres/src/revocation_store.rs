//! `RevocationStore`: whose access was ended.
//!
//! A change has nothing to do with a session's sequence, so it does not go through the writers. It is one statement,
//! which is a transaction by itself. When the connection is lost it may run twice, which changes nothing but the
//! version.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AccessChange, Revocation, RevocationVersion, Timestamp, UserId};
use chat_domain::ports::RevocationStore;
use chat_sql::to_db;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::database::Database;
use crate::error::Failure;
use crate::rows::RevocationRow;
use crate::schema::chat_revocations::{self, dsl};

/// The version comes from one row, which is locked until the commit: so a version is visible only with all smaller
/// ones. `greatest` ignores a null.
const CHANGE: &str = "\
    WITH next AS (INSERT INTO chat_revocation_version AS v (only_row, version) VALUES (true, greatest($4::BIGINT, 1)) \
    ON CONFLICT (only_row) DO UPDATE SET version = greatest(v.version + 1, $4) RETURNING version) \
    INSERT INTO chat_revocations AS r (person_id, signed_out_at, is_blocked, version) \
    SELECT $1::TEXT, $2::BIGINT, coalesce($3::BOOLEAN, false), next.version FROM next \
    ON CONFLICT (person_id) DO UPDATE SET signed_out_at = greatest(r.signed_out_at, excluded.signed_out_at), \
    is_blocked = coalesce($3, r.is_blocked), version = excluded.version \
    RETURNING person_id, signed_out_at, is_blocked, version";

/// The rows are locked before they are deleted, so that a row that is changed at the same time is left alone, and two nodes
/// that sweep do not wait for each other.
const REMOVE_ENDED: &str = "\
    DELETE FROM chat_revocations WHERE person_id = ANY (ARRAY(SELECT person_id FROM chat_revocations \
    WHERE NOT is_blocked AND version <= $1 ORDER BY version LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Keeps whose access was ended.
pub struct PgRevocationStore {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl RevocationStore for PgRevocationStore {
    async fn change(&self, person: UserId, change: AccessChange, at: Timestamp) -> Result<Revocation> {
        self.database.read(move |connection| write(connection, &person, change, at)).await
    }

    async fn changed_since(&self, version: RevocationVersion, limit: usize) -> Result<Vec<Revocation>> {
        self.database.read(move |connection| changed_since(connection, version, limit)).await
    }

    async fn remove_ended(&self, last: RevocationVersion, limit: usize) -> Result<usize> {
        self.database.read(move |connection| remove_ended(connection, last, limit)).await
    }
}

fn write(
    connection: &mut PgConnection,
    person: &UserId,
    change: AccessChange,
    at: Timestamp,
) -> Result<Revocation, Failure> {
    let (signed_out_at, is_blocked) = match change {
        AccessChange::SignOut => (Some(at.unix_ms()), None),
        AccessChange::Block => (None, Some(true)),
        AccessChange::Unblock => (None, Some(false)),
    };
    let row: RevocationRow = diesel::sql_query(CHANGE)
        .bind::<Text, _>(person.as_str())
        .bind::<Nullable<BigInt>, _>(signed_out_at)
        .bind::<Nullable<Bool>, _>(is_blocked)
        .bind::<BigInt, _>(at.unix_ms())
        .get_result(connection)?;
    row.try_into()
}

fn remove_ended(connection: &mut PgConnection, last: RevocationVersion, limit: usize) -> Result<usize, Failure> {
    Ok(diesel::sql_query(REMOVE_ENDED)
        .bind::<BigInt, _>(to_db(last.get()))
        .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
        .execute(connection)?)
}

fn changed_since(
    connection: &mut PgConnection,
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
