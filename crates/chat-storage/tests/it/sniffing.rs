//! What bytes are taken for, whatever they are claimed to be.
use std::time::Duration;

use chat_domain::model::MediaMetadata;
use chat_storage::RECOGNISED_TYPES;
use chat_testkit::media::{
    ASF_AUDIO, ASF_VIDEO, asf, audio_track, branded, element, flac, gif, id3, jpeg, mp3_frame, mp4, mp4_box, mvhd,
    opus, png, recorded_webm, trak, utf16, video_track, wav, webm, webp, zip,
};

use crate::support::TestStore;

#[tokio::test]
async fn the_type_follows_from_the_bytes() {
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
        (b"Gr\xfc\xdfe in Latin-1", "text/plain", "text/plain; charset=iso-8859-1"),
        (b"\x01\x02\x03\x04", "image/png", "application/octet-stream"),
    ];
    expect(&cases).await;
}

#[tokio::test]
async fn text_is_text_to_its_last_byte() {
    let store = TestStore::open();
    let mut long = "ü".repeat(400_000).into_bytes();
    assert_eq!(store.put_claimed(1, &long, "text/csv").await.media_type.as_str(), "text/csv");
    long.push(0);
    assert_eq!(store.put_claimed(2, &long, "text/csv").await.media_type.as_str(), "application/octet-stream");
}

#[tokio::test]
async fn a_text_that_is_not_utf8_is_text_with_its_character_set() {
    let utf16_html = utf16(" <!DOCTYPE html><script>alert(1)</script>", true);
    let cases: [(&[u8], &str, &str); 12] = [
        (&utf16("Grüße, \u{1f600}", true), "image/png", "text/plain; charset=utf-16"),
        (&utf16("Grüße, \u{1f600}", false), "text/markdown", "text/markdown; charset=utf-16"),
        (&utf16("a\tb\n1\t2", true), "text/csv", "text/csv; charset=utf-16"),
        // JSON is UTF-8 in all its versions that matter.
        (&utf16("{\"a\":1}", true), "application/json", "text/plain; charset=utf-16"),
        (&utf16_html, "text/plain", "text/html; charset=utf-16"),
        (&utf16("<svg onload='alert(1)'/>", false), "image/png", "image/svg+xml"),
        (b"Stra\xdfe;M\xfcnchen;5\n", "text/csv", "text/csv; charset=iso-8859-1"),
        (b"5 \x80;M\xfcnchen\n", "application/vnd.ms-excel", "text/csv; charset=windows-1252"),
        (b"<p>Gr\xfc\xdfe</p>", "text/plain", "text/html; charset=iso-8859-1"),
        (b"BEGIN:VCARD\r\nVERSION:2.1\r\nN:M\xfcller", "text/x-vcard", "text/vcard; charset=iso-8859-1"),
        (b"\xef\xbb\xbfa;b", "text/csv", "text/csv"),
        // Most of it beyond ASCII: another character set, which nothing names.
        (b"\xcf\xf0\xe8\xe2\xe5\xf2", "text/plain", "application/octet-stream"),
    ];
    expect(&cases).await;
}

