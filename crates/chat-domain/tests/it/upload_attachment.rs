//! Files that are uploaded first and sent later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::error::{self, Input, LimitReached, Resource};
use chat_domain::model::{Attachment, AttachmentId, IdempotencyKey, Principal, SessionId, UnsentUpload, UploadQuota};
use chat_domain::ports::{ByteSource, MockUploadRegistry, UploadRegistry as _};
use chat_domain::service::{MessageContent, Removal, Rules, SendMessage};
use chat_domain::write::Appended;
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{alice, bob, carol, mallory, root};
use chat_testkit::form::{incoming_file, upload_of};
use chat_testkit::source::{failing_after, read_to_end};

use crate::collect_orphans::collector;
use crate::support::Outcome::{self, Conflict, Done, Forbidden, Invalid, NotFound};
use crate::support::{App, bad, blamed, is_reused_key};

fn key(text: &str) -> Option<Input<IdempotencyKey>> {
    Some(Ok(IdempotencyKey::parse(text).unwrap()))
}

async fn upload(app: &App, who: &Principal, id: SessionId, bytes: &'static str) -> Attachment {
    app.service.upload_attachment(who, id, Ok(upload_of(bytes))).await.unwrap()
}

fn with_uploads(text: &str, uploads: &[AttachmentId]) -> SendMessage {
    SendMessage::Content(Ok(MessageContent { text: text.to_owned(), uploads: uploads.to_vec() }))
}

async fn send(app: &App, who: &Principal, id: SessionId, uploads: &[AttachmentId]) -> Result<Appended> {
    app.service.send_message(who, id, with_uploads("", uploads), None).await
}

#[tokio::test]
async fn an_upload_is_sent_as_it_is_and_in_the_order_of_the_message() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let files = [upload(&app, &alice(), id, "one").await, upload(&app, &alice(), id, "two").await];
    let sent = send(&app, &alice(), id, &[files[1].id, files[0].id]).await.unwrap().message;
    assert_eq!(sent.attachments, [files[1].clone(), files[0].clone()]);
    assert_eq!(app.attachments.ids().len(), 2);
}

#[tokio::test]
async fn an_unsent_file_is_there_for_its_uploader_alone() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let file = upload(&app, &bob(), id, "secret").await;
    let download = app.service.download_attachment(&bob(), file.id).await.unwrap();
    assert_eq!(read_to_end(download.open(None).await.unwrap()).await.unwrap(), "secret");
    for who in [alice(), carol(), mallory(), root()] {
        let hidden = app.service.download_attachment(&who, file.id).await;
        assert!(matches!(hidden, Err(ChatError::NotFound(Resource::Attachment))), "{}", who.id);
        assert_eq!(Outcome::of(app.service.remove_upload(&who, file.id, Ok(())).await), NotFound, "{}", who.id);
        assert_eq!(Outcome::of(app.service.remove_upload(&who, file.id, bad()).await), NotFound, "{}", who.id);
    }
    app.transfer(id, Some(&carol())).await;
    assert_eq!(Outcome::of(app.service.download_attachment(&bob(), file.id).await), Forbidden);
    assert_eq!(Outcome::of(send(&app, &bob(), id, &[file.id]).await), Forbidden);
    assert_eq!(Outcome::of(app.service.remove_upload(&bob(), file.id, Ok(())).await), Done, "it is still theirs");
    assert_eq!(app.attachments.ids(), []);
}

#[tokio::test]
async fn an_upload_is_removed_once_and_not_after_it_was_sent() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let [removed, sent] = [upload(&app, &alice(), id, "a").await.id, upload(&app, &alice(), id, "b").await.id];
    assert_eq!(Outcome::of(app.service.remove_upload(&alice(), removed, bad()).await), Invalid);
    assert_eq!(Outcome::of(app.service.remove_upload(&alice(), removed, Ok(())).await), Done);
    assert_eq!(Outcome::of(app.service.remove_upload(&alice(), removed, Ok(())).await), NotFound);
    assert_eq!(blamed(send(&app, &alice(), id, &[sent, removed]).await), ["attachmentIds[1]"]);
    send(&app, &alice(), id, &[sent]).await.unwrap();
    let late = app.service.remove_upload(&alice(), sent, Ok(())).await;
    assert!(matches!(late, Err(ChatError::Conflict(error::Conflict::AlreadySent))), "{late:?}");
    assert_eq!(Outcome::of(app.service.remove_upload(&bob(), sent, Ok(())).await), Conflict);
    assert_eq!(Outcome::of(app.service.remove_upload(&mallory(), sent, Ok(())).await), Forbidden);
    assert_eq!(app.attachments.ids(), [sent]);
}

