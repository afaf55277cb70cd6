//! The colours that pictures have as they are stored.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::model::{Color, IdempotencyKey, MediaType, SessionId};
use chat_domain::ports::{IncomingFile, MockThumbnailMaker};
use chat_domain::service::{ChatService, SendMessage};
use chat_domain::write::Appended;
use chat_testkit::fixtures::alice;
use chat_testkit::form::{form, incoming_file, named_file};
use chat_testkit::source::from_bytes;

use crate::support::App;

const RED: Color = Color { red: 250, green: 10, blue: 1 };

/// With a maker that is asked for so many colours, and each time has the next of these.
fn coloring(app: &App, colors: impl IntoIterator<Item = Result<Option<Color>, ChatError>>) -> ChatService {
    let mut maker = MockThumbnailMaker::new();
    let colors: Vec<_> = colors.into_iter().collect();
    let times = colors.len();
    let mut colors = colors.into_iter();
    maker.expect_dominant_color().times(times).returning(move |_, _| colors.next().unwrap());
    app.service_with(|ports| ports.thumbnail_maker = Arc::new(maker))
}

async fn send(service: &ChatService, id: SessionId, types: &[&str], key: Option<&str>) -> Appended {
    let files = (0..).zip(types).map(|(position, media_type)| {
        named_file(position, "a", MediaType::parse(media_type), from_bytes("0123456789"))
    });
    let key = key.map(|key| Ok(IdempotencyKey::parse(key).unwrap()));
    service.send_message(&alice(), id, SendMessage::Form(form(files)), key).await.unwrap()
}

fn colors(sent: &Appended) -> Vec<Option<Color>> {
    sent.message.attachments.iter().map(|file| file.dominant_color).collect()
}

#[tokio::test]
async fn the_pictures_of_a_form_have_their_colours_and_other_files_none() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let service = coloring(&app, [Ok(Some(RED)), Ok(None), Ok(Some(RED))]);
    let sent = send(&service, id, &["image/png", "text/plain", "image/gif", "image/jpeg"], None).await;
    assert_eq!(colors(&sent), [Some(RED), None, None, Some(RED)]);
}

#[tokio::test]
async fn after_a_picture_that_there_is_no_time_for_the_message_waits_for_no_other() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let service = coloring(&app, [Ok(Some(RED)), Err(ChatError::unavailable("no slot"))]);
    let sent = send(&service, id, &["image/png"; 4], None).await;
    assert_eq!(colors(&sent), [Some(RED), None, None, None]);
    let service = coloring(&app, [Err(ChatError::internal("damaged"))]);
    assert_eq!(colors(&send(&service, id, &["image/webp"; 2], None).await), [None, None]);
}

#[tokio::test]
async fn an_upload_takes_its_colour_into_its_message() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let service = coloring(&app, [Ok(Some(RED))]);
    let file = incoming_file("a.png", from_bytes("0123456789"));
    let file = IncomingFile { claimed_type: MediaType::parse("image/png"), ..file };
    let uploaded = service.upload_attachment(&alice(), id, Ok(file)).await.unwrap();
    assert_eq!(uploaded.dominant_color, Some(RED));
    let content = chat_domain::service::MessageContent { text: String::new(), uploads: vec![uploaded.id] };
    let sent = service.send_message(&alice(), id, SendMessage::Content(Ok(content)), None).await.unwrap();
    assert_eq!(sent.message.attachments, [uploaded]);
}

#[tokio::test]
async fn a_repetition_is_recognised_whatever_colour_was_found() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let service = coloring(&app, [Ok(None), Ok(Some(RED))]);
    let first = send(&service, id, &["image/png"], Some("key")).await;
    let second = send(&service, id, &["image/png"], Some("key")).await;
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.message, second.message);
}

#[test]
fn a_colour_is_a_number_of_24_bits_and_reads_as_in_css() {
    for (number, text) in [(0, "#000000"), (0xff_ffff, "#ffffff"), (0x0a_b0_01, "#0ab001")] {
        let color = Color::from_number(number).unwrap();
        assert_eq!((color.number(), color.to_string()), (number, text.to_owned()));
    }
    assert_eq!(Color::from_number(0x0100_0000), None);
    assert_eq!(RED.to_string(), "#fa0a01");
}
