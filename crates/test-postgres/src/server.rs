//! A server of one's own: made, stopped, started again, removed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::{env, fmt};

use tempfile::TempDir;

use crate::error::Error;
use crate::process::{Account, failed, psql, run};
use crate::programs::find_programs;
use crate::watchdog::Watchdog;

/// Ports below those from which systems take the near end of outgoing connections (32768 and above on Linux). So while
/// the server is stopped no client can be given its port, and a client that knocks there cannot be connected to itself.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
const ATTEMPTS: usize = 20;

/// How long, in seconds, a start (with recovery) or a stop may take.
const PATIENCE: &str = "--timeout=60";

/// The path of a Unix socket may have 107 bytes; this leaves room for the directory's and the socket's own names.
const LONGEST_TEMP_DIR: usize = 70;

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Connections are cut, open transactions roll back, everything is written out.
    Fast,
    /// Every process ends at once, as in a crash; the next start recovers from the log.
    Immediate,
}

/// A private server.
///
/// Its data is in a temporary directory, it listens on a free port of 127.0.0.1 and on a socket in that directory, and
/// whoever reaches it is trusted. It is stopped and removed when the value is dropped, and within moments when the
/// process dies in any other way.
///
/// It is as durable as one in production unless the settings say otherwise: `fsync` and `synchronous_commit` are on.
pub struct PrivatePostgres {
    // The order matters: the server is gone before what is left of its directory is removed.
    _watchdog: Watchdog,
    directory: TempDir,
    data: PathBuf,
    programs: PathBuf,
    account: Account,
    port: u16,
}

