//! What every `MessageRepository` does with receipts.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{
    Delivery, EventChange, MAX_RECEIPT_MESSAGES, MessageId, Principal, Receipt, ReceiptStatus, Role, Seq,
    SessionAction, SessionId,
};

use super::checks::{ROUNDS, abandon, assert_published_as_logged, assert_published_up_to, at_once, whole_history};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{alice, at, bob, carol, mallory, message_id, person, root, session_id, transfer};

contract_cases! { $ receipts_contract for receipts on crate::contract::StoreUnderTest:
    reading_gives_one_receipt_at_one_position,
    reading_leaves_the_readers_own_side_as_it_is,
    reading_again_changes_nothing_and_takes_no_position,
    reading_nothing_changes_nothing,
    reading_an_id_twice_in_one_request_counts_once,
    reading_lowers_the_count_of_unread_messages,
    reading_implies_delivery_and_keeps_an_earlier_one,
    an_admin_reads_for_support_and_the_owner_for_the_user,
    an_id_that_is_no_message_of_the_session_is_named_and_nothing_changes,
    reading_in_an_unknown_session_is_not_found_for_any_role,
    a_missing_right_to_read_comes_before_a_wrong_id,
    an_agent_who_lost_the_session_marks_nothing,
    a_closed_session_is_still_read_and_delivered,
    concurrent_readings_give_one_receipt,
    many_messages_are_read_at_once,
    delivery_goes_up_to_its_position,
    delivery_leaves_the_receivers_own_side_as_it_is,
    delivery_again_changes_nothing_and_takes_no_position,
    delivery_skips_what_was_read,
    delivery_to_an_onlooker_is_ignored,
    delivery_in_an_unknown_session_is_ignored,
    delivery_beyond_the_end_marks_no_later_message,
    delivery_follows_the_session_to_its_next_agent,
    a_long_absence_is_delivered_in_receipts_of_a_bounded_size,
    concurrent_deliveries_never_go_back,
    a_receipt_whose_reader_went_away_is_published_all_the_same,
}

/// Alice says 1, 2, 3 and Bob says 4, 5 in a session that Bob holds, at the positions 3 to 7.
pub(super) async fn talk(store: &StoreUnderTest) -> SessionId {
    let id = store.held_by_bob(1).await;
    for n in 1..=5 {
        let author = if n <= 3 { alice() } else { bob() };
        assert_eq!(store.say(id, &author, n).await.seq, Seq::new(n + 2));
    }
    id
}

pub(super) fn ids<const N: usize>(numbers: [u64; N]) -> Vec<MessageId> {
    numbers.map(message_id).to_vec()
}

async fn read(
    store: &StoreUnderTest,
    id: SessionId,
    who: &Principal,
    which: Vec<MessageId>,
    s: u64,
) -> Option<Receipt> {
    store.messages.mark_read(id, who.clone(), which, at(s)).await.unwrap()
}

async fn delivered(store: &StoreUnderTest, id: SessionId, who: &Principal, up_to: u64, s: u64) -> Option<Receipt> {
    store.messages.mark_delivered(id, who.clone(), Seq::new(up_to), at(s)).await.unwrap()
}

pub(super) async fn deliveries(store: &StoreUnderTest, id: SessionId) -> Vec<Delivery> {
    whole_history(store, id).await.into_iter().map(|message| message.delivery).collect()
}

pub(super) fn read_at(s: u64) -> Delivery {
    Delivery::Read { delivered_at: at(s), at: at(s) }
}

fn delivered_at(s: u64) -> Delivery {
    Delivery::Delivered { at: at(s) }
}

async fn reading_gives_one_receipt_at_one_position(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = read(store, id, &bob(), ids([2, 1]), 30).await.expect("something was read");
    let expected = Receipt { reader: bob().id, status: ReceiptStatus::Read, up_to: Seq::new(4), messages: ids([1, 2]) };
    assert_eq!(receipt, expected, "oldest first, up to the newest of them");
    let (unread, sent) = (Delivery::Sent, Delivery::Sent);
    assert_eq!(deliveries(store, id).await, [read_at(30), read_at(30), unread, sent, sent]);
    assert_ends_with(store, id, receipt, 30).await;
}

