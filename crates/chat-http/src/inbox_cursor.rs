//! Cursors of the views of an inbox: a place in a view as text.
//!
//! A cursor is a version byte, the view, the rank, the moment as 8 bytes, most significant first, and the 16 bytes of the
//! session's id, in base64 for URLs. As in the list of sessions, it names a place and grants nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::inbox::{InboxKey, InboxView};
use chat_domain::model::SessionId;
use uuid::Uuid;

const VERSION: u8 = 1;
const BYTES: usize = 1 + 1 + 1 + 8 + 16;
/// The highest rank that a view has.
const MAX_RANK: u8 = 2;

/// The letter of a view.
fn letter(view: InboxView) -> u8 {
    match view {
        InboxView::Mine => b'm',
        InboxView::Waiting => b'w',
        InboxView::Assigned => b'a',
        InboxView::Closed => b'c',
    }
}

/// The cursor after this place of a view.
pub(crate) fn encode(view: InboxView, key: InboxKey) -> String {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend_from_slice(&[VERSION, letter(view), key.rank]);
    bytes.extend_from_slice(&key.at.to_be_bytes());
    bytes.extend_from_slice(key.id.as_uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor of this view names; `None` when `encode` has not made it for the view.
pub(crate) fn decode(view: InboxView, cursor: &str) -> Option<InboxKey> {
    let mut bytes = [0; BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(cursor, &mut bytes).ok()?;
    let ([version, of_view, rank], rest) = bytes.split_first_chunk()?;
    let (at, id) = rest.split_first_chunk()?;
    let key = InboxKey { rank: *rank, at: i64::from_be_bytes(*at), id: SessionId::new(Uuid::from_slice(id).ok()?) };
    let is_made_here = length == BYTES && *version == VERSION && *of_view == letter(view) && *rank <= MAX_RANK;
    is_made_here.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rank: u8, at: i64) -> InboxKey {
        let id = SessionId::new(Uuid::from_u128(0x0193_70d0_6e1b_7c40_8a52_1f0e_5d1f_7a11));
        InboxKey { rank, at, id }
    }

    #[test]
    fn a_cursor_is_read_back_as_the_place_that_it_was_made_of() {
        for (view, at) in InboxView::ALL.into_iter().zip([i64::MIN, -1, 0, i64::MAX]) {
            for rank in 0..=MAX_RANK {
                let cursor = encode(view, key(rank, at));
                assert_eq!(cursor.len(), 36);
                assert_eq!(decode(view, &cursor), Some(key(rank, at)));
                for other in InboxView::ALL.into_iter().filter(|other| *other != view) {
                    assert_eq!(decode(other, &cursor), None, "{cursor} is none of {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_no_cursor_of_this_version_is_none() {
        let view = InboxView::Waiting;
        let cursor = encode(view, key(2, -5));
        let with = |place: usize, byte: u8| {
            let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
            bytes[place] = byte;
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let texts = [cursor[1..].to_owned(), format!("{cursor}AA"), format!("{cursor}="), with(0, 2), with(2, 3)];
        for text in ["", "1", "!"].into_iter().chain(texts.iter().map(String::as_str)) {
            assert_eq!(decode(view, text), None, "{text}");
        }
    }
}
