//! The pure parts, for this crate's own tests. Not part of the interface: they may change in any version.

pub use crate::cursor::{CursorStep, SequenceGap, StreamCursor, replay};
pub use crate::inboxes::{ActiveSessions, INBOX_PACE, InboxMailbox, PushedState};
pub use crate::page::{SharedPage, bytes_of, page_of};
pub use crate::queue::{EventQueue, PushOutcome, QueueItem, QueueLimits};
pub use crate::repair::{Repair, RepairNotice, RepairTask};
pub use crate::reports::GapReports;
pub use crate::typing::{TypingNotice, TypingOrigin, TypingTable};
