//! What the stores on SQL databases share, so that it is written and tested once: the queue that commits writes
//! together, the bookkeeping of such a batch, the threads that read, batched look-ups, how often readiness writes, and how
//! values look in columns.
//!
//! Nothing here knows a database or a driver. An adapter brings its statements as a [`Transaction`] and as work for
//! [`Reads`].

mod batch;
mod corrupt;
mod decisions;
mod event_data;
mod group_commit;
mod log_page;
mod lookups;
mod page_start;
mod read_threads;
mod reads;
mod session_counts;
mod tickets;
mod up_to;
mod values;
mod write_probe;

pub use batch::{Batch, Held, Saved, Unsaved};
pub use corrupt::Corrupt;
pub use decisions::{KnownMessage, merge_events, same_request, unread_messages};
pub use event_data::{EventRecord, decode_event, encode_event};
pub use group_commit::{Committed, Footing, Limits, Transaction, Trouble, WriteQueue};
pub use log_page::{LogSpan, WeighedChange};
pub use lookups::{Load, Lookups};
pub use page_start::{Buckets, PageStart, WALK_AT_MOST};
pub use reads::{ConnectionLifetime, ReadFailure, ReadLimits, Reads, StartError};
pub use session_counts::{Bucket, ByStatus, LEVELS, Scope, SessionCounts};
pub use tickets::{SWEPT_PER_TICKET, name_to_db, swept_before, ticket_from_db, tickets_kept};
pub use up_to::{UpTo, UpToOutcome};
pub use values::{
    from_db, last_event_from_db, moment_from_db, seq_from_db, state_from_db, tags_from_json, tags_to_json, to_db, valid,
};
pub use write_probe::WriteProbe;
