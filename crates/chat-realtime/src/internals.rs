//! The pure parts, for this crate's own tests. Not part of the interface: they change without notice.

pub use crate::cursor::{BrokenLog, Cursor, Step};
pub use crate::queue::{Queue, Queued};
pub use crate::typing::{Said, TypingTable};
