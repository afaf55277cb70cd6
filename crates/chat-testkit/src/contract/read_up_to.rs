//! What every `MessageRepository` does when a reader says up to where they have read.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{
    Delivery, EventChange, MAX_RECEIPT_MESSAGES, MessageId, Party, Principal, Receipt, ReceiptStatus, Role, Seq,
    SessionAction, SessionEvent, SessionId,
};

use super::checks::{Choices, abandon, assert_published_as_logged, assert_published_up_to, at_once, whole_history};
use super::receipts::{assert_ends_with, assert_receipts_go_forward, deliveries, ids, read_at, talk, talk_much};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{alice, at, bob, carol, draft, mallory, message_id, person, root, session_id, transfer};

contract_cases! { $ read_up_to_contract for read_up_to on crate::contract::StoreUnderTest:
    reading_up_to_a_position_gives_one_receipt_at_one_position,
    reading_up_to_leaves_the_readers_own_side_as_it_is,
    reading_up_to_again_changes_nothing_and_takes_no_position,
    reading_up_to_beyond_the_end_marks_no_later_message,
    reading_up_to_implies_delivery_and_keeps_an_earlier_one,
    reading_up_to_skips_what_was_read_by_id,
    reading_by_id_below_what_was_read_up_to_changes_nothing,
    reading_up_to_lowers_the_count_of_unread_messages,
    an_admin_reads_up_to_for_support_and_the_owner_for_the_user,
    reading_up_to_follows_the_session_to_its_next_agent,
    reading_up_to_in_an_unknown_session_is_not_found_for_any_role,
    a_missing_right_to_read_up_to_is_refused_and_nothing_changes,
    a_closed_session_is_still_read_up_to_a_position,
    a_long_absence_is_read_in_receipts_of_a_bounded_size,
    a_search_without_result_takes_no_position_and_is_not_repeated,
    concurrent_readings_up_to_a_position_never_go_back,
    readers_among_senders_read_each_message_once,
    reading_in_any_way_counts_each_message_once,
    a_reading_up_to_whose_reader_went_away_is_published_all_the_same,
}

async fn up_to(store: &StoreUnderTest, id: SessionId, who: &Principal, seq: u64, s: u64) -> Option<Receipt> {
    store.messages.mark_read_up_to(id, who.clone(), Seq::new(seq), at(s)).await.unwrap()
}

async fn by_id(
    store: &StoreUnderTest,
    id: SessionId,
    who: &Principal,
    which: Vec<MessageId>,
    s: u64,
) -> Option<Receipt> {
    store.messages.mark_read(id, who.clone(), which, at(s)).await.unwrap()
}

async fn unread(store: &StoreUnderTest, id: SessionId) -> (u64, u64) {
    let progress = store.session(id).await.progress;
    (progress.unread_by_user, progress.unread_by_support)
}

/// The messages that receipts of a log say were read, in the order of the log.
fn read_in(log: &[SessionEvent]) -> Vec<MessageId> {
    let read = |event: &SessionEvent| match &event.change {
        EventChange::Receipt(receipt) if receipt.status == ReceiptStatus::Read => receipt.messages.clone(),
        _ => Vec::new(),
    };
    log.iter().flat_map(read).collect()
}

async fn reading_up_to_a_position_gives_one_receipt_at_one_position(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = up_to(store, id, &bob(), 4, 30).await.expect("two were read");
    let expected = Receipt { reader: bob().id, status: ReceiptStatus::Read, up_to: Seq::new(4), messages: ids([1, 2]) };
    assert_eq!(receipt, expected, "oldest first, up to the newest of them");
    let sent = Delivery::Sent;
    assert_eq!(deliveries(store, id).await, [read_at(30), read_at(30), sent, sent, sent]);
    assert_ends_with(store, id, receipt, 30).await;
    assert_eq!(store.session(id).await.progress.support_read_seq, Seq::new(4), "the next look starts here");

    let receipt = up_to(store, id, &bob(), 8, 40).await.expect("one more was read");
    assert_eq!((receipt.up_to, receipt.messages), (Seq::new(5), ids([3])), "up to the newest of the other side");
}

async fn reading_up_to_leaves_the_readers_own_side_as_it_is(store: &StoreUnderTest) {
    let id = talk(store).await;
    assert_eq!(up_to(store, id, &alice(), 5, 20).await, None, "only her own stand up to there");
    let receipt = up_to(store, id, &alice(), 6, 30).await.expect("one was read");
    assert_eq!(receipt.messages, ids([4]));
    let sent = Delivery::Sent;
    assert_eq!(deliveries(store, id).await, [sent, sent, sent, read_at(30), sent]);
    assert_eq!(unread(store, id).await, (1, 3));
}

