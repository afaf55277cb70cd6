//! Runs PostgreSQL's programs, as the user that may run them.

use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::error::Error;

/// The user that a server's processes run as and that its files belong to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    /// Whoever runs the test.
    Ours,
    /// `postgres`, because we are root, as which no server starts.
    Postgres,
}

impl Account {
    /// The account for a server in this directory, which we have just made; it is given to the account.
    pub(crate) fn for_directory(directory: &Path) -> Result<Self, Error> {
        let owner = fs::metadata(directory).map_err(Error::io("look at the temporary directory"))?.uid();
        if owner != 0 {
            return Ok(Self::Ours);
        }
        let mut id = Command::new("id");
        id.args(["-u", "postgres"]);
        let id = run(id)?;
        let uid = id.parse().map_err(|_| failed("id", "user postgres", format!("{id:?} is no number")))?;
        std::os::unix::fs::chown(directory, Some(uid), None).map_err(Error::io("give the directory to postgres"))?;
        Ok(Self::Postgres)
    }

    /// A call of a program by this account.
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Self::Ours => Command::new(program),
            Self::Postgres => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
        };
        // Ours may be closed to the account. Texts that are looked for are English ones.
        command.current_dir("/").env("LC_ALL", "C");
        clean(&mut command);
        command
    }
}

/// Runs the program to its end and returns what it wrote, without the last line's end.
pub(crate) fn run(mut command: Command) -> Result<String, Error> {
    let program = name(&command);
    let done = command.output().map_err(Error::io(format!("start {program}")))?;
    let said = String::from_utf8_lossy(&done.stdout);
    if done.status.success() {
        return Ok(said.trim_end_matches('\n').to_owned());
    }
    let output = [said.trim(), String::from_utf8_lossy(&done.stderr).trim()].join("\n");
    Err(failed(&program, &done.status.to_string(), output.trim().to_owned()))
}

/// Has `psql` run statements and returns its rows: a row a line, `|` between columns.
///
/// Each statement is a transaction of its own unless the text says `BEGIN`; the first error ends it.
pub(crate) fn psql(programs: &Path, url: &str, sql: &str) -> Result<String, Error> {
    // From a file, because an argument is limited to 128 KiB, and a pipe would have to be served at both ends.
    let hand_over = || {
        let mut input = tempfile::tempfile()?;
        input.write_all(sql.as_bytes())?;
        input.rewind()?;
        Ok(input)
    };
    let input = hand_over().map_err(Error::io("hand the statements over"))?;
    let mut command = Command::new(programs.join("psql"));
    clean(&mut command);
    command
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", url])
        .env("PGCONNECT_TIMEOUT", "10")
        .env("PGCLIENTENCODING", "UTF8")
        .stdin(Stdio::from(input));
    run(command)
}

pub(crate) fn failed(program: &str, status: &str, output: String) -> Error {
    Error::Failed { program: program.to_owned(), status: status.to_owned(), output }
}

/// Whatever the developer's shell says about a server of theirs (`PGHOST`, `PGOPTIONS`, …) is not about this one.
fn clean(command: &mut Command) {
    for (variable, _) in env::vars_os() {
        if variable.to_str().is_some_and(|variable| variable.starts_with("PG")) {
            command.env_remove(variable);
        }
    }
}

/// The last part of the name of the program that does the work.
fn name(command: &Command) -> String {
    let direct = Path::new(command.get_program());
    let through_runuser = command.get_args().nth(3).map(Path::new);
    let program = if direct == "runuser" { through_runuser.unwrap_or(direct) } else { direct };
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
