//! Getting the thumbnail of an attachment.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::{Invalid, Resource};
use chat_domain::model::{
    AttachmentId, MediaMetadata, MediaType, Principal, StoredObject, Thumbnail, ThumbnailFormat, ThumbnailOutcome,
    ThumbnailSize,
};
use chat_domain::ports::{AttachmentStore, MockThumbnailMaker, ThumbnailStore};
use chat_domain::service::{ChatService, SendMessage};
use chat_testkit::fixtures::{alice, attachment_id, bob, carol, mallory, root};
use chat_testkit::form::{form, named_file};
use chat_testkit::source::from_bytes;

use crate::support::App;

/// A file of Alice, of this type, in a session that Bob holds.
async fn sent_file(app: &App, media_type: &str) -> AttachmentId {
    let id = app.held_by_bob(1).await;
    let file = named_file(0, "a", MediaType::parse(media_type), from_bytes("0123456789"));
    let sent = app.service.send_message(&alice(), id, SendMessage::Form(form([file])), None).await;
    sent.unwrap().message.attachments[0].id
}

fn made() -> ThumbnailOutcome {
    ThumbnailOutcome::Made(Thumbnail { format: ThumbnailFormat::Jpeg, bytes: "small".into() })
}

/// With a maker that makes so many thumbnails, all alike, and fails the test when it is asked for more.
fn making(app: &App, times: usize, outcome: ThumbnailOutcome) -> ChatService {
    let mut maker = MockThumbnailMaker::new();
    maker.expect_make().times(times).returning(move |_, _, _| Ok(outcome.clone()));
    app.service_with(|ports| ports.thumbnail_maker = Arc::new(maker))
}

async fn refused(service: &ChatService, who: &Principal, id: AttachmentId) -> ChatError {
    service.get_thumbnail(who, id, Ok(ThumbnailSize::Small)).await.unwrap_err()
}

#[tokio::test]
async fn who_may_download_a_picture_gets_its_thumbnail() {
    let app = App::new();
    let picture = sent_file(&app, "image/png").await;
    let service = making(&app, 3, made());
    for who in [alice(), bob(), root()] {
        let thumbnail = service.get_thumbnail(&who, picture, Ok(ThumbnailSize::Large)).await.unwrap();
        assert_eq!(thumbnail.bytes, "small");
    }
    for who in [mallory(), carol()] {
        assert!(matches!(refused(&service, &who, picture).await, ChatError::Forbidden(_)));
    }
}

#[tokio::test]
async fn an_unknown_attachment_comes_before_a_missing_right_and_that_before_a_wrong_size() {
    let app = App::new();
    let picture = sent_file(&app, "image/png").await;
    let service = making(&app, 0, made());
    let wrong = || Err(Invalid::new("size", "must be 160 or 640"));
    let unknown = service.get_thumbnail(&mallory(), attachment_id(404), wrong()).await;
    assert!(matches!(unknown, Err(ChatError::NotFound(Resource::Attachment))));
    let foreign = service.get_thumbnail(&mallory(), picture, wrong()).await;
    assert!(matches!(foreign, Err(ChatError::Forbidden(_))));
    let invalid = service.get_thumbnail(&alice(), picture, wrong()).await;
    assert!(matches!(invalid, Err(ChatError::Invalid(_))));
}

#[tokio::test]
async fn a_saved_thumbnail_is_not_made_again() {
    let app = App::new();
    let picture = sent_file(&app, "image/png").await;
    let service = making(&app, 0, made());
    app.attachments.save(picture, ThumbnailSize::Small, ThumbnailOutcome::Impossible).await.unwrap();
    app.attachments.save(picture, ThumbnailSize::Large, made()).await.unwrap();
    assert!(matches!(refused(&service, &alice(), picture).await, ChatError::NotFound(Resource::Thumbnail)));
    let thumbnail = service.get_thumbnail(&alice(), picture, Ok(ThumbnailSize::Large)).await.unwrap();
    assert_eq!(thumbnail.bytes, "small");
    app.attachments.delete(picture).await.unwrap();
}

#[tokio::test]
async fn of_a_picture_that_none_can_be_made_of_there_is_none() {
    let app = App::new();
    let picture = sent_file(&app, "image/webp").await;
    let service = making(&app, 1, ThumbnailOutcome::Impossible);
    assert!(matches!(refused(&service, &alice(), picture).await, ChatError::NotFound(Resource::Thumbnail)));
}

#[tokio::test]
async fn of_a_file_that_is_no_picture_none_is_tried() {
    let app = App::new();
    let text = sent_file(&app, "text/plain").await;
    let service = making(&app, 0, made());
    assert!(matches!(refused(&service, &alice(), text).await, ChatError::NotFound(Resource::Thumbnail)));
}

#[test]
fn whether_there_may_be_a_thumbnail_follows_from_type_size_and_pixels() {
    let object = |media_type: &str, size, pixels: Option<(u32, u32)>| StoredObject {
        size,
        sha256: [0; 32],
        media_type: MediaType::parse(media_type).unwrap(),
        metadata: MediaMetadata {
            width: pixels.map(|(width, _)| width),
            height: pixels.map(|(_, height)| height),
            duration: None,
        },
    };
    let most = 32 * 1024 * 1024;
    for (media_type, size, pixels, expected) in [
        ("image/jpeg", 1, Some((8_000, 6_250)), true),
        ("image/jpeg", 1, Some((8_000, 6_251)), false),
        ("image/jpeg", 1, Some((u32::MAX, u32::MAX)), false),
        ("image/png", 1, Some((30_000, 30_000)), false),
        ("image/png", 1, Some((0, 0)), false),
        ("image/gif", 1, Some((0, 5)), false),
        ("image/webp", 1, Some((65_535, 1)), true),
        ("image/webp", 1, Some((1, 65_536)), false),
        ("image/png", most, None, true),
        ("image/png", most + 1, None, false),
        ("image/gif", 1, None, true),
        ("image/webp", 1, None, true),
        ("image/avif", 1, Some((10, 10)), false),
        ("image/svg+xml", 1, None, false),
        ("video/mp4", 1, Some((10, 10)), false),
        ("text/plain; charset=utf-16", 1, None, false),
    ] {
        assert_eq!(object(media_type, size, pixels).may_have_thumbnail(), expected, "{media_type} {size} {pixels:?}");
    }
}

#[test]
fn dimensions_that_no_picture_has_are_not_plausible() {
    let stated = |width, height| MediaMetadata { width: Some(width), height: Some(height), duration: Some(1.0) };
    let without = MediaMetadata { width: None, height: None, duration: Some(1.0) };
    for (width, height, expected) in [
        (16_384, 16_384, stated(16_384, 16_384)),
        (1 << 28, 1, stated(1 << 28, 1)),
        (16_384, 16_385, without),
        (u32::MAX, u32::MAX, without),
        (0, 5, without),
        (0, 0, without),
    ] {
        assert_eq!(stated(width, height).plausible(), expected, "{width} {height}");
    }
    assert_eq!(without.plausible(), without);
}
