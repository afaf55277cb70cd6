//! What an operator decides about the store.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// Where the database lies and how much is done at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The database file.
    pub path: PathBuf,
    /// How many connections read at the same time.
    pub readers: u32,
    /// How many reads are with the reading connections at most, running or in line; more wait for a place.
    pub read_queue: usize,
    /// How many writes wait at most; more are refused as `Unavailable`.
    pub queue: usize,
    /// How many writes are committed together at most.
    pub max_batch: usize,
    /// How long to wait for another process that writes to the same file.
    pub busy_timeout: Duration,
    /// How long a read may take, waiting included, before it is refused as `Unavailable`.
    pub read_timeout: Duration,
    /// How long a caller waits for a write before it is told `Unavailable`; the write may still take place.
    pub write_timeout: Duration,
}

impl SqliteConfig {
    /// The defaults for a database file: a reader per core and at least two, 256 reads in line, 4,096
    /// waiting writes, 512 in a commit, and
    /// five seconds of patience.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let cores = thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
        Self {
            path: path.into(),
            readers: cores.max(2),
            read_queue: 256,
            queue: 4096,
            max_batch: 512,
            busy_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(15),
        }
    }
}