#[tokio::test]
async fn a_claim_is_kept_when_the_bytes_are_text_of_that_kind() {
    let cases: [(&[u8], &str, &str); 19] = [
        (b"a,b\n1,2", "text/csv", "text/csv"),
        (b"a;b\n1;2", "application/vnd.ms-excel", "text/csv"),
        (b"just words", "application/vnd.ms-excel", "text/plain"),
        (b"a,b", "text/comma-separated-values", "text/csv"),
        (b" \n{\"a\":1}", "application/json", "application/json"),
        (b"[1]", "application/json", "application/json"),
        (b"-1", "application/json", "application/json"),
        (b"null", "application/json", "application/json"),
        (b"\xef\xbb\xbf{}", "application/json", "application/json"),
        (b"{}\n{}", "application/x-ndjson", "application/x-ndjson"),
        (b"{}", "application/geo+json", "application/geo+json"),
        (b"words", "application/json", "text/plain"),
        (b"alert(1)", "application/json", "text/plain"),
        // These two begin with their name, whatever is claimed.
        (b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:A\r\nEND:VCARD", "text/vcard", "text/vcard"),
        (b"begin:vcard\nversion:3.0", "application/octet-stream", "text/vcard"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0", "text/calendar", "text/calendar"),
        (b"\xef\xbb\xbfBEGIN:VCALENDAR\r\n", "text/plain", "text/calendar"),
        (b"words", "text/vcard", "text/plain"),
        (b"words", "text/calendar", "text/plain"),
    ];
    expect(&cases).await;
}

#[tokio::test]
async fn containers_are_told_by_their_brands_and_tracks() {
    let film = |major: &[u8; 4], tracks: &[Vec<u8>]| {
        let movie = [mvhd(1000, 1000)].into_iter().chain(tracks.iter().cloned()).collect::<Vec<_>>().concat();
        [branded(major, b"isom")[..20].to_vec(), mp4_box(*b"moov", &movie)].concat()
    };
    let (sound, pictures) = (trak(0, 0, false), trak(176, 144, false));
    let both = [sound.clone(), pictures];
    let packet = [b"\x47\x1f\xff\x10".as_slice(), &[0xff; 184]].concat();
    let timed_packet = [b"\0\0\0\0".as_slice(), &packet].concat();
    let cases: [(&[u8], &str, &str); 27] = [
        (&branded(b"heic", b"mif1heic"), "image/jpeg", "image/heic"),
        (&branded(b"heix", b"mif1heix"), "", "image/heic"),
        (&branded(b"mif1", b"mif1miafheic"), "", "image/heic"),
        (&branded(b"mif1", b"mif1avifmiaf"), "", "image/avif"),
        (&branded(b"avif", b"mif1miaf"), "", "image/avif"),
        (&branded(b"avis", b"msf1"), "", "image/avif"),
        (&branded(b"hevc", b"msf1"), "", "image/heic-sequence"),
        (&branded(b"msf1", b"msf1hevc"), "", "image/heic-sequence"),
        (&branded(b"mif1", b"mif1miaf"), "", "image/heif"),
        (&branded(b"qt  ", b"qt  "), "", "video/quicktime"),
        (&branded(b"M4A ", b"M4A mp42"), "", "audio/mp4"),
        (&branded(b"cmfc", b"iso6"), "", "video/mp4"),
        (&branded(b"XAVC", b"XAVCmp42"), "", "video/mp4"),
        (&film(b"3gp4", &both), "video/mp4", "video/3gpp"),
        (&film(b"3gp6", std::slice::from_ref(&sound)), "", "audio/3gpp"),
        (&film(b"3g2a", &both), "", "video/3gpp2"),
        (&film(b"3g2a", std::slice::from_ref(&sound)), "", "audio/3gpp2"),
        (&film(b"isom", &[sound]), "", "audio/mp4"),
        (&packet.repeat(4), "video/mp2t", "video/mp2t"),
        (&timed_packet.repeat(4), "", "video/mp2t"),
        (b"#!AMR\n\x3c\x0a\x14", "", "audio/amr"),
        (b"#!AMR\n<aaa", "text/plain", "audio/amr"),
        (b"#!AMR-WB\n\x04\x0a\x14", "", "audio/amr-wb"),
        (&asf(&[ASF_AUDIO]), "video/x-ms-wmv", "audio/x-ms-wma"),
        (&asf(&[ASF_AUDIO, ASF_VIDEO]), "", "video/x-ms-wmv"),
        (&asf(&[]), "", "video/x-ms-asf"),
        (&recorded_webm(&audio_track(), &[(0, &[0])]), "video/webm", "audio/webm"),
    ];
    expect(&cases).await;
}

#[tokio::test]
async fn documents_are_told_whatever_the_order_and_size_of_their_entries() {
    const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    const EXCEL: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    const POWER_POINT: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
    let large = vec![b'x'; 100_000];
    let types = ("[Content_Types].xml", &b"<Types/>"[..]);
    let office = |parts: &[(&str, &[u8])]| zip(&[parts, &[types]].concat());
    let declared = |kind: &'static str| {
        let mimetype = ("mimetype", kind.as_bytes());
        [zip(&[mimetype, ("content.xml", b"x")]), zip(&[("content.xml", &large), mimetype, ("z", b"")])]
    };
    let mut cases = vec![
        (office(&[("word/document.xml", &large)]), WORD),
        (office(&[("docProps/thumbnail.jpeg", &large), ("_rels/.rels", b"x"), ("word/document2.xml", b"x")]), WORD),
        (zip(&[types, ("_rels/.rels", &large), ("word/document.xml", b"x"), ("word/embeddings/a.xlsx", b"x")]), WORD),
        (office(&[("customXml/item1.xml", &large), ("xl/workbook.xml", b"x")]), EXCEL),
        (office(&[("ppt/media/image1.png", &large), ("ppt/presentation.xml", b"x")]), POWER_POINT),
        (
            office(&[("word/vbaProject.bin", b"x"), ("word/document.xml", b"x")]),
            "application/vnd.ms-word.document.macroenabled.12",
        ),
        (office(&[("xl/workbook.bin", b"x")]), "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
        (zip(&[("META-INF/container.xml", b"x"), ("OEBPS/a.opf", b"x")]), "application/epub+zip"),
        // Archives of documents are archives, and so are others that name a type.
        (zip(&[("word/document.xml", b"x")]), "application/zip"),
        (zip(&[("a.docx", b"x"), ("[Content_Types].xml.txt", b"x")]), "application/zip"),
        (zip(&[("mimetype", b"text/html")]), "application/zip"),
        (zip(&[]), "application/zip"),
    ];
    for kind in [
        "application/epub+zip",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
    ] {
        cases.extend(declared(kind).map(|file| (file, kind)));
    }
    let store = TestStore::open();
    for (n, (bytes, expected)) in (0..).zip(&cases) {
        let stored = store.put_claimed(n, bytes, "application/zip").await;
        assert_eq!(stored.media_type.as_str(), *expected, "case {n}");
        // Behind something else, such as the program of an archive that unpacks itself, and before a comment.
        if n < 8 {
            let mut commented = bytes.clone();
            let end = commented.len() - 2;
            commented[end..].copy_from_slice(&4_u16.to_le_bytes());
            commented.extend(b"note");
            assert_eq!(store.put(n + 100, &commented).await.media_type.as_str(), *expected, "case {n} with a comment");
        }
    }
}

/// What is claimed, and bytes.
type Sample = (&'static str, Vec<u8>);

fn pictures_sound_and_film() -> Vec<Sample> {
    let track = |width, height| mp4(&[mvhd(1000, 1000), trak(width, height, false)]);
    let of_brand = |major: &[u8; 4], tracks: Vec<u8>| [branded(major, b"isom")[..20].to_vec(), tracks].concat();
    let tiff = b"II\x2a\0\x08\0\0\0\x01\0\0\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0".to_vec();
    let matroska = [element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x88matroska"), vec![0; 300]].concat();
    let packet = [b"\x47\x1f\xff\x10".as_slice(), &[0xff; 184]].concat();
    let samples = [
        branded(b"avif", b"mif1"),
        b"BM\0\0\0\0\x01\x02\xff".to_vec(),
        gif(1, 1),
        branded(b"heic", b"mif1"),
        branded(b"hevc", b"msf1"),
        branded(b"mif1", b"mif1"),
        jpeg(1, 1, 0),
        png(1, 1),
        b"<svg/>".to_vec(),
        tiff,
        webp(1, 1),
        of_brand(b"3gp4", track(0, 0)),
        of_brand(b"3g2a", track(0, 0)),
        b"\xff\xf1\x50\x80\0\x1f\xfc".to_vec(),
        b"#!AMR\n\x3c\0\0".to_vec(),
        b"#!AMR-WB\n\x04\0".to_vec(),
        flac(44_100, 1),
        track(0, 0),
        mp3_frame(),
        opus(48_000),
        wav(16_000, 100, 100),
        webm(1.0, &audio_track()),
        asf(&[ASF_AUDIO]),
        of_brand(b"3gp4", track(2, 2)),
        of_brand(b"3g2a", track(2, 2)),
        packet.repeat(4),
        track(2, 2),
        branded(b"qt  ", b"qt  "),
        webm(1.0, &video_track(2, 2)),
        matroska,
        asf(&[]),
        asf(&[ASF_VIDEO]),
    ];
    samples.map(|bytes| ("", bytes)).into()
}

fn documents_and_text() -> Vec<Sample> {
    let office = |names: &[&'static str]| {
        let names = names.iter().copied().chain(["[Content_Types].xml"]);
        zip(&names.map(|name| (name, &b"x"[..])).collect::<Vec<_>>())
    };
    let declared = |kind: &str| zip(&[("mimetype", kind.as_bytes())]);
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("", declared("application/epub+zip")),
        ("", b"%PDF-1.7\n\0".to_vec()),
        ("", text("{\\rtf1 a}")),
        ("", office(&["xl/workbook.bin"])),
        ("", office(&["xl/workbook.xml", "xl/vbaProject.bin"])),
        ("", office(&["ppt/presentation.xml", "ppt/vbaProject.bin"])),
        ("", office(&["word/document.xml", "word/vbaProject.bin"])),
        ("", declared("application/vnd.oasis.opendocument.presentation")),
        ("", declared("application/vnd.oasis.opendocument.spreadsheet")),
        ("", declared("application/vnd.oasis.opendocument.text")),
        ("", office(&["ppt/presentation.xml"])),
        ("", office(&["xl/workbook.xml"])),
        ("", office(&["word/document.xml"])),
        ("", zip(&[("a.txt", b"x")])),
        ("application/geo+json", text("{}")),
        ("application/json", text("{}")),
        ("application/ld+json", text("{}")),
        ("application/x-ndjson", text("{}")),
        ("", text("<?xml version='1.0'?><html/>")),
        ("", text("<?xml version='1.0'?><rss/>")),
        ("", text("BEGIN:VCALENDAR\r\n")),
        ("text/csv", text("a,b")),
        ("", text("<!doctype html>")),
        ("text/javascript", text("alert(1)")),
        ("text/markdown", text("# a")),
        ("", text("words")),
        ("text/tab-separated-values", text("a\tb")),
        ("", text("BEGIN:VCARD\r\n")),
        ("", text("#!/bin/sh\n")),
    ]
}

/// The list that the reference document is made of.
#[tokio::test]
async fn every_type_of_the_list_is_recognised_by_bytes() {
    let store = TestStore::open();
    let mut told = Vec::new();
    for (n, (claim, bytes)) in (0..).zip([pictures_sound_and_film(), documents_and_text()].concat()) {
        told.push(store.put_claimed(n, &bytes, claim).await.media_type.to_string());
    }
    let listed: Vec<&str> = RECOGNISED_TYPES.iter().flat_map(|(_, types)| types.iter().copied()).collect();
    assert_eq!(told, listed);
}

#[tokio::test]
async fn the_type_does_not_depend_on_the_clock() {
    let store = TestStore::with_metadata_time(Duration::ZERO);
    let epub = zip(&[("mimetype", b"application/epub+zip"), ("META-INF/container.xml", b"<container/>")]);
    let voice = mp4(&[mvhd(600, 1800), trak(0, 0, false)]);
    let cases = [
        (epub, "application/epub+zip"),
        (voice, "audio/mp4"),
        (webm(3000.0, &audio_track()), "audio/webm"),
        (asf(&[ASF_AUDIO]), "audio/x-ms-wma"),
        (png(640, 480), "image/png"),
    ];
    for (n, (bytes, expected)) in (1..).zip(cases) {
        let stored = store.put(n, &bytes).await;
        assert_eq!(stored.media_type.as_str(), expected);
        assert_eq!(stored.metadata, MediaMetadata::default(), "there was no time for {expected}");
    }
}

async fn expect(cases: &[(&[u8], &str, &str)]) {
    let store = TestStore::open();
    for (n, (bytes, claim, expected)) in (0..).zip(cases) {
        let stored = store.put_claimed(n, bytes, claim).await;
        let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        assert_eq!(stored.media_type.as_str(), *expected, "case {n}: {beginning:?}");
    }
}
