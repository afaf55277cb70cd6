//! Cursors of the list of sessions: a key of the list as text.
//!
//! A cursor is a version byte, the start of a session in milliseconds since 1970 as 8 bytes, most significant first,
//! and the 16 bytes of the session's id, in base64 for URLs. It names a place in the list and grants nothing: what a
//! page shows is decided by who asks for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::model::{SessionId, SessionKey, Timestamp};
use uuid::Uuid;

const VERSION: u8 = 1;
const BYTES: usize = 1 + 8 + 16;

/// The cursor after this key.
pub(crate) fn encode(key: SessionKey) -> String {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&key.started_at.unix_ms().to_be_bytes());
    bytes.extend_from_slice(key.id.as_uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key of a cursor; `None` when `encode` has not made it.
pub(crate) fn decode(cursor: &str) -> Option<SessionKey> {
    let mut bytes = [0; BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(cursor, &mut bytes).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (started_at, id) = rest.split_first_chunk()?;
    let started_at = i64::from_be_bytes(*started_at);
    let key =
        SessionKey { started_at: Timestamp::from_unix_ms(started_at), id: SessionId::new(Uuid::from_slice(id).ok()?) };
    let is_made_here = length == BYTES && *version == VERSION && key.started_at.unix_ms() == started_at;
    is_made_here.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(started_at: i64) -> SessionKey {
        let id = SessionId::new(Uuid::from_u128(0x0193_70d0_6e1b_7c40_8a52_1f0e_5d1f_7a11));
        SessionKey { started_at: Timestamp::from_unix_ms(started_at), id }
    }

    #[test]
    fn a_cursor_is_read_back_as_the_key_that_it_was_made_of() {
        for started_at in [i64::MIN, -1, 0, 1_767_225_600_123, i64::MAX] {
            assert_eq!(decode(&encode(key(started_at))), Some(key(started_at)));
        }
        assert_eq!(encode(key(1_767_225_600_123)), "AQAAAZt22qh7AZNw0G4bfECKUh8OXR96EQ");
    }

    #[test]
    fn a_text_that_is_no_cursor_of_this_version_is_none() {
        let cursor = encode(key(5));
        let (cut, longer, padded) = (&cursor[1..], format!("{cursor}AA"), format!("{cursor}=="));
        let mut of_version_2 = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        of_version_2[0] = 2;
        // The last character of 25 bytes has four bits that mean nothing.
        let other_spelling = format!("{}R", &cursor[..cursor.len() - 1]);
        let mut in_the_year_10000 = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        in_the_year_10000[1..9].copy_from_slice(&i64::MAX.to_be_bytes());
        let texts = [URL_SAFE_NO_PAD.encode(of_version_2), URL_SAFE_NO_PAD.encode(in_the_year_10000)];
        for text in ["", "1", "!", cut, &longer, &padded, &other_spelling, &texts[0], &texts[1]] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
