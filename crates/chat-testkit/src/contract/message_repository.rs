//! What every `MessageRepository` does with messages and attachments. Receipts stand in `receipts`.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::{Conflict, Resource};
use chat_domain::model::{
    ChatMessage, Delivery, DraftAttachments, EventChange, MessageCursor, MessageDraft, MessagePage, MessageQuery,
    PageOutcome, Party, Seq, SessionAction, SessionId,
};

use super::checks::{
    ROUNDS, abandon, assert_published_as_logged, assert_published_up_to, at_once, messages_in, whole_history,
};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    alice, assign, at, attachment, attachment_id, bob, carol, change, content, draft, keyed, limit, mallory,
    message_id, root, session_id, transfer,
};

contract_cases! { $ message_repository_contract for message_repository on crate::contract::StoreUnderTest:
    an_appended_message_is_read_as_append_returned_it,
    a_message_is_kept_byte_for_byte,
    a_message_takes_the_position_after_the_last_change,
    a_message_is_counted_in_its_session,
    a_support_message_ends_the_wait,
    a_message_for_an_unknown_session_is_not_found,
    a_person_without_the_right_sends_nothing_in_any_state_with_any_key,
    an_agent_who_lost_the_session_sends_nothing,
    a_closed_session_takes_no_message,
    a_refused_message_leaves_no_trace,
    a_repeated_key_returns_the_first_message_as_it_was_sent,
    a_repeated_key_with_another_meaning_is_a_conflict_before_the_state_is,
    a_key_belongs_to_its_session_and_author,
    a_refused_message_does_not_use_up_its_key,
    concurrent_repetitions_of_a_key_append_one_message,
    concurrent_messages_take_positions_without_gap,
    a_close_among_senders_ends_the_messages_and_loses_none,
    concurrent_writes_of_all_kinds_are_published_once_and_in_order,
    a_message_whose_sender_went_away_is_published_all_the_same,
    the_newest_page_is_ascending_and_tells_of_older_messages,
    pages_before_a_message_go_back_to_the_first,
    pages_after_a_message_go_forward_to_the_last,
    a_page_of_an_empty_session_is_empty,
    a_cursor_that_is_no_message_of_the_session_gives_no_page,
    a_page_of_an_unknown_session_is_none,
    a_page_comes_with_the_session_of_the_same_moment,
    the_newest_page_is_unchanged_while_its_session_is_and_only_then,
    a_message_is_found_with_its_session,
    a_message_is_found_in_its_own_session_only,
    an_attachment_is_found_with_its_session,
    an_unknown_attachment_is_not_found,
    attachments_that_no_message_refers_to_are_told_apart,
    the_attachments_of_a_repetition_are_not_kept,
}

async fn page(store: &StoreUnderTest, id: SessionId, cursor: MessageCursor, items: u64) -> MessagePage {
    let snapshot = store.messages.page(id, MessageQuery { cursor, limit: limit(items), known: None }).await.unwrap();
    snapshot.expect("the session is there").page.page().expect("the cursor is a message of the session")
}

/// The numbers that the messages of a page were made from.
fn numbers(page: &MessagePage) -> Vec<u64> {
    let number = |message: &ChatMessage| message.content.as_str().trim_start_matches("message ").parse();
    page.messages.iter().map(|message| number(message).expect("a fixture's message")).collect()
}

async fn an_appended_message_is_read_as_append_returned_it(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let attachments = vec![attachment(2, b"two"), attachment(1, b"one")];
    let sent = MessageDraft { attachments: attachments.clone().into(), ..draft(id, &alice(), 1) };
    let answer = store.messages.append(sent.clone()).await.unwrap();
    assert!(!answer.replayed);
    let expected = ChatMessage {
        id: message_id(1),
        session_id: id,
        seq: Seq::new(2),
        author: alice().id,
        sender: Party::User,
        content: sent.content,
        sent_at: at(1),
        delivery: Delivery::Sent,
        attachments,
    };
    assert_eq!(answer.message, expected);
    assert_eq!(whole_history(store, id).await, std::slice::from_ref(&expected));
    let log = assert_published_as_logged(store, id).await;
    let event = log.last().expect("two changes");
    assert_eq!((event.at, &event.actor), (at(1), &alice().id));
    assert_eq!(event.change, EventChange::Message(expected));
}

