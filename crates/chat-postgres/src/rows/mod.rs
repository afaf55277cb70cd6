//! One row of each table, and what it means to the domain.

#![expect(clippy::ref_option_ref, reason = "diesel's derives borrow the optional references of a row")]

mod agent;
mod attachment;
mod event;
mod message;
mod progress;
mod revocation;
mod session;
mod upload;

pub(crate) use agent::{AgentRow, NewAgent};
pub(crate) use attachment::{AttachmentRow, NewAttachment};
pub(crate) use event::EventRow;
pub(crate) use message::MessageRow;
pub(crate) use revocation::RevocationRow;
pub(crate) use session::{DetailsRow, NewSessionRow, SessionRow, status_of};
pub(crate) use upload::{NewUpload, UploadRow};
