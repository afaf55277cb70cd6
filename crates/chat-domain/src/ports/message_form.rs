//! The fields of a message that is sent with its files in one request.

use async_trait::async_trait;

use super::ByteSource;
use crate::error::{FieldPath, Result};
use crate::model::MediaType;

/// A file that arrives.
pub struct IncomingFile {
    /// What the request calls it, for errors about it.
    pub field: FieldPath,
    /// What the sender calls it; anything.
    pub name: String,
    /// What the sender says it is.
    pub claimed_type: Option<MediaType>,
    /// Its bytes.
    pub source: Box<dyn ByteSource>,
}

/// A field of the form.
pub enum MessageField {
    /// The text of the message.
    Content(String),
    /// A file. Files are ordered by their position, whatever the order in which they arrive.
    File {
        /// The position.
        position: u32,
        /// The file, which is read to its end before the next field.
        file: IncomingFile,
    },
}

/// A form that arrives field by field.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MessageForm: Send {
    /// The next field; `None` at the end.
    ///
    /// # Errors
    /// Why the form is not one of a message, or why it broke off.
    async fn next_field(&mut self) -> Result<Option<MessageField>>;
}
