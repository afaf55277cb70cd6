//! What the stores on SQL databases share, so that it is written and tested once: the writer that commits writes
//! together, the threads that read, batched look-ups, how often readiness writes, and how values look in columns.
//!
//! Nothing here knows a database or a driver. An adapter brings its statements as a [`SessionStore`] and as work for
//! [`Reads`].

mod corrupt;
mod defaults;
mod details;
mod event_data;
mod inbox_range;
mod last_message;
mod log_page;
mod lookups;
mod merge_events;
mod pending_write;
mod people_memory;
mod person_record;
mod presence;
mod read_threads;
mod reads;
mod records;
mod recount;
mod session_counts;
mod session_writer;
mod statistics;
mod tickets;
mod values;
mod write_probe;
mod write_queue;
mod write_store;
mod writer;

pub use corrupt::Corrupt;
pub use defaults::{READ_QUEUE, WRITE_BATCH, WRITE_QUEUE};
pub use details::opened_with_to_json;
pub use event_data::{EventRecord, decode_event, encode_event};
pub use inbox_range::{RangeConditions, range_conditions};
pub use last_message::last_message_to_text;
pub use log_page::{LogSpan, WeighedChange};
pub use lookups::{LookupLoader, Lookups};
pub use merge_events::merge_events;
pub use people_memory::PeopleMemory;
pub use person_record::PersonRecord;
pub use presence::{age_from_db, age_to_db};
pub use reads::{ConnectionLifetime, ReadFailure, ReadLimits, Reads, StartError};
pub use records::{
    AgentRecord, AttachmentRecord, MessageRecord, RevocationRecord, SessionRecord, known_message, show_newest,
};
pub use recount::{RecountBounds, RecountFigures, RecountReport, RecountScope};
pub use session_counts::{Scope, SessionCounts};
pub use session_writer::{SessionStore, SessionWriter, StoreWrite};
pub use statistics::{StatisticsRow, statistics_of};
pub use tickets::{SWEPT_PER_TICKET, TicketToken, swept_before, ticket_from_db, ticket_session_to_db, tickets_kept};
pub use values::{
    color_to_db, fingerprint_from_db, from_db, last_event_from_db, moment_from_db, seq_from_db, state_from_db,
    status_from_db, tags_from_json, tags_to_json, to_db, valid,
};
pub use write_probe::WriteProbe;
pub use write_queue::{WriteQueue, WriterLimits};
pub use write_store::{Committed, LockMode, TransactionError, WriteOutcome, WriteStore};