async fn reading_leaves_the_readers_own_side_as_it_is(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = read(store, id, &alice(), ids([1, 2, 3, 4]), 30).await.expect("one was read");
    assert_eq!(receipt.messages, ids([4]));
    assert_eq!(read(store, id, &alice(), ids([1, 2]), 40).await, None);
    let sent = Delivery::Sent;
    assert_eq!(deliveries(store, id).await, [sent, sent, sent, read_at(30), sent]);
    assert_eq!(store.session(id).await.progress.unread_by_support, 3);
}

async fn reading_again_changes_nothing_and_takes_no_position(store: &StoreUnderTest) {
    let id = talk(store).await;
    read(store, id, &bob(), ids([1, 2]), 30).await.expect("two were read");
    let (session, history) = (store.session(id).await, whole_history(store, id).await);
    assert_eq!(read(store, id, &bob(), ids([1, 2]), 40).await, None);
    assert_eq!(read(store, id, &root(), ids([2]), 50).await, None, "the side has read it");
    assert_eq!((store.session(id).await, whole_history(store, id).await), (session, history));
    let receipt = read(store, id, &bob(), ids([1, 2, 3]), 60).await.expect("one is new");
    assert_eq!(receipt.messages, ids([3]));
    assert_published_as_logged(store, id).await;
}

async fn reading_nothing_changes_nothing(store: &StoreUnderTest) {
    let id = talk(store).await;
    assert_eq!(read(store, id, &bob(), Vec::new(), 30).await, None);
    assert_eq!(store.session(id).await.progress.last_seq, Seq::new(7));
}

async fn reading_an_id_twice_in_one_request_counts_once(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = read(store, id, &bob(), ids([2, 2, 1, 2]), 30).await.expect("two were read");
    assert_eq!(receipt.messages, ids([1, 2]));
    assert_eq!(store.session(id).await.progress.unread_by_support, 1);
}

async fn reading_lowers_the_count_of_unread_messages(store: &StoreUnderTest) {
    let id = talk(store).await;
    let unread = async || {
        let progress = store.session(id).await.progress;
        (progress.unread_by_user, progress.unread_by_support)
    };
    assert_eq!(unread().await, (2, 3));
    read(store, id, &alice(), ids([5]), 30).await;
    assert_eq!(unread().await, (1, 3));
    read(store, id, &bob(), ids([1, 2, 3]), 30).await;
    assert_eq!(unread().await, (1, 0));
    read(store, id, &bob(), ids([1, 2, 3]), 40).await;
    assert_eq!(unread().await, (1, 0));
}

async fn reading_implies_delivery_and_keeps_an_earlier_one(store: &StoreUnderTest) {
    let id = talk(store).await;
    delivered(store, id, &bob(), 3, 20).await.expect("message 1 arrived");
    read(store, id, &bob(), ids([1, 2]), 30).await.expect("both were read");
    let earlier = Delivery::Read { delivered_at: at(20), at: at(30) };
    assert_eq!(deliveries(store, id).await.get(..2), Some([earlier, read_at(30)].as_slice()));
}

async fn an_admin_reads_for_support_and_the_owner_for_the_user(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = read(store, id, &root(), ids([1, 4]), 30).await.expect("one was read");
    assert_eq!((receipt.reader, receipt.messages), (root().id, ids([1])));
    // Someone who owns the session is on the user's side whatever their role.
    let owner = person("alice", Role::Admin);
    let receipt = read(store, id, &owner, ids([1, 4]), 40).await.expect("one was read");
    assert_eq!(receipt.messages, ids([4]));
}

async fn an_id_that_is_no_message_of_the_session_is_named_and_nothing_changes(store: &StoreUnderTest) {
    let id = talk(store).await;
    let other = store.waiting(2).await;
    store.say(other, &alice(), 9).await;
    let (session, history) = (store.session(id).await, whole_history(store, id).await);
    for (which, field) in [
        (ids([1, 77, 2, 78]), "messageIds[1]"),
        (ids([9, 1]), "messageIds[0]"),
        (ids([1, 2, 3, 4, 9]), "messageIds[4]"),
    ] {
        let error = store.messages.mark_read(id, bob(), which, at(30)).await.unwrap_err();
        let ChatError::Invalid(invalid) = error else { panic!("invalid, not {error}") };
        assert_eq!(invalid.fields.iter().map(|error| error.field.to_string()).collect::<Vec<_>>(), [field]);
    }
    assert_eq!((store.session(id).await, whole_history(store, id).await), (session, history));
    assert_published_as_logged(store, id).await;
}