async fn a_message_is_kept_byte_for_byte(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let texts = [
        "  white space around \r\n\t ".to_owned(),
        "'; DROP TABLE chat_messages; -- \" \\ % _ <script>".to_owned(),
        "e\u{301} \u{202e}bidi\u{202c} \u{ffff} 🧑🏽‍🚀".to_owned(),
        "🦀".repeat(10_000),
    ];
    for (n, text) in (1..).zip(&texts) {
        let message = MessageDraft { content: content(text), ..draft(id, &alice(), n) };
        store.messages.append(message).await.unwrap();
    }
    let history = whole_history(store, id).await;
    assert_eq!(history.iter().map(|message| message.content.as_str()).collect::<Vec<_>>(), texts);
    assert_published_as_logged(store, id).await;
}

async fn a_message_takes_the_position_after_the_last_change(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    assert_eq!(store.say(id, &alice(), 1).await.seq, Seq::new(3));
    store.messages.mark_read(id, bob(), vec![message_id(1)], at(9)).await.unwrap();
    assert_eq!(store.say(id, &bob(), 2).await.seq, Seq::new(5));
    assert_published_as_logged(store, id).await;
}

async fn a_message_is_counted_in_its_session(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for (n, author) in (1..).zip([alice(), alice(), bob(), root()]) {
        store.say(id, &author, n).await;
    }
    let progress = store.session(id).await.progress;
    assert_eq!(progress.message_count, 4);
    assert_eq!(progress.last_seq, Seq::new(6));
    assert_eq!((progress.unread_by_user, progress.unread_by_support), (2, 2));
    assert_eq!(store.stats.read().await.unwrap().messages, 4);
}

async fn a_support_message_ends_the_wait(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.say(id, &bob(), 1).await;
    assert_eq!(store.session(id).await.progress.waiting_since, None);
    store.say(id, &alice(), 10).await;
    store.say(id, &alice(), 20).await;
    assert_eq!(store.session(id).await.progress.waiting_since, Some(at(10)), "since the first of them");
    store.say(id, &bob(), 70).await;
    store.say(id, &bob(), 80).await;
    assert_eq!(store.session(id).await.progress.waiting_since, None);
    let figures = store.stats.read().await.unwrap();
    assert_eq!((figures.responses, figures.response_time_ms), (1, 60_000));
}

async fn a_message_for_an_unknown_session_is_not_found(store: &StoreUnderTest) {
    for who in [alice(), bob(), root()] {
        let error = store.messages.append(draft(session_id(9), &who, 1)).await.unwrap_err();
        assert!(matches!(error, ChatError::NotFound(Resource::Session)), "{error}");
    }
    assert!(store.notifier.events().is_empty());
}

async fn a_person_without_the_right_sends_nothing_in_any_state_with_any_key(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.messages.append(keyed(draft(id, &alice(), 1), "k")).await.unwrap();
    for closed in [false, true] {
        if closed {
            store.change(id, &alice(), SessionAction::Close).await;
        }
        for who in [mallory(), carol()] {
            let error = store.messages.append(keyed(draft(id, &who, 2), "k")).await.unwrap_err();
            assert!(matches!(error, ChatError::Forbidden(_)), "{error}");
        }
    }
    assert_eq!(store.session(id).await.progress.message_count, 1);
}

