//! The pure parts, for this crate's own tests. Not part of the interface: they change without notice.

pub use crate::cursor::{BrokenLog, Cursor, Step, replay};
pub use crate::page::{Page, page_of};
pub use crate::queue::{Limits, Pushed, Queue, Queued};
pub use crate::repair::{Notice, Repair, Task};
pub use crate::reports::Reports;
pub use crate::typing::{Origin, TypingNotice, TypingTable};