async fn reading_up_to_again_changes_nothing_and_takes_no_position(store: &StoreUnderTest) {
    let id = talk(store).await;
    up_to(store, id, &bob(), 4, 30).await.expect("two were read");
    let (session, history) = (store.session(id).await, whole_history(store, id).await);
    for seq in [4, 3, 1, 0] {
        assert_eq!(up_to(store, id, &bob(), seq, 40).await, None);
    }
    assert_eq!(up_to(store, id, &root(), 4, 50).await, None, "the side has read it");
    assert_eq!((store.session(id).await, whole_history(store, id).await), (session, history));
    assert_published_as_logged(store, id).await;
}

async fn reading_up_to_beyond_the_end_marks_no_later_message(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = up_to(store, id, &bob(), u64::MAX, 30).await.expect("three were read");
    assert_eq!((receipt.up_to, receipt.messages), (Seq::new(5), ids([1, 2, 3])));
    let message = store.say(id, &alice(), 6).await;
    assert_eq!(message.delivery, Delivery::Sent);
    assert_eq!(deliveries(store, id).await.last(), Some(&Delivery::Sent));
    assert_eq!(unread(store, id).await, (2, 1));
    let receipt = up_to(store, id, &bob(), message.seq.get(), 40).await.expect("the later one is read later");
    assert_eq!(receipt.messages, ids([6]));
}

async fn reading_up_to_implies_delivery_and_keeps_an_earlier_one(store: &StoreUnderTest) {
    let id = talk(store).await;
    let arrive = async |seq, s| store.messages.mark_delivered(id, bob(), Seq::new(seq), at(s)).await.unwrap();
    arrive(3, 20).await.expect("message 1 arrived");
    up_to(store, id, &bob(), 4, 30).await.expect("both were read");
    let earlier = Delivery::Read { delivered_at: at(20), at: at(30) };
    assert_eq!(deliveries(store, id).await.get(..2), Some([earlier, read_at(30)].as_slice()));
    assert_eq!(arrive(4, 40).await, None, "what was read has arrived");
    let receipt = arrive(7, 50).await.expect("one was left");
    assert_eq!(receipt.messages, ids([3]));
}

async fn reading_up_to_skips_what_was_read_by_id(store: &StoreUnderTest) {
    let id = talk(store).await;
    by_id(store, id, &bob(), ids([2]), 30).await.expect("one was read");
    let receipt = up_to(store, id, &bob(), 4, 40).await.expect("one was left");
    assert_eq!((receipt.up_to, receipt.messages), (Seq::new(3), ids([1])));
    let sent = Delivery::Sent;
    assert_eq!(deliveries(store, id).await, [read_at(40), read_at(30), sent, sent, sent]);
    by_id(store, id, &bob(), ids([3]), 50).await.expect("the last one was read");
    assert_eq!(up_to(store, id, &bob(), 9, 60).await, None, "nothing is left");
    assert_published_as_logged(store, id).await;
}

async fn reading_by_id_below_what_was_read_up_to_changes_nothing(store: &StoreUnderTest) {
    let id = talk(store).await;
    up_to(store, id, &bob(), 4, 30).await.expect("two were read");
    assert_eq!(by_id(store, id, &bob(), ids([1, 2]), 40).await, None);
    let receipt = by_id(store, id, &bob(), ids([1, 2, 3]), 50).await.expect("one is new");
    assert_eq!(receipt.messages, ids([3]));
    assert_eq!(unread(store, id).await, (2, 0));
}

async fn reading_up_to_lowers_the_count_of_unread_messages(store: &StoreUnderTest) {
    let id = talk(store).await;
    assert_eq!(unread(store, id).await, (2, 3));
    up_to(store, id, &alice(), 6, 30).await;
    assert_eq!(unread(store, id).await, (1, 3));
    by_id(store, id, &bob(), ids([2]), 30).await;
    up_to(store, id, &bob(), 4, 30).await;
    assert_eq!(unread(store, id).await, (1, 1));
    up_to(store, id, &bob(), 7, 30).await;
    assert_eq!(unread(store, id).await, (1, 0));
}

