//! Microsoft's ASF (specification 01.20.05): whether the streams of the file are sound or pictures.

use std::io::{Read, Seek};

use super::window::Window;

/// `75B22630-668E-11CF-A6D9-00AA0062CE6C` as it is written; the other ids likewise.
pub(crate) const HEADER: [u8; 16] = *b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
const STREAM_PROPERTIES: [u8; 16] = *b"\x91\x07\xdc\xb7\xb7\xa9\xcf\x11\x8e\xe6\x00\xc0\x0c\x20\x53\x65";
const AUDIO: [u8; 16] = *b"\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
const VIDEO: [u8; 16] = *b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";

/// The usual type of what the streams are; `None` when the header does not say.
pub(super) fn media_type<R: Read + Seek>(window: &mut Window<R>) -> Option<&'static str> {
    let size = u64::from_le_bytes(window.peek(16)?);
    // The header's own fields are 30 bytes.
    let mut at = 30_u64;
    let (mut audio, mut video) = (false, false);
    while at < size.min(window.len()) {
        let kind: [u8; 16] = window.peek(at)?;
        let length = u64::from_le_bytes(window.peek(at.checked_add(16)?)?);
        if kind == STREAM_PROPERTIES {
            let stream: [u8; 16] = window.peek(at.checked_add(24)?)?;
            audio |= stream == AUDIO;
            video |= stream == VIDEO;
        }
        // An object has at least its id and its length.
        at = at.checked_add(length.max(24))?;
    }
    if video { Some("video/x-ms-wmv") } else { audio.then_some("audio/x-ms-wma") }
}
