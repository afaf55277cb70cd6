//! Attachments on the wire.

use chat_domain::model::{Attachment, AttachmentId, Color, MediaMetadata};
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::{display, display_or_null};
use crate::base_url::BaseUrl;

/// A file of a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatAttachment)]
pub(crate) struct AttachmentDto<'a> {
    /// Opaque.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "019370d2-0b5a-7d13-9f0c-4b6c1f2e3d55")]
    id: AttachmentId,
    /// Where to download it, with the same token as everything else.
    #[schema(example = "http://127.0.0.1:8080/api/chat/attachments/019370d2-0b5a-7d13-9f0c-4b6c1f2e3d55")]
    url: String,
    /// Where a small picture of it is, with the same token; `?size=160` for a smaller one. It is there for the pictures that
    /// a thumbnail can be made of as far as their headers say; if one is damaged, there is none (404 `NO_THUMBNAIL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "http://127.0.0.1:8080/api/chat/attachments/019370d2-0b5a-7d13-9f0c-4b6c1f2e3d55/thumbnail"
    )]
    thumbnail_url: Option<String>,
    /// The media type that the bytes themselves show.
    #[serde(rename = "type")]
    #[schema(example = "image/png")]
    media_type: &'a str,
    /// What the sender called it, without path and control characters.
    #[schema(max_length = 255, example = "receipt.png")]
    name: &'a str,
    /// Bytes.
    #[schema(example = 48_213)]
    size: u64,
    /// What a page needs to lay out a picture, sound or film before it loads; absent for other files.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    metadata: Option<AttachmentMetadataDto>,
}

/// What a file's header says of its dimensions, and the colour of a picture.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatAttachmentMetadata)]
pub(crate) struct AttachmentMetadataDto {
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 640)]
    width: Option<u32>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 480)]
    height: Option<u32>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, example = 12.5)]
    duration: Option<f64>,
    /// The colour that most of a picture comes close to, for CSS. Absent if the picture is one without thumbnails, or the
    /// service had no time for it as it was stored.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "display_or_null")]
    #[schema(value_type = String, required = false, pattern = "^#[0-9a-f]{6}$", example = "#a1b2c3")]
    dominant_color: Option<Color>,
}

impl<'a> AttachmentDto<'a> {
    /// Where to download it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn new(attachment: &'a Attachment, base: &BaseUrl) -> Self {
        let metadata = attachment.object.metadata.plausible();
        let has_metadata = metadata != MediaMetadata::default() || attachment.dominant_color.is_some();
        let thumbnail = || base.join(format_args!("/api/chat/attachments/{}/thumbnail", attachment.id));
        Self {
            id: attachment.id,
            url: base.join(format_args!("/api/chat/attachments/{}", attachment.id)),
            thumbnail_url: attachment.object.may_have_thumbnail().then(thumbnail),
            media_type: attachment.object.media_type.as_str(),
            name: attachment.name.as_str(),
            size: attachment.object.size,
            metadata: has_metadata.then_some(AttachmentMetadataDto {
                width: metadata.width,
                height: metadata.height,
                duration: metadata.duration,
                dominant_color: attachment.dominant_color,
            }),
        }
    }
}
