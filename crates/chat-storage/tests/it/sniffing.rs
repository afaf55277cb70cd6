//! What bytes are taken for, whatever they are claimed to be.

use crate::media::{flac, gif, id3, jpeg, mp3_frame, mp4, mvhd, opus, png, trak, video_track, wav, webm, webp};
use crate::support::TestStore;

#[tokio::test]
async fn the_type_is_told_from_the_bytes() {
    let svg = b"<?xml version=\"1.0\"?>\n<!-- a --><!DOCTYPE svg><svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    let zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a";
    let video = [mvhd(1000, 1000), trak(640, 480, false)];
    let cases: [(&[u8], &str, &str); 36] = [
        (&png(1, 1), "text/html", "image/png"),
        (&jpeg(1, 1, 10), "image/png", "image/jpeg"),
        (&gif(1, 1), "image/png", "image/gif"),
        (&webp(1, 1), "image/png", "image/webp"),
        (svg, "image/png", "image/svg+xml"),
        (b"<svg onload='alert(1)'/>", "image/png", "image/svg+xml"),
        (b"\xef\xbb\xbf \n<SVG>", "text/plain", "image/svg+xml"),
        (b"<!-- x --> <svg>\0\xff", "image/png", "image/svg+xml"),
        (b"<!DOCTYPE html><p>hi", "image/png", "text/html"),
        (b"\n\t<script>alert(1)</script>", "text/plain", "text/html"),
        (b"<ScRiPt src=x>", "text/csv", "text/html"),
        (b"<!-- never closed", "text/plain", "text/html"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "text/plain", "application/xhtml+xml"),
        (b"<?xml version='1.0'?><rss/>", "text/plain", "application/xml"),
        (b"%PDF-1.4 all of it text", "text/html", "application/pdf"),
        (b"%PDF-1.4\n\xe2\xe3\xcf\xd3\0", "image/png", "application/pdf"),
        (&mp4(&video), "image/png", "video/mp4"),
        (&wav(16_000, 100, 100), "image/png", "audio/wav"),
        (&[id3(0), mp3_frame()].concat(), "image/png", "audio/mpeg"),
        (&flac(44_100, 1), "image/png", "audio/flac"),
        (&opus(48_000), "video/ogg", "audio/ogg"),
        (&webm(1.0, &video_track(2, 2)), "image/png", "video/webm"),
        (zip, "image/png", "application/zip"),
        (b"MZ\x90\0\x03\0\0\0", "image/png", "application/vnd.microsoft.portable-executable"),
        (b"#!/usr/bin/env node\nrequire('x')", "text/plain", "text/x-shellscript"),
        (b"alert(1)", "application/javascript", "text/javascript"),
        (b"alert(1)", "text/html", "text/plain"),
        (b"a,b\n1,2", "text/csv; charset=utf-8", "text/csv"),
        (b"# Title", "text/markdown", "text/markdown"),
        (b"{\"a\":1}", "application/json", "application/json"),
        (b"{\"a\":1}", "application/pdf", "text/plain"),
        ("Grüße, \u{1f600}".as_bytes(), "image/png", "text/plain"),
        (b"BMW and MZ are motor cycles", "image/bmp", "text/plain"),
        (b"words with a \0", "text/plain", "application/octet-stream"),
        (b"Gr\xfc\xdfe in Latin-1", "text/plain", "application/octet-stream"),
        (b"\x01\x02\x03\x04", "image/png", "application/octet-stream"),
    ];
    let store = TestStore::open();
    for (n, (bytes, claim, expected)) in (0..).zip(cases) {
        let stored = store.put_claimed(n, bytes, claim).await;
        assert_eq!(
            stored.media_type.as_str(),
            expected,
            "{:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
        );
    }
}

#[tokio::test]
async fn text_is_text_to_its_last_byte() {
    let store = TestStore::open();
    let mut long = "ü".repeat(400_000).into_bytes();
    assert_eq!(store.put_claimed(1, &long, "text/csv").await.media_type.as_str(), "text/csv");
    long.push(0);
    assert_eq!(store.put_claimed(2, &long, "text/csv").await.media_type.as_str(), "application/octet-stream");
}
