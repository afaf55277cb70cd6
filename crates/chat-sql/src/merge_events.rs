//! Puts a session's log together from the rows of its messages and of its other events.

use chat_domain::model::{ChatMessage, EventChange, IdempotencyKey, KnownPeople, Seq, SessionEvent};

use crate::Corrupt;
use crate::values::valid;

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
        change: EventChange::Message(message.as_sent()),
        people: KnownPeople::default(),
    })
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{Receipt, ReceiptStatus, SessionId, Timestamp, UserId};
    use uuid::Uuid;

    use super::*;

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
            change: EventChange::Receipt(receipt),
            people: KnownPeople::default(),
        }
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
