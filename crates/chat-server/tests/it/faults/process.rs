//! What a server takes of the machine, as the kernel and the server's own metrics have it.

use std::fs;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::{Scrape, TestServer};

pub(super) const MIB: u64 = 1 << 20;
/// Connections to the database are descriptors too, and more that read are made when they are needed. With one there are
/// as many in the end as in the beginning.
pub(super) const FIXED_CONNECTIONS: &[(&str, &str)] = &[("CHAT_DATABASE_READERS", "1")];
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a server holds for its clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerResources {
    pub(super) sockets: u64,
    pub(super) subscriptions: u64,
    pub(super) descriptors: u64,
    pub(super) memory: u64,
}

impl ServerResources {
    pub(super) async fn by(server: &TestServer) -> Self {
        let scrape = Scrape::of(server).await;
        Self {
            sockets: scrape.sum("chat_sockets_open"),
            subscriptions: scrape.sum("chat_subscriptions"),
            descriptors: scrape.sum("process_open_fds"),
            memory: scrape.sum("process_resident_memory_bytes"),
        }
    }

    /// Whether no client has anything left.
    pub(super) fn is_nothing(&self) -> bool {
        (self.sockets, self.subscriptions) == (0, 0)
    }

    /// Looks until this holds, and answers when that was for the first time and what was held then; the last look when
    /// it did not hold in time.
    pub(super) async fn until(
        server: &TestServer,
        limit: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<(Duration, Self), Self> {
        let begun = Instant::now();
        loop {
            let held = Self::by(server).await;
            if holds(&held) {
                return Ok((begun.elapsed(), held));
            }
            if begun.elapsed() > limit {
                return Err(held);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Sets the most memory that the server had back to what it has now (`proc_pid_clear_refs(5)`), and answers that.
pub(super) fn forget_peak(server: &TestServer) -> u64 {
    fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();
    status(server, "VmRSS:")
}

/// The resident memory that the server has.
pub(super) fn resident(server: &TestServer) -> u64 {
    status(server, "VmRSS:")
}

/// The most resident memory that the server had since then.
pub(super) fn peak(server: &TestServer) -> u64 {
    status(server, "VmHWM:")
}

/// How much of the processors' time the server has taken so far (`proc_pid_stat(5)`), in steps of 10 ms.
pub(super) fn processor_time(server: &TestServer) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    // The second field is the name in parentheses, which may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..=12].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    // USER_HZ is 100 on every architecture that Linux has now.
    Duration::from_millis(ticks * 10)
}

fn status(server: &TestServer, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of its own");
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}
