//! One row of each table, and what it means to the domain.

#![expect(clippy::ref_option_ref, reason = "diesel's derives borrow the optional references of a row")]

mod agent;
mod attachment;
mod event;
mod message;
mod progress;
mod revocation;
mod session;
mod ticket;
mod upload;

pub(crate) use agent::{AgentRow, NewAgent};
pub(crate) use attachment::{AttachmentRow, NewAttachment};
pub(crate) use event::{EventRow, NewEvent};
pub(crate) use message::{MessageRow, NewMessage};
pub(crate) use progress::SaveProgress;
pub(crate) use revocation::{NewRevocation, RevocationRow};
pub(crate) use session::{DetailsRow, NewSessionRow, SessionRow, StateUpdate};
pub(crate) use ticket::{NewTicket, TicketRow};
pub(crate) use upload::{NewUpload, UploadRow};
