//! What an operator decides about the store.

use std::fmt;
use std::thread;
use std::time::Duration;

use chat_domain::ports::MAX_PEOPLE_AGE;

use crate::url::PgUrl;

/// Where the database is and how much is done at once.
#[derive(Clone, PartialEq, Eq)]
pub struct PgConfig {
    /// The database, as `postgres://user:password@host:5432/database?sslmode=…`, in the form that libpq reads
    /// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>). A secret, since it may
    /// hold a password.
    pub url: String,
    /// How many connections read at the same time. One more looks sessions up, many at a time.
    pub readers: u32,
    /// How many reads are with the reading connections at most, running or in line; more wait for a place.
    pub read_queue: usize,
    /// How many connections write; each has the sessions whose ids fall to it.
    pub writers: usize,
    /// How many writes wait for a writer at most; more are refused as `Unavailable`.
    pub queue: usize,
    /// How many writes are committed together at most.
    pub max_batch: usize,
    /// How many sessions a writer remembers as it left them.
    pub session_cache: usize,
    /// How long the node may show a person as it remembers them.
    pub people_max_age: Duration,
    /// How long to wait for a connection to be made. Whole seconds, at least two: libpq counts so.
    pub connect_timeout: Duration,
    /// How long a statement waits for a lock before the server ends it.
    pub lock_timeout: Duration,
    /// How long a statement may take before the server ends it, waiting included.
    pub statement_timeout: Duration,
    /// How long a read may take, waiting included, before it is refused as `Unavailable`.
    pub read_timeout: Duration,
    /// How long a connection that reads is used at most. At least half of it.
    pub reader_lifetime: Duration,
    /// How long a connection that reads is used without a look whether its server still takes writes.
    pub reader_check: Duration,
    /// How long a write may take, waiting included, before it is answered as `Unavailable`. It may still happen then.
    pub write_timeout: Duration,
}

impl PgConfig {
    /// Connections that read, for each core. Few, since more than two to four per core make everything
    /// slower, on the database's side too.
    pub const READERS_PER_CORE: usize = 2;
    /// Connections that read at most.
    pub const MAX_READERS: usize = 16;
    /// There is a writer for every so many cores, and at least one.
    pub const CORES_PER_WRITER: usize = 4;
    /// The default of [`Self::read_queue`].
    pub const READ_QUEUE: usize = chat_sql::READ_QUEUE;
    /// The default of [`Self::queue`].
    pub const WRITE_QUEUE: usize = chat_sql::WRITE_QUEUE;
    /// The default of [`Self::max_batch`].
    pub const WRITE_BATCH: usize = chat_sql::WRITE_BATCH;
    /// The default of [`Self::session_cache`].
    pub const SESSION_CACHE: usize = 16_384;

    /// The default of [`Self::readers`] on so many cores.
    pub fn default_readers(cores: usize) -> u32 {
        let readers = cores.saturating_mul(Self::READERS_PER_CORE).min(Self::MAX_READERS);
        u32::try_from(readers).unwrap_or(u32::MAX)
    }

    /// The default of [`Self::writers`] on so many cores.
    pub fn default_writers(cores: usize) -> usize {
        (cores / Self::CORES_PER_WRITER).max(1)
    }

    /// The defaults for a database on this machine. A read or a write waits just under the time that a statement may
    /// take, so that a request with a look at the agent before it ends within five seconds.
    pub fn new(url: impl Into<String>) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            url: url.into(),
            readers: Self::default_readers(cores),
            read_queue: Self::READ_QUEUE,
            writers: Self::default_writers(cores),
            queue: Self::WRITE_QUEUE,
            max_batch: Self::WRITE_BATCH,
            session_cache: Self::SESSION_CACHE,
            people_max_age: MAX_PEOPLE_AGE,
            connect_timeout: Duration::from_secs(3),
            lock_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(4),
            read_timeout: Duration::from_millis(3900),
            reader_lifetime: Duration::from_mins(30),
            reader_check: Duration::from_secs(10),
            write_timeout: Duration::from_millis(3900),
        }
    }
}

impl fmt::Debug for PgConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgConfig")
            .field("url", &PgUrl::display(&self.url))
            .field("readers", &self.readers)
            .field("read_queue", &self.read_queue)
            .field("writers", &self.writers)
            .field("queue", &self.queue)
            .field("max_batch", &self.max_batch)
            .field("session_cache", &self.session_cache)
            .field("people_max_age", &self.people_max_age)
            .field("connect_timeout", &self.connect_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("reader_lifetime", &self.reader_lifetime)
            .field("reader_check", &self.reader_check)
            .field("write_timeout", &self.write_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_shows_no_password() {
        for url in ["postgres://ann:hunter2@db/chat?password=hunter2", "postgres://ann:hunter2%@db", "hunter2"] {
            let shown = format!("{:?}", PgConfig::new(url));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