#[tokio::test]
async fn the_ids_of_a_message_are_few_and_each_stands_once() {
    let app = App::with_rules(Rules { max_files: 2, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(upload(&app, &alice(), id, "a").await.id);
    }
    assert_eq!(blamed(send(&app, &alice(), id, &ids).await), ["attachmentIds"]);
    assert_eq!(blamed(send(&app, &alice(), id, &[ids[0], ids[0]]).await), ["attachmentIds[1]"]);
    assert_eq!(Outcome::of(send(&app, &carol(), id, &ids).await), Forbidden, "the right comes first");
    send(&app, &alice(), id, &ids[..2]).await.unwrap();
}

#[tokio::test]
async fn uploads_of_a_message_have_its_limit_of_bytes() {
    let app = App::with_rules(Rules { max_file_bytes: 6, max_message_bytes: 10, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let mut ids = Vec::new();
    for bytes in ["123456", "1234", "1"] {
        ids.push(upload(&app, &alice(), id, bytes).await.id);
    }
    assert_eq!(blamed(send(&app, &alice(), id, &ids).await), ["attachmentIds"]);
    send(&app, &alice(), id, &ids[..2]).await.unwrap();
}

#[tokio::test]
async fn content_and_ids_in_order_are_the_meaning_of_a_message() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let [a, b, c] = [
        upload(&app, &alice(), id, "same").await.id,
        upload(&app, &alice(), id, "same").await.id,
        upload(&app, &alice(), id, "same").await.id,
    ];
    let send = async |text: &str, uploads: &[AttachmentId]| {
        app.service.send_message(&alice(), id, with_uploads(text, uploads), key("k")).await
    };
    let first = send("x", &[a, b]).await.unwrap();
    let again = send("x", &[a, b]).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message, first.message);
    for (text, uploads) in [("y", &[a, b][..]), ("x", &[b, a]), ("x", &[a]), ("x", &[a, c]), ("x", &[])] {
        let answer = send(text, uploads).await;
        assert!(is_reused_key(&answer), "{text} with {uploads:?}: {answer:?}");
    }
    app.service.close_session(&alice(), id, Ok(())).await.unwrap();
    assert!(send("x", &[a, b]).await.unwrap().replayed, "also when the session was closed since");
}

#[tokio::test]
async fn a_file_that_breaks_a_rule_or_breaks_off_leaves_nothing() {
    let app = App::with_rules(Rules { max_file_bytes: 4, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    for bytes in ["", "12345"] {
        assert_eq!(blamed(app.service.upload_attachment(&alice(), id, Ok(upload_of(bytes))).await), ["file"]);
    }
    let broken = incoming_file("a", failing_after("half", ChatError::unavailable("the line broke")));
    assert_eq!(Outcome::of(app.service.upload_attachment(&alice(), id, Ok(broken)).await), Outcome::Failed);
    assert_eq!(app.attachments.ids(), []);
}

#[tokio::test]
async fn a_person_has_a_quota_of_unsent_files() {
    let quota = UploadQuota { files: 3, bytes: 10 };
    let app = App::with_rules(Rules { upload_quota: quota, ..Rules::default() });
    let (id, other) = (app.held_by_bob(1).await, app.waiting(&alice(), 2).await);
    let is_full = |answer: Result<()>| {
        assert!(matches!(answer, Err(ChatError::LimitReached(LimitReached::UnsentUploads { .. }))), "{answer:?}");
    };
    let first = upload(&app, &alice(), id, "123456").await.id;
    app.service.prepare_upload(&alice(), other, Ok(4)).await.unwrap();
    is_full(app.service.prepare_upload(&alice(), other, Ok(5)).await);
    is_full(app.service.upload_attachment(&alice(), other, Ok(upload_of("12345"))).await.map(drop));
    assert_eq!(app.attachments.ids(), [first], "the refused file is gone");
    upload(&app, &bob(), id, "1234567890").await;
    send(&app, &alice(), id, &[first]).await.unwrap();
    upload(&app, &alice(), other, "1234567890").await;
}

#[tokio::test]
async fn the_quota_comes_before_the_state_of_the_session() {
    let quota = UploadQuota { files: 3, bytes: 10 };
    let app = Arc::new(App::with_rules(Rules { upload_quota: quota, ..Rules::default() }));
    let (open, closed) = (app.held_by_bob(1).await, app.waiting(&alice(), 2).await);
    upload(&app, &alice(), open, "123456").await;
    app.service.close_session(&alice(), closed, Ok(())).await.unwrap();
    let is_full = |answer: Result<()>| {
        assert!(matches!(answer, Err(ChatError::LimitReached(LimitReached::UnsentUploads { .. }))), "{answer:?}");
    };
    is_full(app.service.prepare_upload(&alice(), closed, Ok(5)).await);
    assert_eq!(Outcome::of(app.service.prepare_upload(&alice(), closed, Ok(4)).await), Conflict);
    assert_eq!(Outcome::of(app.service.prepare_upload(&alice(), closed, bad()).await), Invalid);
    assert_eq!(Outcome::of(app.service.prepare_upload(&mallory(), closed, Ok(5)).await), Forbidden);
    // A session that is closed during the upload.
    let late = |id, bytes| Meanwhile { bytes, ..Meanwhile::closing(&app, id) };
    let file = incoming_file("a", Box::new(late(open, "12345")));
    is_full(app.service.upload_attachment(&alice(), open, Ok(file)).await.map(drop));
    // Of a file whose length is not known, the least counts.
    let fits = Ok(upload_of("12345"));
    assert_eq!(Outcome::of(app.service.upload_attachment(&alice(), closed, fits).await), Conflict);
    let other = app.waiting(&alice(), 3).await;
    upload(&app, &alice(), other, "1234").await;
    is_full(app.service.upload_attachment(&alice(), closed, Ok(upload_of("1"))).await.map(drop));
    assert_eq!(app.attachments.ids().len(), 2);
}

#[tokio::test]
async fn a_file_that_may_have_been_registered_stays_for_the_collector() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut uploads = MockUploadRegistry::new();
    uploads.expect_register().returning(|_, _| Err(ChatError::unavailable("the database went away")));
    let service = app.service_with(|ports| ports.uploads = Arc::new(uploads));
    assert_eq!(Outcome::of(service.upload_attachment(&alice(), id, Ok(upload_of("a"))).await), Outcome::Failed);
    assert_eq!(app.attachments.ids().len(), 1);
}

#[tokio::test]
async fn a_session_that_is_closed_or_handed_over_during_the_upload_takes_no_file() {
    let app = Arc::new(App::new());
    let id = app.held_by_bob(1).await;
    for (who, closes, expected) in [(bob(), false, Forbidden), (alice(), true, Conflict)] {
        let bytes = Meanwhile { closes, ..Meanwhile::closing(&app, id) };
        let late = app.service.upload_attachment(&who, id, Ok(incoming_file("a", Box::new(bytes)))).await;
        assert_eq!(Outcome::of(late), expected);
    }
    assert_eq!(app.attachments.ids(), []);
}

/// A file during whose upload the session is handed to Carol, or closed.
struct Meanwhile {
    app: Arc<App>,
    session: SessionId,
    closes: bool,
    bytes: &'static str,
    is_given: bool,
}

impl Meanwhile {
    fn closing(app: &Arc<App>, session: SessionId) -> Self {
        Self { app: Arc::clone(app), session, closes: true, bytes: "bytes", is_given: false }
    }
}

#[async_trait]
impl ByteSource for Meanwhile {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if std::mem::replace(&mut self.is_given, true) {
            return Ok(None);
        }
        if self.closes {
            self.app.service.close_session(&root(), self.session, Ok(())).await?;
        } else {
            self.app.transfer(self.session, Some(&carol())).await;
        }
        Ok(Some(Bytes::from_static(self.bytes.as_bytes())))
    }
}

#[tokio::test]
async fn an_upload_that_is_not_sent_in_time_is_forgotten() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let file = upload(&app, &alice(), id, "a").await.id;
    let collector = collector(&app);
    app.clock.advance(UnsentUpload::LIFETIME.saturating_sub(Duration::from_mins(1)));
    collector.collect(Removal::OfFew).await.unwrap();
    assert!(app.store.find(file).await.unwrap().is_some(), "and it is no orphan");
    app.clock.advance(Duration::from_mins(2));
    collector.collect(Removal::OfFew).await.unwrap();
    assert_eq!(blamed(send(&app, &alice(), id, &[file]).await), ["attachmentIds[0]"]);
    assert_eq!(app.attachments.ids(), [file], "the bytes take the way of orphans");
    app.clock.advance(Duration::from_hours(7 * 24 + 1));
    collector.collect(Removal::OfFew).await.unwrap();
    assert_eq!(app.attachments.ids(), []);
}
