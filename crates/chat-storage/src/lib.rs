//! Attachment bytes: the adapters of [`chat_domain::ports::AttachmentStore`].
//!
//! [`LocalAttachmentStore`] keeps them in a directory. What does not depend on where bytes lie is apart from it, so that
//! another kind of store decides nothing anew: `intake` counts, limits and hashes, `sniff` names the type, `probe` reads
//! dimensions and durations from headers.

mod brands;
mod error;
mod intake;
mod local;
mod probe;
mod recognised;
mod sniff;
mod text;

pub use error::StorageError;
pub use local::LocalAttachmentStore;
pub use recognised::RECOGNISED_TYPES;