async fn reading_in_an_unknown_session_is_not_found_for_any_role(store: &StoreUnderTest) {
    for who in [alice(), bob(), root()] {
        let error = store.messages.mark_read(session_id(9), who, ids([1]), at(30)).await.unwrap_err();
        assert!(matches!(error, ChatError::NotFound(Resource::Session)), "{error}");
    }
}

async fn a_missing_right_to_read_comes_before_a_wrong_id(store: &StoreUnderTest) {
    let held = talk(store).await;
    let waiting = store.waiting(2).await;
    // An agent may look at a waiting session, but not mark anything in it.
    for (id, who) in [(held, mallory()), (held, carol()), (waiting, bob())] {
        for which in [ids([1]), ids([77])] {
            let error = store.messages.mark_read(id, who.clone(), which, at(30)).await.unwrap_err();
            assert!(matches!(error, ChatError::Forbidden(_)), "{error}");
        }
    }
    assert_eq!(deliveries(store, held).await, [Delivery::Sent; 5]);
}

async fn an_agent_who_lost_the_session_marks_nothing(store: &StoreUnderTest) {
    let id = talk(store).await;
    store.on_duty(&carol()).await;
    store.change(id, &root(), transfer(&carol())).await;
    let error = store.messages.mark_read(id, bob(), ids([1]), at(30)).await.unwrap_err();
    assert!(matches!(error, ChatError::Forbidden(_)), "{error}");
    assert_eq!(delivered(store, id, &bob(), 7, 30).await, None);
    assert_eq!(deliveries(store, id).await, [Delivery::Sent; 5]);
}

async fn a_closed_session_is_still_read_and_delivered(store: &StoreUnderTest) {
    let id = talk(store).await;
    store.change(id, &bob(), SessionAction::Close).await;
    delivered(store, id, &bob(), 7, 2_000).await.expect("three arrived");
    read(store, id, &bob(), ids([1]), 2_001).await.expect("one was read");
    read(store, id, &alice(), ids([4, 5]), 2_002).await.expect("two were read");
    assert_eq!(assert_published_as_logged(store, id).await.len(), 11);
}

async fn concurrent_readings_give_one_receipt(store: &StoreUnderTest) {
    for round in 1..=ROUNDS {
        let id = store.held_by_bob(round).await;
        for n in 1..=3 {
            store.say(id, &alice(), n).await;
        }
        let read = |n| {
            let messages = Arc::clone(&store.messages);
            async move { messages.mark_read(id, bob(), ids([1, 2, 3]), at(n)).await.unwrap() }
        };
        let receipts: Vec<_> = at_once((30..46).map(read)).await.into_iter().flatten().collect();
        let [receipt] = receipts.as_slice() else { panic!("one receipt, not {receipts:?}") };
        assert_eq!(receipt.messages, ids([1, 2, 3]));
        let progress = store.session(id).await.progress;
        assert_eq!((progress.last_seq, progress.unread_by_support), (Seq::new(6), 0));
        assert_published_as_logged(store, id).await;
    }
}

/// Alice says `many` things, from ten devices at once.
pub(super) async fn talk_much(store: &StoreUnderTest, id: SessionId, many: u64) {
    let send = |sender: u64| {
        let messages = Arc::clone(&store.messages);
        async move {
            for n in 0..many / 10 {
                let draft = crate::fixtures::draft(id, &alice(), 1 + sender * (many / 10) + n);
                messages.append(draft).await.unwrap();
            }
        }
    };
    at_once((0..10).map(send)).await;
}

