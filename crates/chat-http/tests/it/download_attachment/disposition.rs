//! What a browser may show by itself, and under which name it saves the rest.

use super::stored;
use crate::support::{Store, TestApp};

async fn disposition_of(app: &TestApp, name: &str) -> String {
    let session = app.open_session("alice").await;
    let path = stored(app, &session, name, "text/plain", b"x").await;
    app.get("alice", &path).await.header("content-disposition").to_owned()
}

on_every_store! {
    async fn a_name_beyond_ascii_comes_in_both_forms(app) {
        // RFC 6266, 4.3 and appendix D; RFC 8187, 3.2.
        for (name, disposition) in [
            ("plain.txt", r#"attachment; filename="plain.txt""#),
            ("two words; and=more,signs.txt", r#"attachment; filename="two words; and=more,signs.txt""#),
            ("Grüße.txt", r#"attachment; filename="Gr__e.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"#),
            ("€ 'x' (1)*.txt", r#"attachment; filename="_ 'x' (1)*.txt"; filename*=UTF-8''%E2%82%AC%20%27x%27%20%281%29%2A.txt"#),
            ("100%.txt", r#"attachment; filename="100%.txt""#),
        ] {
            assert_eq!(disposition_of(app, name).await, disposition, "{name}");
        }
    }

    async fn no_name_breaks_out_of_its_header(app) {
        for name in [
            "a\\\"; filename=\\\"evil.exe", "a\\\\", "tab\t.txt", "nel\u{85}.txt",
            "a%22; filename=%22evil.exe", "a%0d%0aX-Evil: 1.txt",
        ] {
            let disposition = disposition_of(app, name).await;
            assert!(disposition.starts_with("attachment; filename=\""), "{name:?}: {disposition}");
            let plain = disposition.split("; filename*=").next().unwrap();
            assert_eq!(plain.matches('"').count(), 2, "{name:?}: {disposition}");
            assert!(disposition.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name:?}: {disposition}");
        }
    }
}

/// Looking at the bytes is the disk store's work; the memory store believes the sender.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_types_without_scripts_are_shown_inline_whatever_the_name() {
    let app = TestApp::start(Store::Sqlite).await;
    let session = app.open_session("alice").await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82";
    let svg = br#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    let html = b"<!doctype html><script>alert(1)</script>";
    for (claimed, bytes, served_as, disposition) in [
        ("application/octet-stream", &png[..], "image/png", "inline"),
        (
            "image/gif",
            b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0\x3b",
            "image/gif",
            "inline",
        ),
        ("image/svg+xml", svg, "image/svg+xml", "attachment"),
        ("image/png", svg, "image/svg+xml", "attachment"),
        ("image/png", html, "text/html; charset=utf-8", "attachment"),
        ("text/html", html, "text/html; charset=utf-8", "attachment"),
        ("image/jpeg", b"<?xml version=\"1.0\"?><root/>", "application/xml", "attachment"),
        ("image/jpeg", b"%PDF-1.7\n1 0 obj << /JS (app.alert(1)) >>", "application/pdf", "attachment"),
        ("text/javascript", b"alert(1)", "text/javascript; charset=utf-8", "attachment"),
        ("image/png", b"alert(1)", "text/plain; charset=utf-8", "attachment"),
        ("image/bmp", b"BM\0\0\0\0\x01\x02\xff", "image/bmp", "attachment"),
    ] {
        let path = stored(&app, &session, "photo.png", claimed, bytes).await;
        let answer = app.get("alice", &path).await;
        assert_eq!(answer.header("content-type"), served_as, "claimed as {claimed}");
        assert_eq!(
            answer.header("content-disposition"),
            format!("{disposition}; filename=\"photo.png\""),
            "{served_as}"
        );
        assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'", "{served_as}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{served_as}");
    }
    app.stop().await;
}
