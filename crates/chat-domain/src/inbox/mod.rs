//! The inbox: which sessions a person has in front of them, in views, each in its order. Pure functions, so that a store
//! can read a view along its indexes and a node can ask whether a session belongs to it.
//!
//! Not here: who may see which view (`policy`).

mod active;
mod page;
mod view;

pub use active::{ActiveSession, read_active, read_ended};
pub use page::{InboxCounts, InboxFilter, InboxPage, InboxQuery, InboxSource, MAX_ACTIVE, MAX_FILTERED};
pub use view::{InboxKey, InboxOwner, InboxRange, InboxView, place, settled_activity};
