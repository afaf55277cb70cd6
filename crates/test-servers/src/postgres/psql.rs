//! Statements through PostgreSQL's own `psql`.

use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::process::{remove_postgres_variables, run};

/// Runs statements with `psql` and returns the rows: a row a line, `|` between columns.
///
/// Each statement is a transaction of its own unless the text contains `BEGIN`; the first error ends it.
pub(super) fn psql(programs: &Path, url: &str, sql: &str) -> Result<String, Error> {
    // From a file, because an argument is limited to 128 KiB, and a pipe would have to be served at both ends.
    let write_input = || {
        let mut input = tempfile::tempfile()?;
        input.write_all(sql.as_bytes())?;
        input.rewind()?;
        Ok(input)
    };
    let input = write_input().map_err(Error::io("write the statements to a file"))?;
    let mut command = Command::new(programs.join("psql"));
    remove_postgres_variables(&mut command);
    command
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", url])
        .env("PGCONNECT_TIMEOUT", "10")
        .env("PGCLIENTENCODING", "UTF8")
        .stdin(Stdio::from(input));
    run(command)
}
