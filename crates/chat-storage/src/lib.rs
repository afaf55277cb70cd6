//! Attachment bytes: the adapters of [`chat_domain::ports::AttachmentStore`].
//!
//! [`LocalAttachmentStore`] keeps them in a directory, [`S3AttachmentStore`] in a bucket of S3. What does not depend on
//! where bytes lie is apart from both: `intake` counts, limits and hashes, `sniff` names the type, `probe` reads
//! dimensions and durations from headers, `owner_text` writes who collects the files and `thumbnail_text` what became
//! of a thumbnail, `outage` keeps what a store cannot do for a while.

mod brands;
mod error;
mod excerpt;
mod fallback;
mod intake;
mod local;
mod outage;
mod owner_text;
mod probe;
mod recognised;
mod s3;
mod sniff;
mod text;
mod thumbnail_text;

pub use error::StorageError;
pub use fallback::FallbackAttachmentStore;
pub use local::LocalAttachmentStore;
pub use recognised::RECOGNISED_TYPES;
pub use s3::{S3AttachmentStore, S3BindError, S3Location, S3Settings, is_s3_variable};
