//! What tells a database from a copy of it.

use chat_domain::model::DatabaseInstance;
use chat_sql::valid;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::error::Failure;
use crate::schema::chat_identity;

#[derive(QueryableByName)]
struct Right {
    #[diesel(sql_type = Bool)]
    is_granted: bool,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The number of the server's data directory, made by `initdb`, and the database's number in it. A database that was made
/// by `CREATE DATABASE … TEMPLATE` or from a dump has another number. A standby has both numbers of its primary, also
/// when it has taken over, and so has a server on a copy of the data directory: those cannot be told apart here.
pub(crate) fn of_database(connection: &mut PgConnection) -> Result<DatabaseInstance, Failure> {
    // Everybody has the right unless an operator has taken it away.
    let right = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS is_granted";
    let right: Right = diesel::sql_query(right).get_result(connection)?;
    let server =
        if right.is_granted { "(SELECT system_identifier::TEXT FROM pg_control_system())" } else { "'unknown'" };
    let name = format!(
        "SELECT 'postgres:' || {server} || '/' || oid::TEXT AS name FROM pg_database WHERE datname = current_database()"
    );
    let name: Name = diesel::sql_query(name).get_result(connection)?;
    Ok(valid("pg_database.oid", DatabaseInstance::parse(&name.name))?)
}

/// Which database this is: 32 hexadecimal digits.
pub(crate) fn identity(connection: &mut PgConnection) -> QueryResult<String> {
    chat_identity::table.select(chat_identity::id).first(connection)
}