async fn an_admin_reads_up_to_for_support_and_the_owner_for_the_user(store: &StoreUnderTest) {
    let id = talk(store).await;
    let receipt = up_to(store, id, &root(), 3, 30).await.expect("one was read");
    assert_eq!((receipt.reader, receipt.messages), (root().id, ids([1])));
    // Someone who owns the session is on the user's side whatever their role.
    let owner = person("alice", Role::Admin);
    let receipt = up_to(store, id, &owner, 6, 40).await.expect("one was read");
    assert_eq!(receipt.messages, ids([4]));
}

async fn reading_up_to_follows_the_session_to_its_next_agent(store: &StoreUnderTest) {
    let id = talk(store).await;
    up_to(store, id, &bob(), 4, 20).await.expect("two were read");
    store.on_duty(&carol()).await;
    store.change(id, &bob(), transfer(&carol())).await;
    let receipt = up_to(store, id, &carol(), 7, 30).await.expect("one more is read");
    assert_eq!((receipt.reader, receipt.messages), (carol().id, ids([3])), "what Bob read was read by support");
}

async fn reading_up_to_in_an_unknown_session_is_not_found_for_any_role(store: &StoreUnderTest) {
    for who in [alice(), bob(), root(), mallory()] {
        let error = store.messages.mark_read_up_to(session_id(9), who, Seq::new(1), at(30)).await.unwrap_err();
        assert!(matches!(error, ChatError::NotFound(Resource::Session)), "{error}");
    }
}

async fn a_missing_right_to_read_up_to_is_refused_and_nothing_changes(store: &StoreUnderTest) {
    let id = talk(store).await;
    store.on_duty(&carol()).await;
    store.change(id, &root(), transfer(&carol())).await;
    let (session, history) = (store.session(id).await, whole_history(store, id).await);
    // Also where there would be nothing to mark.
    for seq in [0, 5, u64::MAX] {
        for who in [mallory(), bob()] {
            let error = store.messages.mark_read_up_to(id, who, Seq::new(seq), at(30)).await.unwrap_err();
            assert!(matches!(error, ChatError::Forbidden(_)), "{error}");
        }
    }
    assert_eq!((store.session(id).await, whole_history(store, id).await), (session, history));
    assert_published_as_logged(store, id).await;
}

async fn a_closed_session_is_still_read_up_to_a_position(store: &StoreUnderTest) {
    let id = talk(store).await;
    store.change(id, &alice(), SessionAction::Close).await;
    let receipt = up_to(store, id, &bob(), 8, 30).await.expect("three were read");
    assert_eq!(receipt.messages, ids([1, 2, 3]));
    assert_published_as_logged(store, id).await;
}

async fn a_long_absence_is_read_in_receipts_of_a_bounded_size(store: &StoreUnderTest) {
    let many = MAX_RECEIPT_MESSAGES as u64 + 100;
    let id = store.held_by_bob(1).await;
    talk_much(store, id, many).await;
    let all = 2 + many;
    let first = up_to(store, id, &bob(), all, 4_000).await.expect("the oldest were read");
    assert_eq!(first.messages.len(), MAX_RECEIPT_MESSAGES);
    assert_eq!(first.up_to, Seq::new(2 + MAX_RECEIPT_MESSAGES as u64));
    assert_eq!(unread(store, id).await, (0, 100));
    let second = up_to(store, id, &bob(), all, 4_000).await.expect("the rest were read");
    assert_eq!((second.messages.len(), second.up_to), (100, Seq::new(all)));
    assert_eq!(up_to(store, id, &bob(), all, 4_000).await, None);
    assert_eq!(unread(store, id).await, (0, 0));
    let history = whole_history(store, id).await;
    assert!(history.iter().all(|message| message.delivery == read_at(4_000)));
    let order: Vec<_> = history.into_iter().map(|message| message.id).collect();
    assert_eq!([first.messages, second.messages].concat(), order, "oldest first");
    assert_published_as_logged(store, id).await;
}

async fn a_search_without_result_takes_no_position_and_is_not_repeated(store: &StoreUnderTest) {
    let many = MAX_RECEIPT_MESSAGES as u64 + 10;
    let id = store.held_by_bob(1).await;
    talk_much(store, id, many).await;
    let history: Vec<_> = whole_history(store, id).await.into_iter().map(|message| message.id).collect();
    let (last, others) = history.split_last().expect("there are messages");
    for part in others.chunks(MAX_RECEIPT_MESSAGES) {
        by_id(store, id, &bob(), part.to_vec(), 30).await.expect("all were read");
    }
    let head = store.session(id).await.progress.last_seq;
    for _ in 0..3 {
        assert_eq!(up_to(store, id, &bob(), 1 + many, 40).await, None, "all but the last one were read by id");
    }
    let progress = store.session(id).await.progress;
    assert_eq!(progress.last_seq, head);
    assert_eq!(progress.support_read_seq, Seq::new(1 + many), "the next look starts where this one ended");
    store.say(id, &alice(), many + 1).await;
    let receipt = up_to(store, id, &bob(), head.get() + 1, 50).await.expect("two were left");
    assert_eq!(receipt.messages, [*last, message_id(many + 1)]);
    assert_eq!(unread(store, id).await, (0, 0));
    assert_published_as_logged(store, id).await;
}

