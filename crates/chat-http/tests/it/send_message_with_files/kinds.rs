//! Files as people really send them, from the upload to the headers of the download: one of each kind.
//!
//! Looking at the bytes is the disk store's work; the memory store believes the sender.

use chat_testkit::media::{
    ASF_AUDIO, asf, audio_track, branded, fragment, fragmented_mp4, mvex, mvhd, png, recorded_webm, timed_trak,
    turned_jpeg, utf16, zip,
};
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Form, Store, TestApp};

/// The name, the claimed type and the bytes of a file; its type and metadata in JSON; the type and the disposition of
/// its download.
type Case = (&'static str, &'static str, Vec<u8>, &'static str, Value, &'static str, &'static str);

fn cases() -> Vec<Case> {
    let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let voice = recorded_webm(&audio_track(), &[(0, &[0, 60]), (3_000, &[0, 60])]);
    let movie = [mvhd(1000, 0), timed_trak(1, 44_100, 0, 0), mvex(1, 1024)];
    let safari = fragmented_mp4(&movie, &[fragment(1, Some(0), Err(43)), fragment(1, Some(44_032), Err(20))]);
    let text = vec![b'x'; 50_000];
    let document = zip(&[("word/document.xml", &text), ("[Content_Types].xml", b"<Types/>")]);
    let photo = json!({ "width": 3000, "height": 4000 });
    let none = Value::Null;
    let same = |name, claimed, bytes, kind, disposition| (name, claimed, bytes, kind, Value::Null, kind, disposition);
    vec![
        ("portrait.jpg", "image/jpeg", turned_jpeg(4000, 3000, 6, false), "image/jpeg", photo, "image/jpeg", "inline"),
        same("bomb.png", "image/png", png(100_000, 100_000), "image/png", "inline"),
        ("voice.webm", "video/webm", voice, "audio/webm", json!({ "duration": 3.06 }), "audio/webm", "inline"),
        ("voice.mp4", "audio/mp4", safari, "audio/mp4", json!({ "duration": 1.463 }), "audio/mp4", "inline"),
        same("letter.docx", "application/octet-stream", document, word, "attachment"),
        same("photo.heic", "image/jpeg", branded(b"heic", b"mif1heic"), "image/heic", "attachment"),
        same("speech.amr", "audio/3gpp", b"#!AMR\n\x3c\0\0".to_vec(), "audio/amr", "attachment"),
        same("sound.wma", "video/x-ms-asf", asf(&[ASF_AUDIO]), "audio/x-ms-wma", "attachment"),
        same("data.json", "application/json", b"{\"a\":1}".to_vec(), "application/json", "attachment"),
        (
            "list.csv",
            "application/vnd.ms-excel",
            b"a;b\r\n1;2".to_vec(),
            "text/csv",
            none.clone(),
            "text/csv; charset=utf-8",
            "attachment",
        ),
        (
            "card.vcf",
            "text/x-vcard",
            b"BEGIN:VCARD\r\nN:M\xfcller\r\n".to_vec(),
            "text/vcard; charset=iso-8859-1",
            none.clone(),
            "text/vcard; charset=iso-8859-1",
            "attachment",
        ),
        (
            "meeting.ics",
            "text/calendar",
            b"BEGIN:VCALENDAR\r\n".to_vec(),
            "text/calendar",
            none.clone(),
            "text/calendar; charset=utf-8",
            "attachment",
        ),
        (
            "notes.txt",
            "text/plain",
            utf16("Grüße", true),
            "text/plain; charset=utf-16",
            none,
            "text/plain; charset=utf-16",
            "attachment",
        ),
    ]
}

/// A database stores the type and the dimensions, and a download has them.
async fn every_attachment_type_is_returned(store: Store) {
    let app = TestApp::start(store).await;
    let session = app.open_session("alice").await;
    for (name, claimed, bytes, kind, metadata, served_as, disposition) in cases() {
        let form = Form::new().file(0, name, claimed, &bytes);
        let file = send(form.to(&app, "alice", &session)).await.expect(201)["attachments"][0].clone();
        assert_eq!((&file["type"], &file["name"]), (&json!(kind), &json!(name)));
        assert_eq!(file.get("metadata").cloned().unwrap_or_default(), metadata, "{name}");
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages?limit=1")).await.expect(200);
        assert_eq!(page["messages"][0]["attachments"][0], file, "as it was stored");
        let answer = app.get("alice", &format!("/api/chat/attachments/{}", file["id"].as_str().unwrap())).await;
        assert_eq!(answer.header("content-type"), served_as, "{name}");
        assert_eq!(answer.header("content-disposition"), format!("{disposition}; filename=\"{name}\""));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.bytes, bytes, "{name}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attachment_type_is_returned_on_sqlite() {
    every_attachment_type_is_returned(Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Postgres: cargo xtask test"]
async fn every_attachment_type_is_returned_on_postgres() {
    every_attachment_type_is_returned(Store::Postgres).await;
}
