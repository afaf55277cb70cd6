//! Messages with files: their order, their limits, and what becomes of the bytes when the message does not come to be.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::Input;
use chat_domain::model::{AttachmentId, IdempotencyKey, SessionId};
use chat_domain::ports::{Appended, MockMessageRepository};
use chat_domain::service::{ChatService, Composition, Rules};
use chat_testkit::fixtures::{alice, bob, carol};
use chat_testkit::source::{failing_after, from_bytes};

use crate::support::Outcome::{self, Conflict, Forbidden, Invalid};
use crate::support::{App, blamed, is_reused_key};

fn key(text: &str) -> Option<Input<IdempotencyKey>> {
    Some(Ok(IdempotencyKey::parse(text).unwrap()))
}

async fn attach(message: &mut Composition, position: u32, bytes: &str) {
    let name = format!("{position}.txt");
    message.attach(position, &name, None, from_bytes(bytes.to_owned())).await.unwrap();
}

/// A message of Alice with one file for each pair of position and bytes.
async fn composed(service: &ChatService, id: SessionId, files: &[(u32, &str)]) -> Composition {
    let mut message = service.compose_message(&alice(), id).await.unwrap();
    for (position, bytes) in files {
        attach(&mut message, *position, bytes).await;
    }
    message
}

fn files_of(appended: &Appended) -> Vec<AttachmentId> {
    let mut ids: Vec<_> = appended.message.attachments.iter().map(|attachment| attachment.id).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn files_are_ordered_by_their_position_whatever_the_order_they_came_in() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let message = composed(&app.service, id, &[(7, "c"), (0, "a"), (3, "b")]).await;
    let sent = message.send(String::new(), None).await.unwrap();
    let names: Vec<_> = sent.message.attachments.iter().map(|attachment| attachment.name.as_str()).collect();
    assert_eq!(names, ["0.txt", "3.txt", "7.txt"]);
    assert_eq!(app.attachments.ids(), files_of(&sent));
}

#[tokio::test]
async fn a_name_loses_what_is_unsafe() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut message = app.service.compose_message(&alice(), id).await.unwrap();
    message.attach(0, "../../a\r\nb\".txt", None, from_bytes("x")).await.unwrap();
    let sent = message.send("see file".to_owned(), None).await.unwrap();
    assert_eq!(sent.message.attachments[0].name.as_str(), "ab.txt");
}

