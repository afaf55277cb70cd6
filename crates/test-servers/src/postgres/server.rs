//! A private server: made, stopped, started again, removed.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::postgres::programs::find_programs;
use crate::postgres::psql::psql;
use crate::process::{BELOW_EPHEMERAL, Certificates, ThrowawayDirectory, Watchdog, free_port, run, start_on_free_port};

/// How long, in seconds, a start (with recovery) or a stop may take.
const PATIENCE: &str = "--timeout=60";

/// `$1` is the directory, `$2` is `pg_ctl`, `$3` the data.
///
/// A start of the server may be under way when the test's process dies; then its `pg_ctl` finds no directory, or the
/// server notices within a minute that its lock file is gone and ends.
const STOP_SCRIPT: &str = r#"
exec >/dev/null
cat
"$2" stop --silent --pgdata="$3" --mode=immediate --wait
rm -rf -- "$1"
"#;

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
/// every client that connects is trusted. It is stopped and removed when the value is dropped, and within moments when
/// the process dies in any other way.
///
/// It is as durable as one in production unless the settings change that: `fsync` and `synchronous_commit` are on.
pub struct PrivatePostgres {
    watchdog: Watchdog,
    data: PathBuf,
    programs: PathBuf,
    certificates: Option<Certificates>,
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
        Self::start_on(settings, || free_port(BELOW_EPHEMERAL))
    }

    /// As `start`, on the first port that is free when the server listens.
    fn start_on(settings: &[(&str, &str)], choose_port: impl FnMut() -> Result<u16, Error>) -> Result<Self, Error> {
        let server = Self::without_data()?;
        server.make(settings)?;
        server.listen(choose_port)
    }

    /// As `start`, with TLS only: a connection over TCP that does not begin with TLS is refused. The certificate is for the
    /// name `localhost`, signed by an authority that is made for it alone: [`authority`](Self::authority). Addresses
    /// of its databases ask for verification.
    ///
    /// # Errors
    /// As `start`; or the certificates cannot be made.
    pub fn start_encrypted(settings: &[(&str, &str)]) -> Result<Self, Error> {
        let mut server = Self::without_data()?;
        server.make(settings)?;
        let certificates = Certificates::make()?;
        server.encrypt(&certificates).map_err(Error::io("give the server its certificate"))?;
        server.set(&[("ssl", "on"), ("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")])?;
        server.certificates = Some(certificates);
        server.listen(|| free_port(BELOW_EPHEMERAL))
    }

    /// Makes a server that follows this one: a streaming standby on a copy of its data, which takes reads alone. It may
    /// lag behind; `SELECT pg_wal_replay_pause()` on it makes sure that it does.
    ///
    /// # Errors
    /// The programs are missing or fail.
    pub fn standby(&self) -> Result<Self, Error> {
        let standby = Self::without_data()?;
        let mut copy = standby.command("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--pgdata"]);
        copy.arg(&standby.data).args(["--dbname", &self.admin_url()]);
        run(copy)?;
        // The settings were copied too; the last of several lines counts.
        let sockets = standby.socket_dir().to_string_lossy().into_owned();
        standby.set(&[("unix_socket_directories", &sockets)])?;
        standby.listen(|| free_port(BELOW_EPHEMERAL))
    }

    /// Promotes a standby to a server that takes writes, and waits until it does.
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
        let directory = ThrowawayDirectory::for_postgres("postgres-")?;
        let data = directory.path().join("data");
        let watchdog = Watchdog::start(directory, STOP_SCRIPT, [&programs.join("pg_ctl"), &data])?;
        Ok(Self { watchdog, data, programs, certificates: None, port: 0 })
    }

    /// Starts it on the first port that is free when it listens.
    fn listen(mut self, choose_port: impl FnMut() -> Result<u16, Error>) -> Result<Self, Error> {
        start_on_free_port(choose_port, |port| {
            self.port = port;
            let started = self.start_again();
            if started.is_err() {
                // The log of this start is in the error; the next one begins with an empty log.
                let _may_be_absent = fs::remove_file(self.log());
            }
            started
        })?;
        Ok(self)
    }

    /// Where an administrator connects: `postgres://postgres@127.0.0.1:PORT/postgres`, or with TLS
    /// `postgres://postgres@localhost:PORT/postgres?sslmode=verify-full&sslrootcert=PATH`.
    pub fn admin_url(&self) -> String {
        self.url("postgres")
    }

    /// Where the administrator connects to this database.
    pub fn url(&self, database: &str) -> String {
        match self.authority() {
            None => format!("postgres://postgres@127.0.0.1:{}/{database}", self.port),
            Some(authority) => format!(
                "postgres://postgres@localhost:{}/{database}?sslmode=verify-full&sslrootcert={}",
                self.port,
                authority.display(),
            ),
        }
    }

    /// The file with the certificate, as PEM, of the authority that signed the server's, if it is one with TLS.
    pub fn authority(&self) -> Option<PathBuf> {
        self.certificates.as_ref().map(Certificates::authority)
    }

    /// Runs statements as an administrator and returns the rows: a row a line, `|` between columns.
    ///
    /// Each statement is a transaction of its own unless the text contains `BEGIN`; the first error ends it.
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
        self.watchdog.directory().path()
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
        let mut initdb = self.command("initdb");
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

    /// Puts the certificate and its key beside the data, for the account of the server alone, and lets no connection over TCP
    /// in without TLS.
    fn encrypt(&self, certificates: &Certificates) -> io::Result<()> {
        let owner = fs::metadata(&self.data)?;
        for (from, name) in [(certificates.server(), "server.crt"), (certificates.key(), "server.key")] {
            let file = self.data.join(name);
            fs::copy(from, &file)?;
            fs::set_permissions(&file, Permissions::from_mode(0o600))?;
            chown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        fs::write(self.data.join("pg_hba.conf"), "local all all trust\nhostssl all all all trust\n")
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

    /// A call of one of PostgreSQL's programs, as the account that the server runs as.
    fn command(&self, program: &str) -> Command {
        self.watchdog.directory().account().command(self.programs.join(program))
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.args([action, "--silent", "--pgdata"]).arg(&self.data);
        command
    }

    fn log(&self) -> PathBuf {
        self.socket_dir().join("log")
    }

    /// Adds the end of the log, because `pg_ctl` writes only "examine the log output".
    fn explained(&self, error: Error) -> Error {
        let Error::Failed { program, status, output } = error else { return error };
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.iter().skip(lines.len().saturating_sub(15)).copied().collect::<Vec<_>>().join("\n");
        Error::failed(&program, &status, format!("{output}\n{end}"))
    }
}

impl fmt::Debug for PrivatePostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivatePostgres").field("port", &self.port).field("data", &self.data).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[ignore = "needs Postgres: cargo xtask test"]
    fn a_port_that_is_taken_before_the_server_listens_is_replaced() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().port();
        let mut ports = [taken, free_port(BELOW_EPHEMERAL).unwrap()].into_iter();
        let server = PrivatePostgres::start_on(&[], || Ok(ports.next().unwrap())).unwrap();
        assert_ne!(server.port(), taken);
        assert_eq!(server.sql("postgres", "SHOW port").unwrap(), server.port().to_string());
    }
}