async fn an_agent_who_lost_the_session_sends_nothing(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    // Written while Bob had the right, stored when he has it no more.
    let late = keyed(draft(id, &bob(), 2), "late");
    store.messages.append(keyed(draft(id, &bob(), 1), "early")).await.unwrap();
    store.on_duty(&carol()).await;
    store.change(id, &root(), transfer(&carol())).await;
    for refused in [late, keyed(draft(id, &bob(), 1), "early")] {
        let error = store.messages.append(refused).await.unwrap_err();
        assert!(matches!(error, ChatError::Forbidden(_)), "{error}");
    }
    store.say(id, &carol(), 3).await;
    assert_eq!(whole_history(store, id).await.len(), 2);
}

async fn a_closed_session_takes_no_message(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.change(id, &alice(), SessionAction::Close).await;
    let closed = store.session(id).await;
    for who in [alice(), bob(), root()] {
        let error = store.messages.append(keyed(draft(id, &who, 1), "k")).await.unwrap_err();
        assert!(matches!(error, ChatError::Conflict(Conflict::SessionClosed)), "{error}");
    }
    assert_eq!(store.session(id).await, closed);
    assert_eq!(whole_history(store, id).await, []);
}

async fn a_refused_message_leaves_no_trace(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.messages.append(keyed(draft(id, &alice(), 1), "k")).await.unwrap();
    let (session, figures) = (store.session(id).await, store.stats.read().await.unwrap());
    let events = store.notifier.events();
    let refused = [draft(session_id(9), &alice(), 2), draft(id, &mallory(), 3), keyed(draft(id, &alice(), 4), "k")];
    for (n, message) in (1..).zip(refused) {
        let message = MessageDraft { attachments: vec![attachment(n, b"x")].into(), ..message };
        store.messages.append(message).await.unwrap_err();
    }
    assert_eq!(store.session(id).await, session);
    assert_eq!(store.stats.read().await.unwrap(), figures);
    assert_eq!(store.notifier.events(), events);
    let ids: Vec<_> = (1..=3).map(attachment_id).collect();
    assert_eq!(store.messages.unknown_attachments(ids.clone()).await.unwrap(), ids);
    assert_published_as_logged(store, id).await;
}

async fn a_repeated_key_returns_the_first_message_as_it_was_sent(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let sent = MessageDraft { attachments: vec![attachment(1, b"one")].into(), ..keyed(draft(id, &alice(), 1), "k") };
    let first = store.messages.append(sent.clone()).await.unwrap();
    let last_seq = store.session(id).await.progress.last_seq;
    store.messages.mark_delivered(id, bob(), last_seq, at(20)).await.unwrap();
    store.messages.mark_read(id, bob(), vec![message_id(1)], at(30)).await.unwrap();
    for closed in [false, true] {
        if closed {
            store.change(id, &bob(), SessionAction::Close).await;
        }
        let before = store.session(id).await;
        let repeated = MessageDraft { id: message_id(2), sent_at: at(99), ..sent.clone() };
        let again = store.messages.append(repeated).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.message, first.message);
        assert_eq!(store.session(id).await, before);
    }
    assert_eq!(whole_history(store, id).await.len(), 1);
    assert_eq!(store.stats.read().await.unwrap().messages, 1);
    assert_published_as_logged(store, id).await;
}

async fn a_repeated_key_with_another_meaning_is_a_conflict_before_the_state_is(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    store.messages.append(keyed(draft(id, &alice(), 1), "k")).await.unwrap();
    for closed in [false, true] {
        if closed {
            store.change(id, &alice(), SessionAction::Close).await;
        }
        let error = store.messages.append(keyed(draft(id, &alice(), 2), "k")).await.unwrap_err();
        assert!(
            matches!(&error, ChatError::Conflict(Conflict::IdempotencyKeyReused(key)) if key.as_str() == "k"),
            "{error}"
        );
    }
    assert_eq!(whole_history(store, id).await.len(), 1);
}

async fn a_key_belongs_to_its_session_and_author(store: &StoreUnderTest) {
    let (first, second) = (store.held_by_bob(1).await, store.held_by_bob(2).await);
    let writers = [(first, alice()), (first, bob()), (first, root()), (second, alice()), (second, bob())];
    for (n, (id, author)) in (1..).zip(writers) {
        let sent = keyed(draft(id, &author, n), "k");
        assert!(!store.messages.append(sent).await.unwrap().replayed);
    }
}

