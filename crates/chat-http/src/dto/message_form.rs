//! The form that a message with files is sent as. It is read field by field as a stream, so there is no type to read it
//! into, only its description.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// As many files as a message has by default.
const DESCRIBED_FILES: usize = 10;
/// All names of fields that the form may have.
const FIELD_NAMES: &str = r"^(content|attachments(\[[0-9]{0,4}\])?)$";

pub(crate) struct MultipartMessageBody;

/// The form that a single file is uploaded as.
#[derive(ToSchema)]
#[schema(as = UploadChatAttachment)]
#[expect(dead_code, reason = "describes a body that is read as a stream")]
pub(crate) struct UploadBody {
    /// The file, not empty. By default at most 25 MiB.
    #[schema(value_type = String, format = Binary, min_length = 1)]
    file: Vec<u8>,
}

impl ToSchema for MultipartMessageBody {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SendChatMessageWithFiles")
    }
}

impl PartialSchema for MultipartMessageBody {
    fn schema() -> RefOr<Schema> {
        let content = text().max_length(Some(10_000)).examples(["Here is the receipt."]).description(Some(
            "Up to 10,000 characters. It may be left out when there is a file, and must not be blank when there is none.",
        ));
        let mut form = ObjectBuilder::new()
            .description(Some(
                "A message with files: `attachments[0]`, `attachments[1]` and so on, of which any may be left out; they \
                 are ordered by their number, up to 9999. Files in fields of the names `attachments` and \
                 `attachments[]` come after them, in the order of the form. By default at most 10 files of 25 MiB each and 50 MiB together.",
            ))
            .property("content", content);
        for index in 0..DESCRIBED_FILES {
            let description = if index == 0 { "The first file, not empty." } else { "A further file, not empty." };
            form = form.property(format!("attachments[{index}]"), file(description));
        }
        // An empty form is no message.
        form.min_properties(Some(1))
            .property_names(Some(text().pattern(Some(FIELD_NAMES)).build()))
            .additional_properties(Some(AdditionalProperties::RefOr(file("A file, not empty.").build().into())))
            .into()
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

fn file(description: &str) -> ObjectBuilder {
    text()
        .min_length(Some(1))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .description(Some(description))
}
