//! What is decided about rows once they are read: which messages a reader has not read, whether a key is reused, and how
//! a session's past is put together. Not here: the statements that read the rows or act on the decision.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use chat_domain::ChatError;
use chat_domain::error::{Conflict, Invalid};
use chat_domain::model::{Change, ChatMessage, Idempotency, IdempotencyKey, MessageId, Party, Seq, SessionEvent};

use crate::Corrupt;
use crate::values::valid;

/// What must be known of a message to mark it as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownMessage {
    /// Its position, as its column holds it.
    pub seq: i64,
    /// The side that sent it.
    pub sender: Party,
    /// Whether the other side has read it.
    pub read: bool,
}

/// Which of the named messages `reader` has not read yet, by position. A reader's own messages are left out. `known` are
/// those of the named messages that the session has.
///
/// # Errors
/// `Validation` that tells the index of the first named message that is not known.
pub fn unread_messages(
    named: &[MessageId],
    known: &HashMap<MessageId, KnownMessage, impl BuildHasher>,
    reader: Party,
) -> Result<BTreeMap<i64, MessageId>, ChatError> {
    let mut unread = BTreeMap::new();
    for (index, id) in named.iter().enumerate() {
        let Some(message) = known.get(id) else {
            let field = format!("messageIds[{index}]");
            return Err(Invalid::new(field, "must be the id of a message of this session").into());
        };
        if message.sender == reader.other() && !message.read {
            unread.insert(message.seq, *id);
        }
    }
    Ok(unread)
}

/// Checks that a key comes back with the request it came with first. `stored` is the fingerprint of that request.
///
/// # Errors
/// `IdempotencyKeyReused` when the requests differ.
pub fn same_request(stored: Option<&[u8]>, idempotency: &Idempotency) -> Result<(), Conflict> {
    if stored == Some(idempotency.fingerprint.as_bytes().as_slice()) {
        return Ok(());
    }
    Err(Conflict::IdempotencyKeyReused(idempotency.key.clone()))
}

/// The changes of a session after a position, in order, from its messages, each with its author's key, and its other
/// events.
///
/// # Errors
/// The first is not at the position after `after`, one is missing between two others, or a key is none.
pub fn merge_events(
    after: Seq,
    messages: impl IntoIterator<Item = (ChatMessage, Option<String>)>,
    others: Vec<SessionEvent>,
) -> Result<Vec<SessionEvent>, Corrupt> {
    let mut events = others;
    for (message, key) in messages {
        events.push(message_event(message, key.as_deref())?);
    }
    events.sort_unstable_by_key(|event| event.seq);
    let positions = std::iter::successors(Some(after.next()), |seq| Some(seq.next()));
    if events.iter().zip(positions).any(|(event, position)| event.seq != position) {
        return Err(Corrupt {
            column: "chat_session_events.seq",
            problem: "leaves a gap in the sequence of a session",
        });
    }
    Ok(events)
}

/// The event of a message is its row, as it was when it was sent.
fn message_event(message: ChatMessage, key: Option<&str>) -> Result<SessionEvent, Corrupt> {
    let key = key.map(|key| valid("chat_messages.idempotency_key", IdempotencyKey::parse(key)));
    Ok(SessionEvent {
        session_id: message.session_id,
        seq: message.seq,
        at: message.sent_at,
        actor: message.author.clone(),
        key: key.transpose()?,
        change: Change::Message(message.as_sent()),
    })
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{Receipt, ReceiptStatus, SessionId, Timestamp, UserId};
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> MessageId {
        MessageId::new(Uuid::from_u128(number))
    }

    fn receipt(seq: u64) -> SessionEvent {
        let reader = UserId::parse("alice").unwrap();
        let up_to = Seq::new(1);
        let receipt = Receipt { reader: reader.clone(), status: ReceiptStatus::Read, up_to, messages: Vec::new() };
        SessionEvent {
            session_id: SessionId::new(Uuid::nil()),
            seq: Seq::new(seq),
            at: Timestamp::from_unix_ms(0),
            actor: reader,
            key: None,
            change: Change::Receipt(receipt),
        }
    }

    #[test]
    fn only_unread_messages_of_the_other_side_are_marked_and_in_order() {
        let message = |seq, sender, read| KnownMessage { seq, sender, read };
        let known = HashMap::from([
            (id(1), message(9, Party::Support, false)),
            (id(2), message(4, Party::Support, false)),
            (id(3), message(5, Party::Support, true)),
            (id(4), message(6, Party::User, false)),
        ]);
        let unread = unread_messages(&[id(1), id(2), id(3), id(4), id(1)], &known, Party::User).unwrap();
        assert_eq!(unread.into_iter().collect::<Vec<_>>(), [(4, id(2)), (9, id(1))]);
    }

    #[test]
    fn the_first_unknown_message_is_told_by_its_index() {
        let known = HashMap::from([(id(1), KnownMessage { seq: 1, sender: Party::User, read: true })]);
        let error = unread_messages(&[id(1), id(2), id(3)], &known, Party::User).unwrap_err();
        assert!(format!("{error:?}").contains("messageIds[1]"), "{error:?}");
    }

    #[test]
    fn events_come_in_order_and_without_a_gap() {
        let seqs = |after, events: &[u64]| {
            let events = events.iter().copied().map(receipt).collect();
            merge_events(Seq::new(after), Vec::new(), events)
                .map(|events| events.iter().map(|event| event.seq.get()).collect::<Vec<_>>())
                .ok()
        };
        assert_eq!(seqs(3, &[]), Some(vec![]));
        assert_eq!(seqs(3, &[5, 4]), Some(vec![4, 5]));
        assert_eq!(seqs(3, &[5, 6]), None);
        assert_eq!(seqs(3, &[4, 6]), None);
        assert_eq!(seqs(3, &[4, 4]), None);
    }
}
