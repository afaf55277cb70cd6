//! Downloading attachments.

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{AttachmentId, ByteRange, MediaType};
use chat_domain::ports::AttachmentStore;
use chat_domain::service::SendMessage;
use chat_testkit::fixtures::{alice, attachment_id, bob, carol, mallory, root};
use chat_testkit::form;
use chat_testkit::source::{from_bytes, read_to_end};

use crate::support::App;

/// A file of Alice in a session that Bob holds.
async fn sent_file(app: &App) -> AttachmentId {
    let id = app.held_by_bob(1).await;
    let file = form::named_file(0, "a.txt", MediaType::parse("text/plain"), from_bytes("0123456789"));
    let sent = app.service.send_message(&alice(), id, SendMessage::Form(form::form([file])), None).await.unwrap();
    sent.message.attachments[0].id
}

#[tokio::test]
async fn a_caller_who_may_see_the_session_gets_the_bytes() {
    let app = App::new();
    let file = sent_file(&app).await;
    for who in [alice(), bob(), root()] {
        let download = app.service.download_attachment(&who, file).await.unwrap();
        assert_eq!(download.attachment.object.media_type.as_str(), "text/plain");
        assert_eq!(read_to_end(download.open(None).await.unwrap()).await.unwrap(), "0123456789");
        let part = download.open(ByteRange::new(2, 4)).await.unwrap();
        assert_eq!(read_to_end(part).await.unwrap(), "234");
    }
    for who in [mallory(), carol()] {
        let refused = app.service.download_attachment(&who, file).await;
        assert!(matches!(refused, Err(ChatError::Forbidden(_))));
    }
}

#[tokio::test]
async fn an_unknown_attachment_is_refused_first() {
    let app = App::new();
    for who in [mallory(), root()] {
        let answer = app.service.download_attachment(&who, attachment_id(9)).await;
        assert!(matches!(answer, Err(ChatError::NotFound(Resource::Attachment))));
    }
}

#[tokio::test]
async fn bytes_that_the_store_has_lost_are_a_failure_and_not_an_unknown_file() {
    let app = App::new();
    let file = sent_file(&app).await;
    app.attachments.delete(file).await.unwrap();
    let download = app.service.download_attachment(&alice(), file).await.unwrap();
    assert!(matches!(download.open(None).await, Err(ChatError::Internal(_))));
}
