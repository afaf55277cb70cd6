//! A private `PgBouncer` between a test and its database.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::postgres::TestDatabase;
use crate::process::{BELOW_EPHEMERAL, Programs, ServerProcess, ThrowawayDirectory, free_port, start_on_free_port};

const PROGRAMS: Programs = Programs {
    name: "PgBouncer's programs",
    files: &["pgbouncer"],
    variable: None,
    remedy: "install it, on Debian `apt-get install pgbouncer`",
};

/// Where Debian puts it, which is not in the search path of an ordinary account.
const DEBIAN: &str = "/usr/sbin";

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

/// The path of `pgbouncer`.
///
/// # Errors
/// It is not installed.
pub fn find_pooler() -> Result<PathBuf, Error> {
    PROGRAMS.find([PathBuf::from(DEBIAN)], DEBIAN).map(|directory| directory.join("pgbouncer"))
}

/// A running `PgBouncer` on a free port of 127.0.0.1. It ends with the value.
#[derive(Debug)]
pub struct PrivatePooler {
    _process: ServerProcess,
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
        start_on_free_port(|| free_port(BELOW_EPHEMERAL), |port| Self::start_on(port, &program, database, mode))
    }

    fn start_on(port: u16, program: &Path, database: &TestDatabase, mode: PoolMode) -> Result<Self, Error> {
        let directory = ThrowawayDirectory::for_postgres("pgbouncer-")?;
        let server = database.url().split_once('@').and_then(|(_, place)| place.split('/').next()).unwrap_or_default();
        let (host, server_port) = server.split_once(':').unwrap_or((server, "5432"));
        let name = database.name();
        let settings = format!(
            "[databases]\n{name} = host={host} port={server_port} dbname={name} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {}\n",
            mode.name()
        );
        let file = directory.path().join("pgbouncer.ini");
        fs::write(&file, settings).map_err(Error::io("write pgbouncer.ini"))?;
        let process = ServerProcess::start(directory, vec![program.into(), file.into()])?;
        // The port alone is not enough: another process may have taken it.
        process.wait_until(
            |output| output.contains("process up") && TcpStream::connect(("127.0.0.1", port)).is_ok(),
            &["Address already in use", "FATAL"],
        )?;
        Ok(Self { _process: process, port, database: name.to_owned() })
    }

    /// The address of the database through the pooler.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, self.database)
    }
}
