//! How what became of a thumbnail is written beside the objects: a line with the media type of the picture that follows, or
//! that none can be made.

use bytes::Bytes;
use chat_domain::model::{Thumbnail, ThumbnailFormat, ThumbnailOutcome};

/// The line of a thumbnail that cannot be made.
const IMPOSSIBLE: &str = "none";

const FORMATS: [ThumbnailFormat; 2] = [ThumbnailFormat::Jpeg, ThumbnailFormat::WebP];

/// What is written, in pieces.
pub(crate) fn pieces(outcome: &ThumbnailOutcome) -> [&[u8]; 3] {
    match outcome {
        ThumbnailOutcome::Made(thumbnail) => [thumbnail.format.media_type().as_bytes(), b"\n", &thumbnail.bytes],
        ThumbnailOutcome::Impossible => [IMPOSSIBLE.as_bytes(), b"\n", &[]],
    }
}

/// What was written; `None` when it is none of ours.
pub(crate) fn parse(written: &Bytes) -> Option<ThumbnailOutcome> {
    let line = written.iter().position(|byte| *byte == b'\n')?;
    let kind = written.get(..line)?;
    if kind == IMPOSSIBLE.as_bytes() {
        return Some(ThumbnailOutcome::Impossible);
    }
    let format = FORMATS.into_iter().find(|format| format.media_type().as_bytes() == kind)?;
    Some(ThumbnailOutcome::Made(Thumbnail { format, bytes: written.slice(line.checked_add(1)?..) }))
}
