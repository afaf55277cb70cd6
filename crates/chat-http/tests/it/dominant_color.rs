//! The colour of a picture, in all that shows its message.

use chat_testkit::media::png;
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Form, TestApp};

/// A GIF of one pixel in this colour.
fn pixel(colour: [u8; 3]) -> Vec<u8> {
    let [red, green, blue] = colour;
    let palette = [b"GIF89a\x01\0\x01\0\x80\0\0", &[red, green, blue, 255, 255, 255][..]].concat();
    [&palette[..], b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0\x3b"].concat()
}

/// Sends a picture, a damaged one and a text.
async fn sent(app: &TestApp, session: &str) -> Value {
    let form = Form::new()
        .file(0, "a.gif", "image/gif", &pixel([0xa1, 0xb2, 0x03]))
        .file(1, "b.png", "image/png", &png(40, 30))
        .file(2, "c.txt", "text/plain", b"hello");
    send(form.to(app, "alice", session)).await.expect(201)
}

#[track_caller]
fn assert_colors(message: &Value) {
    let colors: Vec<_> = (0..3).map(|file| message["attachments"][file]["metadata"].get("dominantColor")).collect();
    assert_eq!(colors, [Some(&json!("#a1b203")), None, None], "{message}");
}

on_every_store! {
    async fn a_message_has_the_colours_of_its_pictures_wherever_it_is_shown(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        let (mut extended, _) = app.watch_extended("alice", &session, "").await;
        let message = sent(app, &session).await;
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        let frames = [socket.next().await, extended.next().await];
        for shown in [&message, &page["messages"][0], &frames[0]["data"], &frames[1]["data"]] {
            assert_colors(shown);
        }
        // From the event log.
        let (mut replayed, _) = app.watch_extended("alice", &session, "?since=1").await;
        assert_colors(&replayed.next().await["data"]);
    }

    async fn an_upload_has_its_colour_before_and_after_it_is_sent(app) {
        let session = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{session}/attachments");
        let upload = app.request("alice", reqwest::Method::POST, &path).header("content-type", "image/gif");
        let upload = send(upload.body(pixel([1, 2, 3]))).await.expect(201);
        assert_eq!(upload["metadata"]["dominantColor"], "#010203");
        let body = json!({ "content": "", "attachmentIds": [upload["id"]] });
        let message = app.post("alice", &format!("/api/chat/sessions/{session}/messages"), body).await.expect(201);
        assert_eq!(message["attachments"], json!([upload]));
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        assert_eq!(page["messages"][0]["attachments"], json!([upload]));
    }
}
