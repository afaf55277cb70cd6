//! Forms of messages, field by field.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::Result;
use chat_domain::error::FieldPath;
use chat_domain::model::MediaType;
use chat_domain::ports::{ByteSource, IncomingFile, MessageField, MessageForm};

use crate::source::from_bytes;

/// What comes next in a form: a field, or something that happens meanwhile.
pub type FormStep = Pin<Box<dyn Future<Output = Result<Option<MessageField>>> + Send>>;

/// A form of these steps.
pub fn form(steps: impl IntoIterator<Item = FormStep>) -> Box<dyn MessageForm> {
    Box::new(Steps(steps.into_iter().collect()))
}

/// The text of the message.
pub fn content(text: &str) -> FormStep {
    let field = MessageField::Content(text.to_owned());
    Box::pin(async { Ok(Some(field)) })
}

/// A file whose name is its position.
pub fn file(position: u32, bytes: &str) -> FormStep {
    named_file(position, &format!("{position}.txt"), None, from_bytes(bytes.to_owned()))
}

/// A file.
pub fn named_file(position: u32, name: &str, claimed_type: Option<MediaType>, source: Box<dyn ByteSource>) -> FormStep {
    let file = IncomingFile { claimed_type, ..incoming_file(name, source) };
    let field = FieldPath::ATTACHMENTS.at(position.into());
    let field = MessageField::File { position, file: IncomingFile { field, ..file } };
    Box::pin(async { Ok(Some(field)) })
}

/// Something that happens before the next field comes.
pub fn meanwhile(work: impl Future<Output = ()> + Send + 'static) -> FormStep {
    Box::pin(async {
        work.await;
        Ok(None)
    })
}

/// A file that is uploaded alone, as the field `file`.
pub fn incoming_file(name: &str, source: Box<dyn ByteSource>) -> IncomingFile {
    IncomingFile { field: FieldPath::named("file"), name: name.to_owned(), claimed_type: None, source }
}

/// A file of those bytes that is uploaded alone.
pub fn upload_of(bytes: impl Into<Bytes>) -> IncomingFile {
    incoming_file("a.txt", from_bytes(bytes))
}

struct Steps(VecDeque<FormStep>);

#[async_trait]
impl MessageForm for Steps {
    async fn next_field(&mut self) -> Result<Option<MessageField>> {
        while let Some(step) = self.0.pop_front() {
            if let Some(field) = step.await? {
                return Ok(Some(field));
            }
        }
        Ok(None)
    }
}