async fn a_long_absence_is_delivered_in_receipts_of_a_bounded_size(store: &StoreUnderTest) {
    let many = MAX_RECEIPT_MESSAGES as u64 + 100;
    let id = store.held_by_bob(1).await;
    talk_much(store, id, many).await;
    let all = Seq::new(2 + many);
    let deliver = || store.messages.mark_delivered(id, bob(), all, at(4_000));
    let first = deliver().await.unwrap().expect("the oldest arrived");
    assert_eq!(first.messages.len(), MAX_RECEIPT_MESSAGES);
    assert_eq!(first.up_to, Seq::new(2 + MAX_RECEIPT_MESSAGES as u64));
    let second = deliver().await.unwrap().expect("the rest arrived");
    assert_eq!(second.messages.len(), 100);
    assert_eq!(second.up_to, all);
    assert_eq!(deliver().await.unwrap(), None);
    let history = whole_history(store, id).await;
    assert!(history.iter().all(|message| message.delivery == Delivery::Delivered { at: at(4_000) }));
}

async fn many_messages_are_read_at_once(store: &StoreUnderTest) {
    const MANY: u64 = 1_000;
    let id = store.held_by_bob(1).await;
    talk_much(store, id, MANY).await;
    let receipt = read(store, id, &bob(), (1..=MANY).map(message_id).collect(), 30).await.expect("all were read");
    assert_eq!(receipt.messages.len() as u64, MANY);
    assert_eq!(receipt.up_to, Seq::new(2 + MANY));
    let order: Vec<_> = whole_history(store, id).await.into_iter().map(|message| message.id).collect();
    assert_eq!(receipt.messages, order, "oldest first");
    assert_eq!(store.session(id).await.progress.unread_by_support, 0);
}

async fn delivery_goes_up_to_its_position(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = delivered(store, id, &bob(), 4, 20).await.expect("two arrived");
    let expected =
        Receipt { reader: bob().id, status: ReceiptStatus::Delivered, up_to: Seq::new(4), messages: ids([1, 2]) };
    assert_eq!(receipt, expected);
    let sent = Delivery::Sent;
    assert_eq!(deliveries(store, id).await, [delivered_at(20), delivered_at(20), sent, sent, sent]);
    assert_ends_with(store, id, receipt, 20).await;

    let receipt = delivered(store, id, &bob(), 7, 25).await.expect("one more arrived");
    assert_eq!((receipt.up_to, receipt.messages), (Seq::new(5), ids([3])), "up to the newest of the other side");
    let progress = store.session(id).await.progress;
    assert_eq!((progress.unread_by_user, progress.unread_by_support), (2, 3), "arrived is not read");
}

async fn delivery_leaves_the_receivers_own_side_as_it_is(store: &StoreUnderTest) {
    let id = talk(store).await;
    assert_eq!(delivered(store, id, &alice(), 5, 20).await, None, "only her own stand up to there");
    let receipt = delivered(store, id, &alice(), 6, 20).await.expect("one arrived");
    assert_eq!(receipt.messages, ids([4]));
    let sent = Delivery::Sent;
    assert_eq!(deliveries(store, id).await, [sent, sent, sent, delivered_at(20), sent]);
}

async fn delivery_again_changes_nothing_and_takes_no_position(store: &StoreUnderTest) {
    let id = talk(store).await;
    delivered(store, id, &bob(), 4, 20).await.expect("two arrived");
    let (session, history) = (store.session(id).await, whole_history(store, id).await);
    for up_to in [4, 3, 1, 0] {
        assert_eq!(delivered(store, id, &bob(), up_to, 40).await, None);
    }
    assert_eq!((store.session(id).await, whole_history(store, id).await), (session, history));
    assert_published_as_logged(store, id).await;
}

async fn delivery_skips_what_was_read(store: &StoreUnderTest) {
    let id = talk(store).await;
    read(store, id, &bob(), ids([2, 3]), 30).await.expect("two were read");
    let receipt = delivered(store, id, &bob(), 7, 40).await.expect("one was left");
    assert_eq!((receipt.up_to, receipt.messages), (Seq::new(3), ids([1])));
    assert_eq!(deliveries(store, id).await.get(..3), Some([delivered_at(40), read_at(30), read_at(30)].as_slice()));
    read(store, id, &alice(), ids([4, 5]), 50).await.expect("two were read");
    assert_eq!(delivered(store, id, &alice(), 7, 60).await, None, "nothing is left");
}

