//! Faults: what dies, hangs, fills up or misbehaves while people write and follow, on one server and on several. The
//! history checker of `chat-loadgen` decides whether anything was lost, doubled or put out of order; the database itself
//! whether the figures equal a recount.
//!
//! The tests are short unless `CHAT_TEST_LONG` is `1`. Two tests run at once, and no more, since most of them measure
//! time; a test that only waits lets the next begin. They print what they measure. What they assert about it is no
//! figure of the product: each limit lies between what a machine that is busy otherwise takes and what the failure of
//! the mechanism under test takes, so that it finds the failure and not the machine. Figures come from
//! `cargo xtask bench`.

mod abused_sockets;
mod availability;
mod cluster;
mod crashed_database;
mod desk;
mod fleets;
mod follower;
mod followers;
mod full_disk;
mod held_memory;
mod hostile_pictures;
mod inbox_join_race;
mod join_race;
mod killed_server;
mod locked_database;
mod locker;
mod lost_access;
mod lost_node;
mod lost_redis;
mod many_inboxes;
mod open_inboxes;
mod process;
mod reader;
mod redis_writer;
mod slow_clients;
mod stalled_inboxes;
mod stalled_readers;
mod start_up;
mod stopped_clients;
mod three_nodes;
mod tickets;
mod traffic;
mod two_nodes;
mod verdict;

use std::env;
use std::time::Duration;

/// No request may take longer, whatever has failed: five seconds on a quiet machine. A machine that also compiles or
/// runs other tests keeps both sides waiting, once for twelve seconds; a request that waits for a frozen node waits for
/// minutes.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// One of two values: for every day, and for a run that takes its time.
fn short_or_long<T>(short: T, long: T) -> T {
    if env::var_os("CHAT_TEST_LONG").is_some_and(|long| long == "1") { long } else { short }
}

/// The middle one of some durations, and the largest.
fn median_and_max(mut durations: Vec<Duration>) -> (Duration, Duration) {
    durations.sort_unstable();
    (durations[durations.len() / 2], durations[durations.len() - 1])
}
