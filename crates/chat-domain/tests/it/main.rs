//! The domain from the outside: its state machine against a simple model, its values at their borders, its policy
//! against the table of rights, and its use cases on stores in memory.
//!
//! Tests that use `chat-testkit` stand here and not in `src`: a unit test would see two copies of this crate.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unnecessary_wraps,
    clippy::unwrap_used,
    reason = "tests: a failed expectation is a failed test, and helpers give exactly what the use cases take"
)]

mod admit;
mod agents;
mod attachments;
mod availability;
mod check_attachments;
mod check_order;
mod collect_orphans;
mod create_session;
mod delivery;
mod dominant_color;
mod get_thumbnail;
mod inbox;
mod live_events;
mod messages;
mod migrate_attachments;
mod open_socket;
mod permissions_page;
mod policy_table;
mod revocations;
mod send_message_with_files;
mod session_machine;
mod subscribe_session;
mod support;
mod tickets;
mod upload_attachment;
mod values;
mod write_batch;
mod write_receipts;