async fn a_refused_message_does_not_use_up_its_key(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    store.messages.append(keyed(draft(id, &bob(), 1), "k")).await.unwrap_err();
    store.on_duty(&bob()).await;
    store.change(id, &bob(), assign(&bob())).await;
    let other_meaning = keyed(draft(id, &bob(), 2), "k");
    assert!(!store.messages.append(other_meaning).await.unwrap().replayed);
}

async fn concurrent_repetitions_of_a_key_append_one_message(store: &StoreUnderTest) {
    for round in 1..=ROUNDS {
        let id = store.waiting(round).await;
        let send = |n| {
            let messages = Arc::clone(&store.messages);
            let sent = MessageDraft { id: message_id(n), ..keyed(draft(id, &alice(), 1), "k") };
            async move { messages.append(sent).await.unwrap() }
        };
        let answers = at_once((1..=32).map(send)).await;
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "one request appends it");
        let stored = whole_history(store, id).await;
        let [message] = stored.as_slice() else { panic!("one message, not {}", stored.len()) };
        assert!(answers.iter().all(|answer| answer.message == *message), "everyone gets the same answer");
        assert_eq!(store.session(id).await.progress.message_count, 1);
        assert_published_as_logged(store, id).await;
    }
}

async fn concurrent_messages_take_positions_without_gap(store: &StoreUnderTest) {
    let ids = [store.waiting(1).await, store.waiting(2).await, store.waiting(3).await, store.waiting(4).await];
    let send = |n: u64| {
        let messages = Arc::clone(&store.messages);
        // Half of them go to the first session.
        let id = if n.is_multiple_of(2) { ids[0] } else { ids[usize::try_from(n / 2 % 4).expect("small")] };
        async move { messages.append(draft(id, &alice(), n)).await.unwrap().message }
    };
    let mut answered = at_once((0..64).map(send)).await;
    answered.sort_by_key(|message| (message.session_id, message.seq));
    let mut stored = Vec::new();
    for id in ids {
        let history = whole_history(store, id).await;
        let positions: Vec<u64> = history.iter().map(|message| message.seq.get()).collect();
        assert_eq!(positions, (2..2 + history.len() as u64).collect::<Vec<_>>());
        assert_eq!(store.session(id).await.progress.message_count, history.len() as u64);
        assert_eq!(messages_in(&assert_published_as_logged(store, id).await), history);
        stored.extend(history);
    }
    stored.sort_by_key(|message| (message.session_id, message.seq));
    assert_eq!(stored, answered, "what was answered is what is stored");
}

