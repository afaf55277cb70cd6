//! A `PgBouncer` of one's own, between a test and its database.
//!
//! A small shell starts it and reads a pipe whose other end only we hold. When we close it, or are killed, the shell reads
//! the end of the pipe, kills the pooler and removes its directory.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;

use crate::database::TestDatabase;
use crate::error::Error;
use crate::process::{Account, failed};
use crate::server::free_port;

/// `$1` is the program, `$2` its directory.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
"$1" "$2/pgbouncer.ini" >"$2/output" 2>&1 &
pooler=$!
cat
kill -KILL "$pooler"
wait "$pooler"
rm -rf -- "$2"
"#;

/// Where Debian puts it, which the search path of a user does not have.
const DEBIAN: &str = "/usr/sbin";

const ATTEMPTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// For how long a client has a connection of the pooler to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// As long as it is connected.
    Session,
    /// For each transaction.
    Transaction,
    /// For each statement.
    Statement,
}

impl PoolMode {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        }
    }
}

/// Where `pgbouncer` is.
///
/// # Errors
/// Nowhere.
pub fn find_pooler() -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&path).chain([PathBuf::from(DEBIAN)]);
    candidates
        .find_map(|directory| Some(directory.join("pgbouncer")).filter(|program| program.is_file()))
        .ok_or_else(|| Error::NoPooler { looked: format!("PATH, {DEBIAN}") })
}

/// A running `PgBouncer` on a free port of 127.0.0.1. It ends with the value.
#[derive(Debug)]
pub struct PrivatePooler {
    shell: Child,
    /// Never written to.
    pipe: Option<ChildStdin>,
    directory: TempDir,
    port: u16,
    database: String,
}

impl PrivatePooler {
    /// Starts one in front of a test's database.
    ///
    /// # Errors
    /// It is not installed or does not start.
    pub fn start(database: &TestDatabase, mode: PoolMode) -> Result<Self, Error> {
        let program = find_pooler()?;
        for _ in 0..ATTEMPTS {
            match Self::start_once(&program, database, mode) {
                // Between the choice of the port and its use somebody else may take it.
                Err(Error::Failed { output, .. }) if output.contains("Address already in use") => {}
                started => return started,
            }
        }
        Err(Error::NoPort { tried: ATTEMPTS })
    }

    fn start_once(program: &Path, database: &TestDatabase, mode: PoolMode) -> Result<Self, Error> {
        let directory =
            tempfile::Builder::new().prefix("pgbouncer-").tempdir().map_err(Error::io("make a directory"))?;
        let account = Account::for_directory(directory.path())?;
        let port = free_port()?;
        let server = database.url().split_once('@').and_then(|(_, place)| place.split('/').next()).unwrap_or_default();
        let (host, server_port) = server.split_once(':').unwrap_or((server, "5432"));
        let name = database.name();
        let settings = format!(
            "[databases]\n{name} = host={host} port={server_port} dbname={name} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {}\n",
            mode.name()
        );
        fs::write(directory.path().join("pgbouncer.ini"), settings).map_err(Error::io("write pgbouncer.ini"))?;
        let mut shell = account.command("sh");
        shell.args(["-c", SCRIPT, "watchdog"]).arg(program).arg(directory.path());
        // A group of its own: a terminal's Ctrl-C goes to ours, and `runuser` would pass it on.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(Error::io("start the watchdog"))?;
        let pipe = shell.stdin.take();
        let pooler = Self { shell, pipe, directory, port, database: name.to_owned() };
        pooler.wait_until_it_listens()?;
        Ok(pooler)
    }

    /// The way through it to the database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, self.database)
    }

    fn wait_until_it_listens(&self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(self.directory.path().join("output")).unwrap_or_default();
            // Not asked before it says so: somebody else may have the port.
            if said.contains("process up") && TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            if said.contains("Address already in use") || said.contains("FATAL") || Instant::now() > deadline {
                return Err(failed("pgbouncer", "it does not listen", said));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for PrivatePooler {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _nobody_to_tell = self.shell.wait();
    }
}
