//! Messages that bring their files: their order, their limits, and what becomes of the bytes when the message does not
//! come to be.

use std::sync::Arc;

use chat_domain::error::Input;
use chat_domain::model::{AttachmentId, IdempotencyKey, Principal, SessionId};
use chat_domain::ports::MockMessageRepository;
use chat_domain::service::{ChatService, Rules, SendMessage};
use chat_domain::write::Appended;
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{alice, bob, carol};
use chat_testkit::form::{self, FormStep};
use chat_testkit::source::{failing_after, from_bytes};

use crate::support::Outcome::{self, Conflict, Forbidden, Invalid};
use crate::support::{App, blamed, is_reused_key};

fn key(text: &str) -> Option<Input<IdempotencyKey>> {
    Some(Ok(IdempotencyKey::parse(text).unwrap()))
}

async fn send(
    service: &ChatService,
    who: &Principal,
    id: SessionId,
    steps: impl IntoIterator<Item = FormStep>,
) -> Result<Appended> {
    service.send_message(who, id, SendMessage::Form(form::form(steps)), None).await
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
    let sent = app.send_files(id, "", &[(7, "c"), (0, "a"), (3, "b")]).await;
    let names: Vec<_> = sent.message.attachments.iter().map(|attachment| attachment.name.as_str()).collect();
    assert_eq!(names, ["0.txt", "3.txt", "7.txt"]);
    assert_eq!(app.attachments.ids(), files_of(&sent));
}

#[tokio::test]
async fn a_name_loses_what_is_unsafe() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let file = form::named_file(0, "../../a\r\nb\".txt", None, from_bytes("x"));
    let sent = send(&app.service, &alice(), id, [file]).await.unwrap();
    assert_eq!(sent.message.attachments[0].name.as_str(), "ab.txt");
}

#[tokio::test]
async fn as_many_files_as_allowed_are_taken_and_no_more() {
    let app = App::with_rules(Rules { max_files: 2, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let three = app.try_to_send_files(id, "", &[(0, "a"), (1, "b"), (2, "c")], None).await;
    assert_eq!(blamed(three), ["attachments"]);
    assert_eq!(app.attachments.ids(), []);
    app.send_files(id, "", &[(0, "a"), (1, "b")]).await;
}

#[tokio::test]
async fn a_file_has_as_many_bytes_as_allowed_and_no_more() {
    let app = App::with_rules(Rules { max_file_bytes: 4, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    assert_eq!(blamed(app.try_to_send_files(id, "", &[(0, "1234"), (1, "12345")], None).await), ["attachments[1]"]);
    assert_eq!(app.attachments.ids(), []);
    app.send_files(id, "", &[(0, "1234")]).await;
}

#[tokio::test]
async fn all_files_together_have_as_many_bytes_as_allowed_and_no_more() {
    let app = App::with_rules(Rules { max_file_bytes: 6, max_message_bytes: 10, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    for files in [&[(0, "123456"), (1, "12345")][..], &[(0, "123456"), (1, "1234"), (2, "1")]] {
        assert_eq!(blamed(app.try_to_send_files(id, "", files, None).await), ["attachments"]);
        assert_eq!(app.attachments.ids(), []);
    }
    assert_eq!(app.send_files(id, "", &[(0, "123456"), (1, "1234")]).await.message.attachments.len(), 2);
}

#[tokio::test]
async fn a_position_and_the_text_are_given_once_and_a_file_is_not_empty() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    assert_eq!(blamed(app.try_to_send_files(id, "", &[(3, "a"), (3, "b")], None).await), ["attachments[3]"]);
    assert_eq!(blamed(app.try_to_send_files(id, "", &[(3, "a"), (4, "")], None).await), ["attachments[4]"]);
    let twice = [form::content("a"), form::file(0, "a"), form::content("a")];
    assert_eq!(blamed(send(&app.service, &alice(), id, twice).await), ["content"]);
    assert_eq!(app.attachments.ids(), []);
}

#[tokio::test]
async fn a_form_that_breaks_off_leaves_nothing() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let broken = failing_after("half", ChatError::unavailable("the line broke"));
    let steps = [form::file(0, "a"), form::file(1, "b"), form::named_file(2, "c", None, broken)];
    assert!(matches!(send(&app.service, &alice(), id, steps).await, Err(ChatError::Unavailable { .. })));
    assert_eq!(app.attachments.ids(), []);
}

#[tokio::test]
async fn nothing_is_stored_for_a_person_who_may_not_send_messages() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let untouched = || [form::meanwhile(async { panic!("the form is not read") })];
    assert_eq!(Outcome::of(send(&app.service, &carol(), id, untouched()).await), Forbidden);
}

#[tokio::test]
async fn a_message_that_certainly_failed_takes_its_files_with_it() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let too_long = app.try_to_send_files(id, &"x".repeat(10_001), &[(0, "a")], None).await;
    assert_eq!(Outcome::of(too_long), Invalid);
    let bad_key = app.try_to_send_files(id, "", &[(0, "a")], Some(crate::support::bad())).await;
    assert_eq!(Outcome::of(bad_key), Invalid);

    let app = Arc::new(app);
    let transferring = {
        let app = Arc::clone(&app);
        form::meanwhile(async move { app.transfer(id, Some(&carol())).await })
    };
    let by_bob = send(&app.service, &bob(), id, [form::file(0, "b"), transferring]).await;
    assert_eq!(Outcome::of(by_bob), Forbidden, "the right went meanwhile");
    let closing = {
        let app = Arc::clone(&app);
        form::meanwhile(async move { drop(app.service.close_session(&carol(), id, Ok(())).await.unwrap()) })
    };
    let by_alice = send(&app.service, &alice(), id, [form::file(0, "a"), closing]).await;
    assert_eq!(Outcome::of(by_alice), Conflict, "it was closed meanwhile");
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
        assert_eq!(Outcome::of(send(&service, &alice(), id, [form::file(0, "a")]).await), Outcome::Failed);
        assert_eq!(app.attachments.ids().len(), n, "the files stay");
    }
}

#[tokio::test]
async fn a_repetition_removes_the_files_it_stored_again() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let first = app.try_to_send_files(id, "x", &[(0, "a"), (1, "b")], key("k")).await.unwrap();
    let again = app.try_to_send_files(id, "x", &[(1, "b"), (0, "a")], key("k")).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message, first.message);
    assert_eq!(app.attachments.ids(), files_of(&first));
}

#[tokio::test]
async fn content_names_bytes_and_order_of_files_are_the_meaning_of_a_message() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let first = app.try_to_send_files(id, "x", &[(0, "a"), (1, "b")], key("k")).await.unwrap();
    let others: [(&str, &[(u32, &str)]); 6] = [
        ("y", &[(0, "a"), (1, "b")]),
        ("x", &[(0, "a"), (1, "c")]),
        ("x", &[(0, "b"), (1, "a")]),
        ("x", &[(0, "a"), (2, "b")]),
        ("x", &[(0, "a")]),
        ("x", &[]),
    ];
    for (text, files) in others {
        let answer = app.try_to_send_files(id, text, files, key("k")).await;
        assert!(is_reused_key(&answer), "{text} with {files:?}: {answer:?}");
    }
    let without_files = app.service.send_message(&alice(), id, SendMessage::text("x"), key("k")).await;
    assert!(is_reused_key(&without_files), "{without_files:?}");
    assert_eq!(app.attachments.ids(), files_of(&first), "and the refused files are gone");
}
