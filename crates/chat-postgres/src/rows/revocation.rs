//! Rows of `chat_revocations`.

use chat_domain::model::Revocation;
use chat_sql::RevocationRecord;
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_revocations;

/// A revocation as it is read.
#[derive(Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = chat_revocations, check_for_backend(diesel::pg::Pg))]
pub(crate) struct RevocationRow {
    person_id: String,
    signed_out_at: Option<i64>,
    is_blocked: bool,
    version: i64,
}

impl TryFrom<RevocationRow> for Revocation {
    type Error = Failure;

    fn try_from(row: RevocationRow) -> Result<Self, Failure> {
        let RevocationRow { person_id, signed_out_at, is_blocked, version } = row;
        Ok(Self::try_from(RevocationRecord { person_id, signed_out_at, is_blocked, version })?)
    }
}
