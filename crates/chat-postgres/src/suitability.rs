//! Whether a database, and the way to it, are such that this program can work: asked before anything is written.

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::Text;

use crate::connection::PgTarget;
use crate::error::OpenError;
use crate::url::PgUrl;

/// How often two connections are compared. One round finds a pooler without other clients; more find one whose server
/// connections others take and give back meanwhile.
const ROUNDS: usize = 3;

/// What all text is stored as.
const ENCODING: &str = "UTF8";
const SERVER_ENCODING: &str = "SELECT current_setting('server_encoding') AS answer";

/// Checks the encoding of the database, and that a connection is one session of the server as long as it lives. Changes
/// nothing, not even a setting, since a pooler may give it to another client.
///
/// # Errors
/// `Encoding` or `Pooled`; `Connect` when the server cannot be reached or asked.
pub(crate) fn check(url: &PgUrl, target: &PgTarget) -> Result<(), OpenError> {
    let database = || url.shown().to_owned();
    let failed = |reason: String| OpenError::Connect { database: database(), reason };
    let connect = || target.connect_bare().map_err(|error| failed(error.to_string()));
    let mut connection = connect()?;
    let encoding = match connection.transaction(|connection| ask(connection, SERVER_ENCODING)) {
        Ok(encoding) => encoding,
        // What takes statements and no transaction is a pooler that gives sessions away after each statement.
        Err(_) if ask(&mut connect()?, SERVER_ENCODING).is_ok() => {
            return Err(OpenError::Pooled { database: database() });
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    if encoding != ENCODING {
        return Err(OpenError::Encoding { database: database(), encoding });
    }
    let mut other = connect()?;
    match is_pooled(&mut connection, &mut other) {
        Ok(false) => Ok(()),
        Ok(true) => Err(OpenError::Pooled { database: database() }),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Whether statements of one connection reach several sessions of the server, or those of two connections the same one:
/// both are what a pooler does that gives sessions away between transactions. It may give a connection the same session
/// again and again, as long as no other client wants it; so the other connection does, and keeps it in a transaction.
fn is_pooled(connection: &mut PgConnection, other: &mut PgConnection) -> QueryResult<bool> {
    let first = session(connection)?;
    for _ in 0..ROUNDS {
        if session(other)? == first {
            return Ok(true);
        }
        let held_apart =
            other.transaction(|other| Ok::<_, DieselError>(which(other)? != first && session(connection)? == first));
        if !held_apart? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Which session of the server runs a transaction of this connection. The driver takes two steps for a statement, which a
/// pooler keeps together in a transaction alone.
fn session(connection: &mut PgConnection) -> QueryResult<String> {
    connection.transaction(which)
}

/// Numbers of processes come again, and are the same on two servers; with the start of the server and of the process they
/// are not. The latter is null where the current role differs from the role that logged in and has no privileges of it,
/// as after `ALTER ROLE … SET role = …`.
const WHICH: &str = "SELECT concat_ws(' ', pg_postmaster_start_time(), pid, backend_start) AS answer \
                     FROM pg_stat_activity WHERE pid = pg_backend_pid()";

fn which(connection: &mut PgConnection) -> QueryResult<String> {
    ask(connection, WHICH)
}

#[derive(QueryableByName)]
struct SuitabilityRow {
    #[diesel(sql_type = Text)]
    answer: String,
}

fn ask(connection: &mut PgConnection, question: &str) -> QueryResult<String> {
    let answer: SuitabilityRow = diesel::sql_query(question).get_result(connection)?;
    Ok(answer.answer)
}
