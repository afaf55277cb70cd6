//! How the domain's small values look in a column.

use chat_domain::model::{AttachmentId, MessageId, Party, Priority, SessionId, SessionStatus};
use chat_sql::status_from_db;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Binary, Text};
use diesel::sqlite::{Sqlite, SqliteValue};
use uuid::Uuid;

/// A UUID as its 16 bytes: less than half the size of its text, in every index too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
pub(crate) struct DbId(pub(crate) Uuid);

impl ToSql<Binary, Sqlite> for DbId {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<Binary, Sqlite> for DbId {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.read_blob())?))
    }
}

macro_rules! db_id {
    ($($id:ident),*) => {$(
        impl From<$id> for DbId {
            fn from(id: $id) -> Self {
                Self(id.as_uuid())
            }
        }
        impl From<DbId> for $id {
            fn from(id: DbId) -> Self {
                Self::new(id.0)
            }
        }
    )*};
}

db_id!(SessionId, MessageId, AttachmentId);

/// Defines a column type that holds one of a few names, read without an allocation.
macro_rules! db_name {
    ($(#[$doc:meta])* $name:ident($inner:ty), $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Text)]
        pub(crate) struct $name(pub(crate) $inner);

        impl ToSql<Text, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.0.as_str());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Text, Sqlite> for $name {
            fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                let parse: fn(&str) -> Option<$inner> = $parse;
                let text = value.read_text();
                parse(text).map(Self).ok_or_else(|| format!("unknown name {text:?}").into())
            }
        }
    };
}

db_name! {
    /// The side a message came from.
    DbParty(Party), |name| Some(Party::from_store(name))
}
db_name! {
    /// The urgency of a session.
    DbPriority(Priority), |name| Some(Priority::from_store(name))
}
db_name! {
    /// The stage of a session's life, as it is written.
    DbStatus(SessionStatus), status_from_db
}

/// The stage of a session's life, as it is read; `None` for a name that only a newer version knows.
#[derive(Clone, Copy, Debug, FromSqlRow)]
pub(crate) struct StoredStatus(pub(crate) Option<SessionStatus>);

impl FromSql<Text, Sqlite> for StoredStatus {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(status_from_db(value.read_text())))
    }
}