async fn a_close_among_senders_ends_the_messages_and_loses_none(store: &StoreUnderTest) {
    for round in 1..=ROUNDS {
        let id = store.waiting(round).await;
        let send = |sender: u64| {
            let (messages, sessions) = (Arc::clone(&store.messages), Arc::clone(&store.sessions));
            async move {
                let mut taken = Vec::new();
                for n in 0..16 {
                    if sender == 8 && n == 3 {
                        sessions.change(id, change(&alice(), SessionAction::Close, 2_000)).await.unwrap();
                    }
                    match messages.append(draft(id, &alice(), sender * 100 + n)).await {
                        Ok(appended) => taken.push(appended.message),
                        Err(ChatError::Conflict(Conflict::SessionClosed)) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                taken
            }
        };
        let mut taken: Vec<_> = at_once((0..=8).map(send)).await.into_iter().flatten().collect();
        taken.sort_by_key(|message| message.seq);
        let log = assert_published_as_logged(store, id).await;
        assert!(
            matches!(log.last().map(|event| &event.change), Some(EventChange::Closed(_))),
            "nothing after the close"
        );
        assert_eq!(messages_in(&log), taken, "every acknowledged message, and no other");
        assert_eq!(whole_history(store, id).await, taken);
    }
}

async fn concurrent_writes_of_all_kinds_are_published_once_and_in_order(store: &StoreUnderTest) {
    let ids = [store.held_by_bob(1).await, store.held_by_bob(2).await, store.held_by_bob(3).await];
    let people = [alice(), bob(), root()];
    let work = |n: usize| {
        let (messages, sessions) = (Arc::clone(&store.messages), Arc::clone(&store.sessions));
        let (id, who) = (ids[n % 3], people[n / 3 % 3].clone());
        async move {
            for step in 0..4 {
                let number = (n * 10 + step) as u64;
                let mine = messages.append(draft(id, &who, number)).await.unwrap().message;
                let other = if who.id == alice().id { bob() } else { alice() };
                messages.mark_delivered(id, other.clone(), mine.seq, at(number)).await.unwrap();
                messages.mark_read(id, other, vec![mine.id], at(number)).await.unwrap();
            }
            if n >= 24 {
                sessions.change(id, change(&root(), transfer(&bob()), 5_000)).await.unwrap();
            }
        }
    };
    at_once((0..27).map(work)).await;
    for id in ids {
        assert_published_as_logged(store, id).await;
        let session = store.session(id).await;
        assert_eq!(session.progress.message_count, 36);
        assert_eq!((session.progress.unread_by_user, session.progress.unread_by_support), (0, 0));
    }
}

async fn a_message_whose_sender_went_away_is_published_all_the_same(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for n in 0..48_u64 {
        let polls = usize::try_from(1 + n % 3).expect("small");
        let sent = keyed(draft(id, &alice(), 2 * n), &format!("k{n}"));
        abandon(store.messages.append(sent.clone()), polls).await;
        let later = store.say(id, &bob(), 2 * n + 1).await;
        assert_published_up_to(store, id, later.seq).await;
        // A client that must know repeats the request: it is there or it is sent now, and only once.
        let again = store.messages.append(MessageDraft { id: message_id(10_000 + n), ..sent }).await.unwrap();
        assert_published_up_to(store, id, again.message.seq).await;
    }
    assert_eq!(store.session(id).await.progress.message_count, 96);
    assert_published_as_logged(store, id).await;
}

/// A session with the messages 1 to 7, other changes between them.
async fn seven_messages(store: &StoreUnderTest) -> SessionId {
    let id = store.held_by_bob(1).await;
    for n in 1..=7 {
        let author = if n % 2 == 0 { alice() } else { bob() };
        let message = store.say(id, &author, n).await;
        if n % 3 == 0 {
            let reader = if n % 2 == 0 { bob() } else { alice() };
            store.messages.mark_read(id, reader, vec![message.id], at(n)).await.unwrap();
        }
    }
    id
}

async fn the_newest_page_is_ascending_and_tells_of_older_messages(store: &StoreUnderTest) {
    let id = seven_messages(store).await;
    for (items, expected, has_more) in
        [(1, vec![7], true), (3, vec![5, 6, 7], true), (7, (1..=7).collect(), false), (8, (1..=7).collect(), false)]
    {
        let page = page(store, id, MessageCursor::Newest, items).await;
        assert_eq!((numbers(&page), page.has_more), (expected, has_more), "the newest {items}");
    }
}

async fn pages_before_a_message_go_back_to_the_first(store: &StoreUnderTest) {
    let id = seven_messages(store).await;
    let cases = [
        (7, 3, vec![4, 5, 6], true),
        (4, 3, vec![1, 2, 3], false),
        (3, 3, vec![1, 2], false),
        (2, 1, vec![1], false),
        (1, 5, vec![], false),
    ];
    for (before, items, expected, has_more) in cases {
        let page = page(store, id, MessageCursor::Before(message_id(before)), items).await;
        assert_eq!((numbers(&page), page.has_more), (expected, has_more), "{items} before {before}");
    }
}

async fn pages_after_a_message_go_forward_to_the_last(store: &StoreUnderTest) {
    let id = seven_messages(store).await;
    let cases = [
        (1, 3, vec![2, 3, 4], true),
        (4, 3, vec![5, 6, 7], false),
        (5, 3, vec![6, 7], false),
        (5, 1, vec![6], true),
        (7, 5, vec![], false),
    ];
    for (after, items, expected, has_more) in cases {
        let page = page(store, id, MessageCursor::After(message_id(after)), items).await;
        assert_eq!((numbers(&page), page.has_more), (expected, has_more), "{items} after {after}");
    }
}

async fn a_page_of_an_empty_session_is_empty(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    assert_eq!(page(store, id, MessageCursor::Newest, 5).await, MessagePage { messages: Vec::new(), has_more: false });
}

async fn a_cursor_that_is_no_message_of_the_session_gives_no_page(store: &StoreUnderTest) {
    let (id, other) = (store.waiting(1).await, store.waiting(2).await);
    store.say(id, &alice(), 1).await;
    store.say(other, &alice(), 2).await;
    for stranger in [message_id(2), message_id(3)] {
        for cursor in [MessageCursor::Before(stranger), MessageCursor::After(stranger)] {
            let query = MessageQuery { cursor, limit: limit(5), known: None };
            let snapshot = store.messages.page(id, query).await.unwrap().expect("the session is there");
            assert_eq!(snapshot.page, PageOutcome::NoSuchMessage);
            assert_eq!(snapshot.session, store.session(id).await);
        }
    }
}

async fn a_page_of_an_unknown_session_is_none(store: &StoreUnderTest) {
    for cursor in [MessageCursor::Newest, MessageCursor::Before(message_id(1)), MessageCursor::After(message_id(1))] {
        let query = MessageQuery { cursor, limit: limit(5), known: None };
        assert_eq!(store.messages.page(session_id(9), query).await.unwrap(), None);
    }
}

async fn a_page_comes_with_the_session_of_the_same_moment(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let writer = {
        let messages = Arc::clone(&store.messages);
        tokio::spawn(async move {
            for n in 1..=90 {
                messages.append(draft(id, &alice(), n)).await.unwrap();
            }
        })
    };
    loop {
        let finished = writer.is_finished();
        let query = MessageQuery { cursor: MessageCursor::Newest, limit: limit(100), known: None };
        let snapshot = store.messages.page(id, query).await.unwrap().expect("the session is there");
        let messages = snapshot.page.page().expect("a page").messages;
        assert_eq!(snapshot.session.progress.message_count, messages.len() as u64);
        if finished {
            break;
        }
    }
    writer.await.expect("the writer does not panic");
}

async fn the_newest_page_is_unchanged_while_its_session_is_and_only_then(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.say(id, &alice(), 1).await;
    let here = store.session(id).await.progress.last_seq;
    let read = async |cursor, known| {
        let query = MessageQuery { cursor, limit: limit(5), known };
        store.messages.page(id, query).await.unwrap().expect("the session is there").page
    };
    assert_eq!(read(MessageCursor::Newest, Some(here)).await, PageOutcome::Unchanged);
    for other in [None, Some(Seq::ZERO), Some(Seq::new(here.get() - 1)), Some(here.next())] {
        let page = read(MessageCursor::Newest, other).await.page().expect("the page is read");
        assert_eq!(numbers(&page), [1], "{other:?}");
    }
    let before = read(MessageCursor::Before(message_id(1)), Some(here)).await;
    assert_eq!(before, PageOutcome::Page(MessagePage { messages: Vec::new(), has_more: false }));
    // Whatever changes the session or the looks of the page takes a position.
    store.messages.mark_delivered(id, bob(), here, at(2)).await.unwrap().expect("the message comes further");
    let delivered = read(MessageCursor::Newest, Some(here)).await.page().expect("the page has changed");
    assert!(delivered.messages.iter().all(|message| message.delivery.delivered_at().is_some()));
    let here = store.session(id).await.progress.last_seq;
    store.change(id, &bob(), SessionAction::Close).await;
    assert!(read(MessageCursor::Newest, Some(here)).await.page().is_some());
}

async fn a_message_is_found_with_its_session(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for n in 1..=3 {
        let files = vec![attachment(10 * n, b"a"), attachment(10 * n + 1, b"bb")];
        let files = if n == 2 { files.into() } else { DraftAttachments::NONE };
        store.messages.append(MessageDraft { attachments: files, ..draft(id, &alice(), n) }).await.unwrap();
    }
    store.messages.mark_read(id, bob(), vec![message_id(1), message_id(2)], at(9)).await.unwrap();
    for (n, message) in (1..).zip(whole_history(store, id).await) {
        let found = store.messages.find(id, message_id(n)).await.unwrap().expect("the session is there");
        assert_eq!((found.session, found.message), (store.session(id).await, Some(message)));
    }
}

async fn a_message_is_found_in_its_own_session_only(store: &StoreUnderTest) {
    let (id, other) = (store.waiting(1).await, store.waiting(2).await);
    let message = store.say(id, &alice(), 1).await;
    for (session, expected) in [(id, Some(message)), (other, None)] {
        let found = store.messages.find(session, message_id(1)).await.unwrap().expect("the session is there");
        assert_eq!((found.session, found.message), (store.session(session).await, expected));
    }
    let found = store.messages.find(id, message_id(9)).await.unwrap().expect("the session is there");
    assert_eq!(found.message, None);
    assert_eq!(store.messages.find(session_id(9), message_id(1)).await.unwrap(), None);
}

async fn an_attachment_is_found_with_its_session(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    for (n, files) in [(1, vec![attachment(1, b"a"), attachment(2, b"bb")]), (2, vec![attachment(3, b"ccc")])] {
        let message = MessageDraft { attachments: files.into(), ..draft(id, &alice(), n) };
        store.messages.append(message).await.unwrap();
    }
    store.change(id, &alice(), SessionAction::Close).await;
    for (n, bytes) in [(1, b"a".as_slice()), (2, b"bb"), (3, b"ccc")] {
        let found = store.messages.find_attachment(attachment_id(n)).await.unwrap().expect("it is there");
        assert_eq!(found.attachment, attachment(n, bytes));
        assert_eq!(found.session, store.session(id).await, "as it is now, not as it was");
    }
}

async fn an_unknown_attachment_is_not_found(store: &StoreUnderTest) {
    assert_eq!(store.messages.find_attachment(attachment_id(9)).await.unwrap(), None);
}

async fn attachments_that_no_message_refers_to_are_told_apart(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let files = vec![attachment(2, b"a"), attachment(4, b"b")];
    store.messages.append(MessageDraft { attachments: files.into(), ..draft(id, &alice(), 1) }).await.unwrap();
    let mut unknown = store.messages.unknown_attachments((1..=5).map(attachment_id).collect()).await.unwrap();
    unknown.sort();
    assert_eq!(unknown, [1, 3, 5].map(attachment_id));
    assert_eq!(store.messages.unknown_attachments(Vec::new()).await.unwrap(), []);
    let many: Vec<_> = (1_000..1_500).map(attachment_id).collect();
    assert_eq!(store.messages.unknown_attachments(many).await.unwrap().len(), 500);
}

async fn the_attachments_of_a_repetition_are_not_kept(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    for n in [1, 2] {
        let sent =
            MessageDraft { attachments: vec![attachment(n, b"same")].into(), ..keyed(draft(id, &alice(), 1), "k") };
        store.messages.append(sent).await.unwrap();
    }
    let unknown = store.messages.unknown_attachments(vec![attachment_id(1), attachment_id(2)]).await.unwrap();
    assert_eq!(unknown, [attachment_id(2)]);
    assert_eq!(store.messages.find_attachment(attachment_id(2)).await.unwrap(), None);
}
