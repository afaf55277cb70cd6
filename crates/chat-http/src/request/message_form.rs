//! The form of a message: its text, and files in fields that give their order.

use std::time::Duration;

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use chat_domain::ChatError;
use chat_domain::error::{FieldPath, Invalid, Result};
use chat_domain::ports::{IncomingFile, MessageField, MessageForm};
use futures_util::FutureExt;

use super::arrival::{BodyReading, PieceSender, ReceiverDropped, channel};
use super::multipart::{claimed_type, next_field, next_piece, parts, pump, unknown_field};
use super::pace::MinimumRate;

/// The most bytes of the field `content`: 10,000 characters of at most four bytes, and some to notice that it is longer.
const MAX_CONTENT_BYTES: usize = 64 * 1024;
/// How many places for files a form may leave empty.
const MAX_EMPTY_FIELDS: u32 = 100;
/// The highest index of `attachments[n]`; gaps are allowed.
const MAX_INDEX: u32 = 9_999;

/// The form of a message, and its reading.
pub(crate) fn message_form(
    request: &HttpRequest,
    payload: Payload,
    time_limit: Duration,
) -> (Box<dyn MessageForm>, BodyReading) {
    let (given, taken) = channel();
    let form = parts(request, payload);
    let reader = FormReader { given, pace: MinimumRate::start(time_limit), files: 0, empty_fields: 0 };
    (Box::new(taken), reader.read(form).boxed_local())
}

struct FormReader {
    given: PieceSender<MessageField>,
    pace: MinimumRate,
    files: u32,
    empty_fields: u32,
}

/// Why reading has stopped before the end.
enum FormStop {
    /// To be handed over.
    Broken(ChatError),
    /// The use case has ended, and says why.
    ReceiverDropped,
}

impl From<ChatError> for FormStop {
    fn from(error: ChatError) -> Self {
        Self::Broken(error)
    }
}

impl From<Invalid> for FormStop {
    fn from(invalid: Invalid) -> Self {
        Self::Broken(invalid.into())
    }
}

impl From<ReceiverDropped> for FormStop {
    fn from(ReceiverDropped: ReceiverDropped) -> Self {
        Self::ReceiverDropped
    }
}

impl FormReader {
    async fn read(mut self, form: Multipart) -> bool {
        match self.read_fields(form).await {
            Ok(()) => self.given.give(Ok(None)).await.is_ok(),
            Err(FormStop::ReceiverDropped) => false,
            Err(FormStop::Broken(error)) => {
                // Where it is not wanted any more, the use case has an error of its own.
                let _not_wanted = self.given.give(Err(error)).await;
                false
            }
        }
    }

    async fn read_fields(&mut self, mut form: Multipart) -> Result<(), FormStop> {
        while let Some((field, header)) = next_field(&mut form, &mut self.pace).await? {
            if header.name == "content" {
                let content = read_content(field, &mut self.pace).await?;
                self.given.give(Ok(Some(MessageField::Content(content)))).await?;
            } else if let Some(index) = file_index(&header.name) {
                self.read_file(field, header.file_name, index).await?;
            } else {
                return Err(unknown_field(&header.name, "content and attachments[0], [1], …").into());
            }
        }
        Ok(())
    }

    /// A form sends a field without name and bytes for which no file was chosen: that is no file.
    async fn read_file(&mut self, mut field: Field, name: Option<String>, index: Option<u32>) -> Result<(), FormStop> {
        let first = next_piece(&mut field, &mut self.pace).await;
        if matches!(first, Ok(None)) && name.as_deref() == Some("") {
            self.empty_fields += 1;
            if self.empty_fields > MAX_EMPTY_FIELDS {
                let rule = format!("must have at most {MAX_EMPTY_FIELDS} fields without a file");
                return Err(Invalid::new(FieldPath::ATTACHMENTS, rule).into());
            }
            return Ok(());
        }
        let first = first?;
        let (pieces, source) = channel();
        let file = IncomingFile {
            field: FieldPath::ATTACHMENTS.at(index.unwrap_or(self.files).into()),
            name: name.unwrap_or_default(),
            claimed_type: claimed_type(&field),
            source: Box::new(source),
        };
        // Unnumbered files come after all numbered ones, in the order of the form.
        let position = index.unwrap_or(MAX_INDEX + 1 + self.files);
        self.files += 1;
        self.given.give(Ok(Some(MessageField::File { position, file }))).await?;
        pump(first, &mut field, &pieces, &mut self.pace).await?;
        Ok(pieces.give(Ok(None)).await?)
    }
}

/// The index in the name of a field for a file: `attachments[7]` has one, `attachments` and `attachments[]` have none
/// (`Some(None)`). Other names are not attachments.
#[expect(clippy::option_option, reason = "the outer level is whether it is a file, the inner one its index")]
fn file_index(name: &str) -> Option<Option<u32>> {
    match name.strip_prefix("attachments")? {
        "" | "[]" => Some(None),
        indexed => {
            let digits = indexed.strip_prefix('[')?.strip_suffix(']')?;
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|index| plain && *index <= MAX_INDEX).map(Some)
        }
    }
}

async fn read_content(mut field: Field, pace: &mut MinimumRate) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = next_piece(&mut field, pace).await? {
        if bytes.len() + piece.len() > MAX_CONTENT_BYTES {
            return Err(Invalid::new("content", "must have at most 10000 characters").into());
        }
        bytes.extend_from_slice(&piece);
    }
    let text = String::from_utf8(bytes).map_err(|_| Invalid::new("content", "must be UTF-8 text"))?;
    Ok(plain_line_breaks(text))
}

/// Browsers write every line break of a form's text as CR LF, whatever was typed. JSON has LF for the same text.
fn plain_line_breaks(text: String) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}
