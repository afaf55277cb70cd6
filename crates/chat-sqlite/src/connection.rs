//! How connections to the database file are made.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection};
use diesel::sql_types::Text;

use crate::error::OpenError;

/// What a connection may do with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// Read an existing file.
    Read,
    /// Write to an existing file.
    Write,
    /// Write, and make the file if it is not there.
    Create,
}

/// The file as a URI (<https://sqlite.org/uri.html>), the only form in which diesel passes on what may be done with it.
pub(crate) fn uri(path: &Path, access: OpenMode) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _infallible = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str(match access {
        OpenMode::Read => "?mode=ro",
        OpenMode::Write => "?mode=rw",
        OpenMode::Create => "?mode=rwc",
    });
    uri
}

/// A connection that waits for others.
pub(crate) fn connect(path: &Path, access: OpenMode, busy_timeout: Duration) -> ConnectionResult<SqliteConnection> {
    let mut connection = SqliteConnection::establish(&uri(path, access))?;
    let settings = format!("PRAGMA busy_timeout = {}", busy_timeout.as_millis());
    connection.batch_execute(&settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

#[derive(QueryableByName)]
struct Encoding {
    #[diesel(sql_type = Text)]
    encoding: String,
}

/// Checks that the file holds text as UTF-8: in another encoding its order is not the program's.
///
/// # Errors
/// `Encoding`, or `File` when it cannot be read.
pub(crate) fn check_encoding(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found: QueryResult<Encoding> = diesel::sql_query("PRAGMA encoding").get_result(connection);
    match found {
        Ok(Encoding { encoding }) if encoding == "UTF-8" => Ok(()),
        Ok(Encoding { encoding }) => Err(OpenError::Encoding { path: path.to_owned(), encoding }),
        Err(error) => Err(OpenError::File { path: path.to_owned(), reason: error.to_string() }),
    }
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// Switches the file to a write-ahead log, which it stays in, and returns the mode that it is in now.
pub(crate) fn use_write_ahead_log(connection: &mut SqliteConnection) -> QueryResult<String> {
    let mode: JournalMode = diesel::sql_query("PRAGMA journal_mode = WAL").get_result(connection)?;
    Ok(mode.journal_mode)
}

/// Prepares the connection that writes.
///
/// `synchronous = FULL` makes every commit durable before it is answered; in WAL mode the default, `NORMAL`, is not
/// (<https://sqlite.org/pragma.html#pragma_synchronous>). A checkpoint every 20,000 pages instead of 1,000 keeps
/// it out of most commits; 80 MB of log are read back in well under a second after a crash. Memory: 16 MiB of pages.
pub(crate) fn prepare_writer(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 20000;
         PRAGMA journal_size_limit = 134217728;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;",
    )
}

/// Lets a connection change nothing from now on.
pub(crate) fn query_only(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("PRAGMA query_only = ON")
}

/// Moves the write-ahead log into the database file and empties it.
pub(crate) fn checkpoint(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
}

/// Prepares each reading connection of the pool.
#[derive(Debug)]
pub(crate) struct PrepareReader {
    pub(crate) busy_timeout: Duration,
}

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for PrepareReader {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        let settings = format!(
            "PRAGMA busy_timeout = {}; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;",
            self.busy_timeout.as_millis()
        );
        connection.batch_execute(&settings).map_err(diesel::r2d2::Error::QueryError)
    }
}

/// Makes reading connections for the pool.
pub(crate) fn readers(path: &Path) -> ConnectionManager<SqliteConnection> {
    ConnectionManager::new(uri(path, OpenMode::Read))
}
