//! The core of this crate under a scheduler that tries many interleavings of its threads: connecting, replaying,
//! listening, repairing, leaving and closing at the same time.
//!
//! The modules are compiled a second time here, from the same files, with a `sync` of their own whose locks and atomics
//! are those of the crate `shuttle`. Each use of one is a point where any other thread may go on. A cargo feature would
//! do the same with less to list, but cargo unites the features of a workspace: the feature, once switched on for a
//! test, would be on in every other crate of the same build, and their hubs would only run inside such a test.
//!
//! What stays on the locks of `std` is held only where no thread can be switched: `futures_util::future::Shared` locks
//! while it wakes, and waking a task of shuttle only marks it as runnable; `OnceLock` in the hub is read, never waited
//! for.
//!
//! A violation is a panic of the schedule. A lost wake-up is one too: shuttle reports a deadlock.

#![expect(clippy::panic, clippy::unwrap_used, reason = "in a test, a panic is a failed test")]
#![expect(clippy::print_stdout, reason = "how many schedules were tried is what the long run is for")]
#![expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the modules have users and a public interface in the library"
)]

mod sync;

#[path = "../../src/cursor.rs"]
mod cursor;
#[path = "../../src/feed.rs"]
mod feed;
#[path = "../../src/hub.rs"]
mod hub;
#[path = "../../src/inboxes/mod.rs"]
mod inboxes;
#[path = "../../src/mailbox.rs"]
mod mailbox;
#[path = "../../src/page.rs"]
mod page;
#[path = "../../src/peers.rs"]
mod peers;
#[path = "../../src/queue.rs"]
mod queue;
#[path = "../../src/repair.rs"]
mod repair;
#[path = "../../src/repair_driver.rs"]
mod repair_driver;
#[path = "../../src/reports.rs"]
mod reports;
#[path = "../../src/settings.rs"]
mod settings;
#[path = "../../src/shard.rs"]
mod shard;
#[path = "../../src/shared_reads.rs"]
mod shared_reads;
#[path = "../../src/socket_budget.rs"]
mod socket_budget;
#[path = "../../src/stream_waker.rs"]
mod stream_waker;
#[path = "../../src/timer.rs"]
mod timer;
#[path = "../../src/typing.rs"]
mod typing;

mod inbox_schedules;
mod schedules;
mod world;