async fn delivery_to_an_onlooker_is_ignored(store: &StoreUnderTest) {
    let held = talk(store).await;
    let waiting = store.waiting(2).await;
    store.say(waiting, &alice(), 1).await;
    for (id, who) in [(held, root()), (held, carol()), (held, mallory()), (waiting, bob()), (waiting, root())] {
        let before = store.session(id).await;
        assert_eq!(delivered(store, id, &who, 9, 20).await, None);
        assert_eq!(store.session(id).await, before);
        assert!(deliveries(store, id).await.iter().all(|delivery| *delivery == Delivery::Sent));
    }
}

async fn delivery_in_an_unknown_session_is_ignored(store: &StoreUnderTest) {
    assert_eq!(delivered(store, session_id(9), &alice(), 9, 20).await, None);
    assert!(store.notifier.events().is_empty());
}

async fn delivery_beyond_the_end_marks_no_later_message(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = delivered(store, id, &bob(), u64::MAX, 20).await.expect("three arrived");
    assert_eq!((receipt.up_to, receipt.messages), (Seq::new(5), ids([1, 2, 3])));
    let message = store.say(id, &alice(), 6).await;
    assert_eq!(message.delivery, Delivery::Sent);
    assert_eq!(deliveries(store, id).await.last(), Some(&Delivery::Sent));
    let receipt = delivered(store, id, &bob(), message.seq.get(), 40).await.expect("the later one arrives later");
    assert_eq!(receipt.messages, ids([6]));
}

async fn delivery_follows_the_session_to_its_next_agent(store: &StoreUnderTest) {
    let id = talk(store).await;
    delivered(store, id, &bob(), 4, 20).await.expect("two arrived");
    store.on_duty(&carol()).await;
    store.change(id, &bob(), transfer(&carol())).await;
    let receipt = delivered(store, id, &carol(), 7, 30).await.expect("one more arrives");
    assert_eq!((receipt.reader, receipt.messages), (carol().id, ids([3])), "what reached Bob reached support");
}

async fn concurrent_deliveries_never_go_back(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for n in 1..=16 {
        store.say(id, &alice(), n).await;
    }
    let deliver = |n: u64| {
        let messages = Arc::clone(&store.messages);
        async move { messages.mark_delivered(id, bob(), Seq::new(n + 2), at(n)).await.unwrap() }
    };
    assert_receipts_go_forward(store, id, at_once((1..=16).map(deliver)).await).await;
}

/// Of these answers, each of the messages 1 to 16 is named by one, and the receipts in the log come further one by one.
pub(super) async fn assert_receipts_go_forward(store: &StoreUnderTest, id: SessionId, answers: Vec<Option<Receipt>>) {
    let mut marked: Vec<_> = answers.into_iter().flatten().flat_map(|receipt| receipt.messages).collect();
    marked.sort();
    assert_eq!(marked, (1..=16).map(message_id).collect::<Vec<_>>(), "each message is marked once");
    let mut newest = Seq::ZERO;
    for event in assert_published_as_logged(store, id).await {
        if let EventChange::Receipt(receipt) = event.change {
            assert!(receipt.up_to > newest, "each receipt comes further than the one before");
            newest = receipt.up_to;
        }
    }
}

/// The newest change is this receipt: Bob's, at position 8.
pub(super) async fn assert_ends_with(store: &StoreUnderTest, id: SessionId, receipt: Receipt, s: u64) {
    let log = assert_published_as_logged(store, id).await;
    let event = log.last().expect("eight changes");
    assert_eq!((event.seq, event.at, &event.actor), (Seq::new(8), at(s), &bob().id));
    assert_eq!(event.change, EventChange::Receipt(receipt));
}

async fn a_receipt_whose_reader_went_away_is_published_all_the_same(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for n in 0..24_u64 {
        let message = store.say(id, &alice(), 2 * n).await;
        let polls = usize::try_from(1 + n % 3).expect("small");
        abandon(store.messages.mark_delivered(id, bob(), message.seq, at(n)), polls).await;
        abandon(store.messages.mark_read(id, bob(), vec![message.id], at(n)), polls).await;
        let later = store.say(id, &alice(), 2 * n + 1).await;
        assert_published_up_to(store, id, later.seq).await;
    }
}
