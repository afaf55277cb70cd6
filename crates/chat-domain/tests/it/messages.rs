//! Sending text, paging, reading, delivering and typing.

use chat_domain::error::Input;
use chat_domain::model::{
    Delivery, EventChange, IdempotencyKey, LiveEvent, MAX_RECEIPT_MESSAGES, MessageCursor, MessageQuery, PageLimit,
    Party, Seq, TypingEvent,
};
use chat_domain::ports::MessageRepository;
use chat_domain::service::{ReadMessages, SendMessage};
use chat_testkit::fixtures::{alice, bob, carol, draft, message_id, root};

use crate::support::Outcome::{self, Conflict};
use crate::support::{App, blamed, is_reused_key};

fn text(text: &str) -> SendMessage {
    SendMessage::text(text)
}

fn key(text: &str) -> Option<Input<IdempotencyKey>> {
    Some(Ok(IdempotencyKey::parse(text).unwrap()))
}

#[tokio::test]
async fn who_owns_the_session_speaks_for_the_user_and_everyone_else_for_support() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for (who, sender) in [(alice(), Party::User), (bob(), Party::Support), (root(), Party::Support)] {
        let sent = app.service.send_message(&who, id, text("hello"), None).await.unwrap();
        assert_eq!((sent.message.sender, sent.message.author), (sender, who.id));
    }
}

#[tokio::test]
async fn blank_text_without_a_file_is_invalid() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let answer = app.service.send_message(&alice(), id, text(" \n"), None).await;
    assert_eq!(blamed(answer), ["content"]);
}

#[tokio::test]
async fn a_repeated_message_is_answered_also_after_the_close() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let first = app.service.send_message(&alice(), id, text("hello"), key("k")).await.unwrap();
    let other = app.service.send_message(&alice(), id, text("other"), key("k")).await;
    assert!(is_reused_key(&other), "{other:?}");
    app.service.close_session(&bob(), id, Ok(())).await.unwrap();
    let again = app.service.send_message(&alice(), id, text("hello"), key("k")).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message, first.message);
    assert_eq!(Outcome::of(app.service.send_message(&alice(), id, text("hello"), key("k2")).await), Conflict);
}

#[tokio::test]
async fn a_cursor_that_is_no_message_of_the_session_is_blamed_by_its_name() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for (cursor, field) in
        [(MessageCursor::Before(message_id(9)), "before"), (MessageCursor::After(message_id(9)), "after")]
    {
        let answer = app
            .service
            .get_messages(&alice(), id, Ok(MessageQuery { cursor, limit: PageLimit::MESSAGES, known: None }))
            .await;
        assert_eq!(blamed(answer), [field]);
    }
}

#[tokio::test]
async fn a_page_shows_how_far_its_messages_have_come() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut sent = Vec::new();
    for n in 0..3 {
        sent.push(app.service.send_message(&alice(), id, text(&format!("{n}")), None).await.unwrap().message);
    }
    app.service.mark_delivered(&bob(), id, sent[1].seq).await.unwrap();
    app.service.mark_read(&bob(), id, Ok(ReadMessages::Named(vec![sent[0].id]))).await.unwrap();
    let query = MessageQuery { cursor: MessageCursor::Newest, limit: PageLimit::MESSAGES, known: None };
    let (session, page) = app.service.get_messages(&alice(), id, Ok(query)).await.unwrap();
    let page = page.unwrap();
    let stages: Vec<_> = page.messages.iter().map(|message| message.delivery).collect();
    assert!(matches!(stages[..], [Delivery::Read { .. }, Delivery::Delivered { .. }, Delivery::Sent]), "{stages:?}");
    assert_eq!(session.progress.unread_by_support, 2);
}

#[tokio::test]
async fn delivery_to_an_onlooker_says_nothing() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.send_message(&alice(), id, text("hello"), None).await.unwrap();
    for onlooker in [root(), carol()] {
        app.service.mark_delivered(&onlooker, id, Seq::new(9)).await.unwrap();
    }
    let query = MessageQuery { cursor: MessageCursor::Newest, limit: PageLimit::MESSAGES, known: None };
    let (_, page) = app.service.get_messages(&alice(), id, Ok(query)).await.unwrap();
    let page = page.unwrap();
    assert_eq!(page.messages[0].delivery, Delivery::Sent);
}

#[tokio::test]
async fn everything_up_to_a_position_is_read_however_much_that_is() {
    const MANY: u64 = 2 * MAX_RECEIPT_MESSAGES as u64 + 1;
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for n in 0..=MANY {
        app.store.append(draft(id, &alice(), n)).await.unwrap();
    }
    app.notifier.take();
    app.service.mark_read_up_to(&bob(), id, Seq::new(2 + MANY)).await.unwrap();
    let receipts = app.notifier.changes_of(id);
    let named = receipts.iter().map(|event| match &event.change {
        EventChange::Receipt(receipt) => receipt.messages.len(),
        other => panic!("a receipt, not {other:?}"),
    });
    assert_eq!(named.collect::<Vec<_>>(), [MAX_RECEIPT_MESSAGES, MAX_RECEIPT_MESSAGES, 1]);
    assert!(receipts.iter().all(|event| event.at == receipts[0].at), "they were read at one moment");
    assert_eq!(app.service.get_session(&bob(), id).await.unwrap().progress.unread_by_support, 1);
    app.notifier.take();
    app.service.mark_read_up_to(&bob(), id, Seq::new(2 + MANY)).await.unwrap();
    assert_eq!(app.notifier.take(), []);
}

#[tokio::test]
async fn typing_is_published_and_leaves_no_trace() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let before = app.service.get_session(&alice(), id).await.unwrap();
    app.notifier.take();
    for is_typing in [true, false] {
        app.service.send_typing(&bob(), id, Ok(is_typing)).await.unwrap();
        let events = app.notifier.take();
        let [LiveEvent::Typing(TypingEvent { session_id, user_id, is_typing: told, .. })] = &events[..] else {
            panic!("one typing event, not {events:?}")
        };
        assert_eq!((*session_id, user_id, *told), (id, &bob().id, is_typing));
    }
    assert_eq!(app.service.get_session(&alice(), id).await.unwrap(), before);
}

#[tokio::test]
async fn typing_in_a_closed_session_is_not_published() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.close_session(&bob(), id, Ok(())).await.unwrap();
    app.notifier.take();
    app.service.send_typing(&bob(), id, Ok(true)).await.unwrap();
    assert_eq!(app.notifier.take(), []);
}
