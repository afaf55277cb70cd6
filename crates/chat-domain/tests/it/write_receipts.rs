//! Receipts up to a position: which messages they name, and how the watermarks follow.

use chat_domain::model::{AgentId, ChatSession, MAX_RECEIPT_MESSAGES, Party, Principal, Receipt, ReceiptStatus, Seq};
use chat_domain::write::{Effects, Facts, KnownMessage, MarkUpTo, MessagesNeeded, SessionWrite, WriteBatch};
use chat_testkit::fixtures::{alice, at, bob, message_id, new_session, root};

type Mark = fn(MarkUpTo) -> SessionWrite;
const MARKS: [Mark; 2] = [SessionWrite::MarkReadUpTo, SessionWrite::MarkDelivered];

/// A session that Bob holds, in which Alice sent `messages` messages, at the positions from 3 on.
fn session(messages: u64) -> ChatSession {
    let mut session = ChatSession::open(new_session(1)).assign(AgentId::from(&bob().id), at(1)).unwrap();
    for _ in 0..messages {
        session = session.record_message(Party::User, at(1)).unwrap().0;
    }
    session
}

fn mark(kind: Mark, session: &ChatSession, who: &Principal, up_to: u64) -> SessionWrite {
    kind(MarkUpTo { session_id: session.id, reader: who.clone(), up_to: Seq::new(up_to), at: at(2) })
}

/// What a store is asked for: above which position and up to which, or nothing.
fn span(session: &ChatSession, write: &SessionWrite) -> Option<(Seq, Seq)> {
    let mut facts = Facts::default();
    facts.add_session(session.clone());
    match facts.messages_needed(&[write]).as_slice() {
        [] => None,
        [MessagesNeeded::NotYet { after, up_to, .. }] => Some((*after, *up_to)),
        other => panic!("one span, not {other:?}"),
    }
}

/// The receipt, and the session after it, when the messages at `unmarked` have not come this far.
fn decide(
    session: &ChatSession,
    write: &SessionWrite,
    unmarked: impl IntoIterator<Item = u64>,
) -> (Option<Receipt>, Option<ChatSession>) {
    let mut facts = Facts::default();
    facts.add_session(session.clone());
    facts.messages_needed(&[write]);
    for seq in unmarked {
        let (id, seq) = (message_id(seq), Seq::new(seq));
        let known = KnownMessage { id, seq, sender: Party::User, is_delivered: false, is_read: false };
        facts.add_message(session.id, known);
    }
    let mut batch = WriteBatch::new(facts);
    let receipt = batch.decide(write).unwrap().receipt().unwrap();
    (receipt, session_after(batch.into_effects()))
}

fn session_after(effects: Effects) -> Option<ChatSession> {
    effects.sessions().next().map(|effect| effect.after.as_ref().clone())
}

#[test]
fn a_search_starts_at_the_watermark_and_ends_at_the_newest_change() {
    let write = |session: &ChatSession, up_to| mark(SessionWrite::MarkReadUpTo, session, &bob(), up_to);
    let before = session(5);
    assert_eq!(span(&before, &write(&before, 4)), Some((Seq::ZERO, Seq::new(4))));
    let (receipt, after) = decide(&before, &write(&before, 4), 3..=4);
    let (receipt, after) = (receipt.unwrap(), after.unwrap());
    assert_eq!((receipt.up_to, receipt.status), (Seq::new(4), ReceiptStatus::Read));
    assert_eq!((after.progress.last_seq, after.progress.unread_by_support), (Seq::new(8), 3));
    assert_eq!(span(&after, &write(&after, u64::MAX)), Some((Seq::new(4), Seq::new(8))));
    assert_eq!(span(&after, &write(&after, 4)), None, "that was read");
    let delivery = mark(SessionWrite::MarkDelivered, &after, &bob(), 5);
    assert_eq!(span(&after, &delivery), Some((Seq::new(4), Seq::new(5))), "what was read was delivered");
}

#[test]
fn nothing_is_searched_where_nothing_is_unread() {
    let empty = session(0);
    assert_eq!(span(&empty, &mark(SessionWrite::MarkReadUpTo, &empty, &bob(), 2)), None);
    let read = session(5).record_read(Party::Support, 5, at(2));
    for kind in MARKS {
        assert_eq!(span(&read, &mark(kind, &read, &bob(), 9)), None);
    }
    let unread = session(5);
    assert_eq!(span(&unread, &mark(SessionWrite::MarkReadUpTo, &unread, &alice(), 9)), None, "they are her own");
}

#[test]
fn a_delivery_to_an_onlooker_has_no_effect() {
    let unread = session(5);
    let (receipt, after) = decide(&unread, &mark(SessionWrite::MarkDelivered, &unread, &root(), 9), 3..=7);
    assert_eq!((receipt, after), (None, None));
}

#[test]
fn a_full_receipt_advances_the_watermark_to_its_newest_message() {
    let full = MAX_RECEIPT_MESSAGES as u64;
    for kind in MARKS {
        let before = session(full + 50);
        let (receipt, after) = decide(&before, &mark(kind, &before, &bob(), u64::MAX), 3..=full + 52);
        let receipt = receipt.unwrap();
        assert_eq!((receipt.up_to, receipt.messages.len()), (Seq::new(full + 2), MAX_RECEIPT_MESSAGES));
        assert_eq!(after.unwrap().delivery_watermark(Party::Support), receipt.up_to);
    }
}

#[test]
fn a_long_search_in_vain_advances_the_watermark_and_a_short_one_does_not() {
    let far = MAX_RECEIPT_MESSAGES as u64;
    for kind in MARKS {
        let before = session(2_000);
        assert_eq!(decide(&before, &mark(kind, &before, &bob(), far - 1), []), (None, None));
        let (receipt, after) = decide(&before, &mark(kind, &before, &bob(), far), []);
        let after = after.expect("a session whose watermark has advanced");
        assert_eq!((receipt, after.progress.last_seq), (None, before.progress.last_seq), "that is no change");
        assert_eq!(span(&after, &mark(kind, &after, &bob(), far + 1)), Some((Seq::new(far), Seq::new(far + 1))));
    }
}

#[test]
fn each_receipt_of_a_batch_finds_its_messages() {
    let full = MAX_RECEIPT_MESSAGES as u64;
    let before = session(2 * full);
    let write = mark(SessionWrite::MarkReadUpTo, &before, &bob(), u64::MAX);
    let mut facts = Facts::default();
    facts.add_session(before.clone());
    let needed = facts.messages_needed(&[&write, &write]);
    let [MessagesNeeded::NotYet { limit, .. }] = needed.as_slice() else { panic!("one span, not {needed:?}") };
    for seq in (3..).take(*limit) {
        let (id, seq) = (message_id(seq), Seq::new(seq));
        let known = KnownMessage { id, seq, sender: Party::User, is_delivered: false, is_read: false };
        facts.add_message(before.id, known);
    }
    let mut batch = WriteBatch::new(facts);
    for up_to in [full + 2, 2 * full + 2] {
        let receipt = batch.decide(&write).unwrap().receipt().unwrap().expect("messages are unread");
        assert_eq!(receipt.up_to, Seq::new(up_to));
    }
    assert_eq!(session_after(batch.into_effects()).unwrap().unread_by(Party::Support), 0);
}
