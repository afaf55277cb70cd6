//! An orderly shutdown: no client waits for a response that never comes, and no acknowledged write is lost.

use std::process;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// After this long the process ends whatever still hangs; orchestrators commonly kill after 10 s or more.
const LIMIT: Duration = Duration::from_millis(9_700);
/// How long requests that are being answered may take.
pub(crate) const REQUESTS_LIMIT: Duration = Duration::from_secs(6);
/// How long dropping those that took longer may take.
pub(crate) const REQUESTS_GRACE: Duration = Duration::from_millis(500);
/// How long the store may take to write what it has accepted.
pub(crate) const STORE_LIMIT: Duration = Duration::from_secs(2);

/// How long it may take to write down when the agents left whose sockets have just been closed.
pub(crate) const PRESENCE_LIMIT: Duration = Duration::from_millis(300);

/// How long telling the other servers may take.
pub(crate) const SHUTDOWN_NOTICE_LIMIT: Duration = Duration::from_millis(400);

/// How long exporting the last spans may take.
pub(crate) const TRACES_LIMIT: Duration = Duration::from_millis(300);

/// How long the reader of the access log may take for what waits.
pub(crate) const ACCESS_LOG_LIMIT: Duration = Duration::from_millis(200);

/// The conventional exit code of a process ended by SIGINT (128 + 2).
const INTERRUPTED: i32 = 130;

/// SIGXFSZ: a file reaches the limit that `ulimit -f` or `LimitFSIZE=` sets (getrlimit(2)).
const FILE_TOO_LARGE: i32 = 25;

/// The signals that end the server.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Only caught, so that an upload which is too large fails and does not end the process.
    _file_too_large: Signal,
}

impl Signals {
    /// Starts to catch the signals; from here on they do not end the process by themselves.
    ///
    /// # Errors
    /// The signals cannot be caught.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _file_too_large: signal(SignalKind::from_raw(FILE_TOO_LARGE))?,
        })
    }

    /// Sees to it that the process ends within the limit, which begins after `delay`, and at once on another signal.
    pub(crate) fn limit_shutdown(mut self, delay: Duration) {
        // A thread and no task: it must work when the runtime does not.
        thread::spawn(move || {
            thread::sleep(delay + LIMIT);
            tracing::error!("shutdown took longer than {} s: leaving now", LIMIT.as_secs());
            process::exit(1);
        });
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "leaving at once after {name} during the shutdown");
            process::exit(INTERRUPTED);
        });
    }

    /// Waits for a signal and gives its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
