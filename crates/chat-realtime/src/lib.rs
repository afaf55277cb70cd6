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
//! | module | what lives there | I/O, time |
//! |---|---|---|
//! | `queue` | what waits for one watcher, and what overflow does | none |
//! | `cursor` | order, duplicates, gaps, when to read the log | none |
//! | `typing` | who is shown as typing, and when that ends | told the time |
//! | `shard` | the watchers of some sessions; spreads an event to them | none |
//! | `mailbox` | a queue with a lock and a waker | a lock |
//! | `hub` | the shards behind their locks: the `Notifier` | locks |
//! | `feed` | the `SessionFeed`: the cursor driven by a mailbox and the log | awaits |

mod cursor;
mod feed;
mod health;
mod hub;
mod mailbox;
mod queue;
mod settings;
mod shard;
mod sync;
mod typing;

#[doc(hidden)]
pub mod internals;

pub use feed::HubFeed;
pub use health::HubHealthProbe;
pub use hub::{Hub, run_typing_expiry};
pub use settings::{HubSettings, TypingRules};
