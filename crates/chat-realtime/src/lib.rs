//! The in-process hub: the subscriptions of this node, and how each of them gets every durable event once, in order and
//! without gap.
//!
//! The hub may lose anything at any moment; the event log is the only truth. A stream keeps the sequence number of the
//! last event that it returned, and whatever does not follow it directly is read from the log. Subscribing works the
//! same way:
//!
//! 1. register with the hub, so that new events are kept;
//! 2. read the head of the log;
//! 3. read the log up to the head;
//! 4. return the kept events above it;
//! 5. go on live.
//!
//! An event committed before step 2 is below the head. One committed later is published later, and therefore kept.
//! None can fall in between.
//!
//! A stream that gets a later event notices the gap itself. A lost event that nothing follows is found by the *repair*,
//! which compares the sessions that have subscriptions here with the log: after a suspected gap, and all of them at
//! intervals. The hub knows the newest sequence number that a session's subscriptions know of; when the log is ahead of
//! it and stays so, these subscriptions are sent to the log, and no other task wakes.
//!
//! Subscriptions that catch up from the same position share one read of the log.
//!
//! | module | what lives there | I/O, time |
//! |---|---|---|
//! | `queue` | the events that wait for one subscription, and what an overflow does | none |
//! | `cursor` | order, duplicates, gaps, when to read the log | none |
//! | `typing` | who is shown as typing, and when that ends | passed the time |
//! | `shard` | the subscriptions of some sessions; delivers events to them | none |
//! | `repair` | which sessions are compared with the log, and when | passed the time |
//! | `mailbox`, `reports` | a queue with a lock and a waker: of a subscription, of the repair | a lock |
//! | `stream_waker` | which waker a push or a close wakes | none |
//! | `hub` | the shards behind their locks: the `Notifier`, the `SocketCloser` and the `PeerSink` | locks |
//! | `socket_budget` | what the subscriptions of one socket hold together | locks |
//! | `shared_reads` | one read of the log for all streams that need the same page | polls the log |
//! | `feed` | the `SessionFeed`: the cursor driven by a mailbox and the log | polls the log and a timer |
//! | `repair_driver` | the repair, driven by suspected gaps and the log | polls the log and a timer |
//! | `peers` | the ports between the hub and the other nodes | none |
//! | `inboxes` | the open inboxes: which of them a change concerns, and what they have not taken yet | reads sessions, a lock, a timer |
//! | `sockets` | how many sockets each person has open on this node | locks |
//! | `on_tokio`, `tokio_timer` | the drivers and the timer of the runtime | time |
//!
//! Everything but the last row runs on any scheduler: the test binary `shuttle` compiles it over a scheduler that tries
//! many interleavings.

mod cursor;
mod feed;
mod health;
mod hub;
mod inboxes;
mod mailbox;
mod on_tokio;
mod page;
mod peers;
mod queue;
mod repair;
mod repair_driver;
mod reports;
mod settings;
mod shard;
mod shared_reads;
#[cfg(test)]
mod shared_reads_tests;
mod socket_budget;
#[cfg(test)]
mod socket_budget_tests;
mod sockets;
mod stream_waker;
mod sync;
mod timer;
mod tokio_timer;
mod typing;

#[doc(hidden)]
pub mod internals;

pub use feed::HubFeed;
pub use health::HubHealthProbe;
pub use hub::Hub;
pub use inboxes::{HubInboxFeed, INBOX_PACE, Inboxes, MAX_INBOXES_OF_A_PERSON, run_inboxes_with};
pub use on_tokio::{run_inboxes, run_repair, run_typing_expiry};
pub use peers::{PeerEvent, PeerNotifier, PeerSink, PeerTyping, SuspectedGap, session_shard};
pub use repair_driver::run_repair_with;
pub use settings::{HubSettings, InboxRules, RepairRules, TypingRules};
pub use sockets::LocalSockets;
pub use timer::{Sleep, Timer};
