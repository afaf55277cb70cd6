//! The in-process hub: who watches which session on this node, and how each of them gets every durable change once, in
//! order and without gap.
//!
//! The hub may lose anything at any moment; the event log is the only truth. A watcher's stream remembers the position
//! it has given out, and whatever does not follow it directly is read from the log. Connecting works the same way:
//!
//! 1. register with the hub, so that new events are kept;
//! 2. read the head of the log;
//! 3. read the log up to the head;
//! 4. give out the kept events above it;
//! 5. go on live.
//!
//! A change committed before step 2 is below the head. One committed later is published later, and therefore kept.
//! None can fall in between.
//!
//! A stream that hears a later event finds out by itself that one is missing. A lost event that nothing follows is found
//! by the *repair*, which compares the sessions that are watched here with the log: after a report of a loss, and all of
//! them every now and then. The hub knows the newest position that a session's watchers were told of; when the log is
//! ahead of it and stays so, the watchers are sent to the log, and nobody else wakes.
//!
//! Those who are behind at the same place share one reading of the log.
//!
//! | module | what lives there | I/O, time |
//! |---|---|---|
//! | `queue` | what waits for one watcher, and what overflow does | none |
//! | `cursor` | order, duplicates, gaps, when to read the log | none |
//! | `typing` | who is shown as typing, and when that ends | told the time |
//! | `shard` | the watchers of some sessions; spreads an event to them | none |
//! | `repair` | which sessions are compared with the log, and when | told the time |
//! | `mailbox`, `reports` | a queue with a lock and a waker: for a watcher, for the repair | a lock |
//! | `hub` | the shards behind their locks: the `Notifier` and the `EventSink` | locks |
//! | `shared_reads` | one reading of the log for all who want the same | polls the log |
//! | `feed` | the `SessionFeed`: the cursor driven by a mailbox and the log | polls the log and a timer |
//! | `repair_driver` | the repair driven by the hub's reports and the log | polls the log and a timer |
//! | `connections` | how many sockets each person has open on this node | locks |
//! | `on_tokio`, `tokio_timer` | the drivers and the timer of the runtime | time |
//!
//! Everything but the last row runs on any scheduler: the test binary `shuttle` compiles it over one that tries many
//! interleavings.

mod connections;
mod cursor;
mod feed;
mod health;
mod hub;
mod mailbox;
mod on_tokio;
mod page;
mod queue;
mod repair;
mod repair_driver;
mod reports;
mod settings;
mod shard;
mod shared_reads;
#[cfg(test)]
mod shared_reads_tests;
mod sync;
mod timer;
mod tokio_timer;
mod typing;

#[doc(hidden)]
pub mod internals;

pub use connections::LocalConnections;
pub use feed::HubFeed;
pub use health::HubHealthProbe;
pub use hub::Hub;
pub use on_tokio::{run_repair, run_typing_expiry};
pub use repair_driver::run_repair_with;
pub use settings::{HubSettings, RepairRules, TypingRules};
pub use timer::{Sleep, Timer};