impl PrivatePostgres {
    /// Makes a server and waits until it accepts connections; takes about a second.
    ///
    /// `settings` are added to `postgresql.conf`, such as `("fsync", "off")`.
    ///
    /// # Errors
    /// The programs are missing or fail; for root, there is no user `postgres`.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, Error> {
        Self::start_on(settings, free_port)
    }

    /// As `start`, on the first port that is free when the server listens.
    fn start_on(settings: &[(&str, &str)], choose_port: impl FnMut() -> Result<u16, Error>) -> Result<Self, Error> {
        let server = Self::without_data()?;
        server.make(settings)?;
        server.listen(choose_port)
    }

    /// Makes a server that follows this one: a streaming standby on a copy of its data, which takes reads alone. It may
    /// lag behind; `SELECT pg_wal_replay_pause()` on it makes sure that it does.
    ///
    /// # Errors
    /// The programs are missing or fail.
    pub fn standby(&self) -> Result<Self, Error> {
        let standby = Self::without_data()?;
        let mut copy = standby.account.command(standby.programs.join("pg_basebackup"));
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--pgdata"]);
        copy.arg(&standby.data).args(["--dbname", &self.admin_url()]);
        run(copy)?;
        // The settings were copied too; the last of several lines counts.
        let sockets = standby.socket_dir().to_string_lossy().into_owned();
        standby.set(&[("unix_socket_directories", &sockets)])?;
        standby.listen(free_port)
    }

    /// Makes a standby a server of its own that takes writes, and waits until it does.
    ///
    /// # Errors
    /// It is no standby.
    pub fn promote(&self) -> Result<(), Error> {
        let mut promote = self.pg_ctl("promote");
        promote.args(["--wait", PATIENCE]);
        run(promote).map(drop)
    }

    /// A server that has no data yet and does not run.
    fn without_data() -> Result<Self, Error> {
        let programs = find_programs()?;
        let directory = temporary_directory()?;
        let account = Account::for_directory(directory.path())?;
        let data = directory.path().join("data");
        let watchdog = Watchdog::over(account, &programs, &data, directory.path())?;
        Ok(Self { _watchdog: watchdog, directory, data, programs, account, port: 0 })
    }

    /// Starts it on the first port that is free when it listens.
    fn listen(mut self, mut choose_port: impl FnMut() -> Result<u16, Error>) -> Result<Self, Error> {
        for _ in 0..ATTEMPTS {
            self.port = choose_port()?;
            // Between the choice of the port and its use somebody else may take it.
            match self.start_again() {
                Err(Error::Failed { output, .. }) if output.contains("Address already in use") => {
                    fs::remove_file(self.log()).map_err(Error::io("remove the log of a failed start"))?;
                }
                Err(other) => return Err(other),
                Ok(()) => return Ok(self),
            }
        }
        Err(Error::NoPort { tried: ATTEMPTS })
    }

    /// Where an administrator connects: `postgres://postgres@127.0.0.1:PORT/postgres`.
    pub fn admin_url(&self) -> String {
        self.url("postgres")
    }

    /// Where the administrator connects to this database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements as an administrator and returns the rows: a row a line, `|` between columns.
    ///
    /// Each statement is a transaction of its own unless the text says `BEGIN`; the first error ends it.
    ///
    /// # Errors
    /// A statement fails, or the server is not there.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, Error> {
        psql(&self.programs, &self.url(database), sql)
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    /// It is not running, or does not end within a minute.
    pub fn stop(&self, mode: StopMode) -> Result<(), Error> {
        let mode = match mode {
            StopMode::Fast => "--mode=fast",
            StopMode::Immediate => "--mode=immediate",
        };
        let mut stop = self.pg_ctl("stop");
        stop.args([mode, "--wait", PATIENCE]);
        run(stop).map(drop)
    }

    /// Starts a stopped server on the port that it had, and waits until it accepts connections.
    ///
    /// # Errors
    /// It is running already, or does not start within a minute; the error has the end of the server's log.
    pub fn start_again(&self) -> Result<(), Error> {
        let mut start = self.pg_ctl("start");
        start.arg(format!("--options=-p {}", self.port)).arg("--log").arg(self.log()).args(["--wait", PATIENCE]);
        run(start).map(drop).map_err(|error| self.explained(error))
    }

    /// Where the data is.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Where the Unix socket is; short enough for one.
    pub fn socket_dir(&self) -> &Path {
        self.directory.path()
    }

    /// The TCP port on 127.0.0.1, the same for as long as the value lives.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where PostgreSQL's programs are.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Makes the data directory and its settings.
    fn make(&self, settings: &[(&str, &str)]) -> Result<(), Error> {
        let mut initdb = self.account.command(self.programs.join("initdb"));
        initdb.arg("--pgdata").arg(&self.data);
        // Without `--no-sync` it would sync a thousand files, which only a crash of the machine asks for.
        initdb.args(["--username=postgres", "--auth=trust", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync"]);
        run(initdb)?;
        let sockets = self.socket_dir().to_string_lossy();
        self.set(&[
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &*sockets),
            ("max_connections", "200"),
        ])?;
        self.set(settings)
    }

    /// Adds settings. The last of several lines with the same name counts.
    fn set(&self, settings: &[(&str, &str)]) -> Result<(), Error> {
        let mut lines = String::new();
        for (name, value) in settings {
            lines.extend([name, " = '", &value.replace('\'', "''"), "'\n"]);
        }
        OpenOptions::new()
            .append(true)
            .open(self.data.join("postgresql.conf"))
            .and_then(|mut file| file.write_all(lines.as_bytes()))
            .map_err(Error::io("write postgresql.conf"))
    }

    fn pg_ctl(&self, action: &str) -> std::process::Command {
        let mut command = self.account.command(self.programs.join("pg_ctl"));
        command.args([action, "--silent", "--pgdata"]).arg(&self.data);
        command
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// `pg_ctl` says only "examine the log output".
    fn explained(&self, error: Error) -> Error {
        let Error::Failed { program, status, output } = error else { return error };
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.iter().skip(lines.len().saturating_sub(15)).copied().collect::<Vec<_>>().join("\n");
        failed(&program, &status, format!("{output}\n{end}"))
    }
}

impl fmt::Debug for PrivatePostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivatePostgres").field("port", &self.port).field("data", &self.data).finish_non_exhaustive()
    }
}

fn temporary_directory() -> Result<TempDir, Error> {
    let usual = env::temp_dir();
    let parent = if usual.as_os_str().len() > LONGEST_TEMP_DIR { Path::new("/tmp") } else { &usual };
    tempfile::Builder::new().prefix("postgres-").tempdir_in(parent).map_err(Error::io("make a temporary directory"))
}

pub(crate) fn free_port() -> Result<u16, Error> {
    for _ in 0..ATTEMPTS {
        let random = getrandom::u32().map_err(|error| Error::io("choose a port")(std::io::Error::other(error)))?;
        let offset = random % u32::from(PORTS.end - PORTS.start);
        let port = u16::try_from(offset).unwrap_or_default() + PORTS.start;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::NoPort { tried: ATTEMPTS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs Postgres: cargo xtask test"]
    fn a_port_that_somebody_takes_meanwhile_is_replaced_by_another() {
        let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = somebody.local_addr().unwrap().port();
        let mut ports = [taken, free_port().unwrap()].into_iter();
        let server = PrivatePostgres::start_on(&[], || Ok(ports.next().unwrap())).unwrap();
        assert_ne!(server.port(), taken);
        assert_eq!(server.sql("postgres", "SHOW port").unwrap(), server.port().to_string());
    }

    #[test]
    fn free_ports_are_none_that_a_client_is_given() {
        for _ in 0..100 {
            assert!(PORTS.contains(&free_port().unwrap()));
        }
    }
}