async fn concurrent_readings_up_to_a_position_never_go_back(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for n in 1..=16 {
        store.say(id, &alice(), n).await;
    }
    let read = |n: u64| {
        let messages = Arc::clone(&store.messages);
        async move { messages.mark_read_up_to(id, bob(), Seq::new(n + 2), at(n)).await.unwrap() }
    };
    assert_receipts_go_forward(store, id, at_once((1..=16).map(read)).await).await;
    assert_eq!(unread(store, id).await, (0, 0));
}

async fn readers_among_senders_read_each_message_once(store: &StoreUnderTest) {
    const SENDERS: u64 = 4;
    const EACH: u64 = 24;
    let id = store.held_by_bob(1).await;
    let work = |worker: u64| {
        let messages = Arc::clone(&store.messages);
        async move {
            for n in 0..EACH {
                let number = worker * EACH + n;
                if worker < SENDERS {
                    messages.append(draft(id, &alice(), number)).await.unwrap();
                } else {
                    // Readers do not know where the session is: beyond its end, now and then.
                    messages.mark_read_up_to(id, bob(), Seq::new(4 * n), at(number)).await.unwrap();
                }
            }
        }
    };
    at_once((0..2 * SENDERS).map(work)).await;
    let so_far = read_in(&assert_published_as_logged(store, id).await).len() as u64;
    assert_eq!(unread(store, id).await, (0, SENDERS * EACH - so_far), "what no receipt names is unread");
    up_to(store, id, &bob(), u64::MAX, 90).await;
    let mut read = read_in(&assert_published_as_logged(store, id).await);
    read.sort();
    assert_eq!(read, (0..SENDERS * EACH).map(message_id).collect::<Vec<_>>());
}

async fn reading_in_any_way_counts_each_message_once(store: &StoreUnderTest) {
    for seed in 0..8 {
        let id = store.held_by_bob(seed).await;
        let mut choices = Choices::seeded(seed);
        let number = |n: u64| seed * 1_000 + n;
        let mut sent = 0;
        for step in 0..60 {
            let who = if choices.below(2) == 0 { alice() } else { bob() };
            let somewhere = Seq::new(choices.below(80));
            match choices.below(5) {
                0 | 1 => {
                    store.say(id, &who, number(sent)).await;
                    sent += 1;
                }
                2 if sent > 0 => {
                    let some = (0..3).map(|_| message_id(number(choices.below(sent)))).collect();
                    by_id(store, id, &who, some, step).await;
                }
                3 => drop(store.messages.mark_delivered(id, who, somewhere, at(step)).await.unwrap()),
                _ => drop(up_to(store, id, &who, somewhere.get(), step).await),
            }
            let history = whole_history(store, id).await;
            let open = |side: Party| {
                let unread = history.iter().filter(|message| message.delivery.read_at().is_none());
                unread.filter(|message| message.sender == side).count() as u64
            };
            assert_eq!(unread(store, id).await, (open(Party::Support), open(Party::User)), "seed {seed}, step {step}");
        }
        for who in [alice(), bob()] {
            up_to(store, id, &who, u64::MAX, 90).await;
        }
        let read = read_in(&assert_published_as_logged(store, id).await);
        assert_eq!(read.len() as u64, sent, "no receipt names a message again");
        assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), (0..sent).map(|n| message_id(number(n))).collect());
    }
}

async fn a_reading_up_to_whose_reader_went_away_is_published_all_the_same(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for n in 0..24_u64 {
        let message = store.say(id, &alice(), 2 * n).await;
        let polls = usize::try_from(1 + n % 3).expect("small");
        abandon(store.messages.mark_read_up_to(id, bob(), message.seq, at(n)), polls).await;
        let later = store.say(id, &alice(), 2 * n + 1).await;
        assert_published_up_to(store, id, later.seq).await;
    }
}
