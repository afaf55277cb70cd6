//! Runs programs, as the operating system's account that may run them.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::error::Error;

/// The account that a server's processes run as and that its files belong to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    /// The account that runs the test.
    Own,
    /// `postgres`, because the test runs as root, and PostgreSQL's programs refuse to.
    Postgres,
}

impl Account {
    /// The account for a PostgreSQL server in this new directory, which is given to the account.
    pub(crate) fn for_postgres(directory: &Path) -> Result<Self, Error> {
        let owner = fs::metadata(directory).map_err(Error::io("look at the temporary directory"))?.uid();
        if owner != 0 {
            return Ok(Self::Own);
        }
        let mut id = Command::new("id");
        id.args(["-u", "postgres"]);
        let id = run(id)?;
        let uid = id.parse().map_err(|_| Error::failed("id", "user postgres", format!("{id:?} is no number")))?;
        std::os::unix::fs::chown(directory, Some(uid), None).map_err(Error::io("give the directory to postgres"))?;
        Ok(Self::Postgres)
    }

    /// A call of a program by this account.
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Self::Own => Command::new(program),
            Self::Postgres => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
        };
        // The current directory may be closed to the account. The texts that are looked for in output are English.
        command.current_dir("/").env("LC_ALL", "C");
        remove_postgres_variables(&mut command);
        command
    }
}

/// Runs the program to its end and returns what it wrote, without the last line's end.
pub(crate) fn run(mut command: Command) -> Result<String, Error> {
    let program = name(&command);
    let done = command.output().map_err(Error::io(format!("start {program}")))?;
    let output = String::from_utf8_lossy(&done.stdout);
    if done.status.success() {
        return Ok(output.trim_end_matches('\n').to_owned());
    }
    let output = [output.trim(), String::from_utf8_lossy(&done.stderr).trim()].join("\n");
    Err(Error::failed(&program, &done.status.to_string(), output.trim()))
}

/// The variables of the developer's shell (`PGHOST`, `PGOPTIONS`, …) are about another server.
pub(crate) fn remove_postgres_variables(command: &mut Command) {
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