#[tokio::test]
async fn as_many_files_as_allowed_are_taken_and_no_more() {
    let app = App::with_rules(Rules { max_files: 2, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let mut message = composed(&app.service, id, &[(0, "a"), (1, "b")]).await;
    assert_eq!(blamed(message.attach(2, "c", None, from_bytes("c")).await), ["attachments"]);
    assert_eq!(app.attachments.ids().len(), 2, "the third was not even stored");
    message.send(String::new(), None).await.unwrap();
}

#[tokio::test]
async fn a_file_has_as_many_bytes_as_allowed_and_no_more() {
    let app = App::with_rules(Rules { max_file_bytes: 4, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let mut message = composed(&app.service, id, &[(0, "1234")]).await;
    assert_eq!(blamed(message.attach(1, "b", None, from_bytes("12345")).await), ["attachments[1]"]);
    assert_eq!(app.attachments.ids().len(), 1);
}

#[tokio::test]
async fn all_files_together_have_as_many_bytes_as_allowed_and_no_more() {
    let app = App::with_rules(Rules { max_file_bytes: 6, max_message_bytes: 10, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let mut message = composed(&app.service, id, &[(0, "123456")]).await;
    assert_eq!(blamed(message.attach(1, "b", None, from_bytes("12345")).await), ["attachments"]);
    attach(&mut message, 1, "1234").await;
    assert_eq!(blamed(message.attach(2, "c", None, from_bytes("1")).await), ["attachments"]);
    assert_eq!(message.send(String::new(), None).await.unwrap().message.attachments.len(), 2);
}

#[tokio::test]
async fn a_position_is_given_once_and_a_file_is_not_empty() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut message = composed(&app.service, id, &[(3, "a")]).await;
    assert_eq!(blamed(message.attach(3, "b", None, from_bytes("b")).await), ["attachments[3]"]);
    assert_eq!(blamed(message.attach(4, "c", None, from_bytes("")).await), ["attachments[4]"]);
    assert_eq!(app.attachments.ids().len(), 1);
}

#[tokio::test]
async fn discarding_removes_the_files() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut message = composed(&app.service, id, &[(0, "a"), (1, "b")]).await;
    let broken = failing_after("half", ChatError::unavailable("the line broke"));
    assert!(matches!(message.attach(2, "c", None, broken).await, Err(ChatError::Unavailable { .. })));
    message.discard().await;
    assert_eq!(app.attachments.ids(), []);
}

#[tokio::test]
async fn a_message_that_certainly_failed_takes_its_files_with_it() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let too_long = composed(&app.service, id, &[(0, "a")]).await.send("x".repeat(10_001), None).await;
    assert_eq!(Outcome::of(too_long), Invalid);
    let bad_key = composed(&app.service, id, &[(0, "a")]).await.send(String::new(), Some(crate::support::bad())).await;
    assert_eq!(Outcome::of(bad_key), Invalid);

    let mut by_bob = app.service.compose_message(&bob(), id).await.unwrap();
    attach(&mut by_bob, 0, "b").await;
    let by_alice = composed(&app.service, id, &[(0, "a")]).await;
    app.transfer(id, Some(&carol())).await;
    assert_eq!(Outcome::of(by_bob.send(String::new(), None).await), Forbidden, "the right went meanwhile");
    app.service.close_session(&carol(), id, Ok(())).await.unwrap();
    assert_eq!(Outcome::of(by_alice.send(String::new(), None).await), Conflict, "it was closed meanwhile");
    assert_eq!(app.attachments.ids(), []);
}

#[tokio::test]
async fn a_message_that_may_have_been_stored_keeps_its_files() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let errors: [fn() -> ChatError; 2] =
        [|| ChatError::unavailable("the database went away"), || ChatError::internal("who knows")];
    for (n, error) in (1..).zip(errors) {
        let mut messages = MockMessageRepository::new();
        messages.expect_append().times(1).returning(move |_| Err(error()));
        let service = app.service_with(|ports| ports.messages = Arc::new(messages));
        let message = composed(&service, id, &[(0, "a")]).await;
        assert_eq!(Outcome::of(message.send(String::new(), None).await), Outcome::Failed);
        assert_eq!(app.attachments.ids().len(), n, "the files stay");
    }
}

#[tokio::test]
async fn a_repetition_removes_the_files_it_stored_again() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let first = composed(&app.service, id, &[(0, "a"), (1, "b")]).await.send("x".to_owned(), key("k")).await.unwrap();
    let repeated = composed(&app.service, id, &[(1, "b"), (0, "a")]).await;
    assert_eq!(app.attachments.ids().len(), 4);
    let again = repeated.send("x".to_owned(), key("k")).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message, first.message);
    assert_eq!(app.attachments.ids(), files_of(&first));
}

#[tokio::test]
async fn content_names_bytes_and_order_of_files_are_the_meaning_of_a_message() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let first = composed(&app.service, id, &[(0, "a"), (1, "b")]).await.send("x".to_owned(), key("k")).await.unwrap();
    let others: [(&str, &[(u32, &str)]); 5] = [
        ("y", &[(0, "a"), (1, "b")]),
        ("x", &[(0, "a"), (1, "c")]),
        ("x", &[(0, "b"), (1, "a")]),
        ("x", &[(0, "a"), (2, "b")]),
        ("x", &[(0, "a")]),
    ];
    for (text, files) in others {
        let answer = composed(&app.service, id, files).await.send(text.to_owned(), key("k")).await;
        assert!(is_reused_key(&answer), "{text} with {files:?}: {answer:?}");
    }
    let without_files = app.service.send_message(&alice(), id, Ok("x".to_owned()), key("k")).await;
    assert!(is_reused_key(&without_files), "{without_files:?}");
    assert_eq!(app.attachments.ids(), files_of(&first), "and the refused files are gone");
}
