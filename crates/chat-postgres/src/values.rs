//! How the domain's small values look in a column, where Postgres has its own way; ids are `uuid`s as they are, and what
//! every SQL database holds alike is in `chat_sql`.

use std::io::Write as _;

use chat_domain::model::{Party, Priority, SessionStatus};
use chat_sql::status_from_db;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;

/// Defines a column type that holds one of a few names, read without an allocation.
macro_rules! db_name {
    ($(#[$doc:meta])* $name:ident($inner:ty), $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Text)]
        pub(crate) struct $name(pub(crate) $inner);

        impl ToSql<Text, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.0.as_str().as_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl FromSql<Text, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                let parse: fn(&str) -> Option<$inner> = $parse;
                let text = std::str::from_utf8(value.as_bytes())?;
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

impl FromSql<Text, Pg> for StoredStatus {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(status_from_db(std::str::from_utf8(value.as_bytes())?)))
    }
}
