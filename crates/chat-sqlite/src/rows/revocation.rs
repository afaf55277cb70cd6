//! Rows of `chat_revocations`.

use chat_domain::model::{Revocation, Timestamp};
use chat_sql::{RevocationRecord, to_db};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_revocations;

/// A revocation as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_revocations, check_for_backend(diesel::sqlite::Sqlite))]
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

/// A revocation as it is written.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = chat_revocations, primary_key(person_id))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct NewRevocation<'a> {
    person_id: &'a str,
    signed_out_at: Option<i64>,
    is_blocked: bool,
    version: i64,
}

impl<'a> From<&'a Revocation> for NewRevocation<'a> {
    fn from(revocation: &'a Revocation) -> Self {
        Self {
            person_id: revocation.person.as_str(),
            signed_out_at: revocation.signed_out_at.map(Timestamp::unix_ms),
            is_blocked: revocation.is_blocked,
            version: to_db(revocation.version.get()),
        }
    }
}
