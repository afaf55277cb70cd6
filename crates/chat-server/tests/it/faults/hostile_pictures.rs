//! Pictures that are made to harm the node that makes thumbnails of them.

use std::time::Duration;

use chat_testkit::media::{gif, jpeg, png, webp, zeros_png};
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use super::process::{forget_peak, peak, resident};
use crate::support::{Person, Scrape, TestServer, eventually};

const MIB: u64 = 1024 * 1024;

/// Two at a time, 128 MiB each, and what the requests take and the allocator has not returned yet.
const MOST_GROWTH: u64 = (2 * 128 + 96) * MIB;

/// Sends a file and returns the path of its thumbnail.
async fn sent(alice: &Person, session: &str, bytes: Vec<u8>) -> String {
    let form = Form::new().part("attachments[0]", Part::bytes(bytes).file_name("a.png"));
    let path = format!("/api/chat/sessions/{session}/messages");
    let answer = alice.request(Method::POST, &path).multipart(form).send().await.unwrap();
    let message = Person::json(answer, 201).await;
    format!("/api/chat/attachments/{}/thumbnail", message["attachments"][0]["id"].as_str().unwrap())
}

/// Asks until the node has a slot. The status, and how often it had none.
async fn status(alice: &Person, path: &str) -> (u16, usize) {
    let mut refused = 0;
    loop {
        let answer = alice.get(path).await;
        match answer.status().as_u16() {
            503 => {
                let wait = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                refused += 1;
                assert!(refused < 100, "never a slot: {}", answer.text().await.unwrap());
                // As the node asks for.
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            status => {
                let body = answer.bytes().await.unwrap();
                if status == 404 {
                    let error: Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(error["error"]["code"], "NO_THUMBNAIL");
                }
                return (status, refused);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_are_bombs_take_bounded_memory_and_leave_the_log_quiet() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_LOG", "debug").env("CHAT_RATE_DOWNLOADS", "off");
    })
    .await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("bombs").await;
    let animated = [gif(8, 8), b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0".repeat(10_000)].concat();
    let bombs = [
        // As much as is allowed, more often than there are slots.
        (zeros_png(6_600, 6_600, 2, 0), 200),
        (zeros_png(6_600, 6_600, 2, 1), 200),
        (zeros_png(6_600, 6_600, 2, 2), 200),
        (zeros_png(7_000, 7_000, 0, 0), 200),
        (zeros_png(5_700, 5_700, 6, 0), 404),
        (zeros_png(4_000, 4_000, 6, 0), 200),
        (animated, 200),
        (png(100_000, 100_000), 404),
        (png(7_000, 7_000), 404),
        (jpeg(65_500, 65_500, 0), 404),
        (jpeg(7_000, 7_000, 0), 404),
        (gif(65_535, 65_535), 404),
        (webp(16_384, 16_384), 404),
    ];
    let before = forget_peak(&server);
    let mut paths = Vec::new();
    for (bytes, expected) in bombs {
        paths.push((sent(&alice, &session, bytes).await, expected));
    }
    // All at once, and each of them by several.
    let asked = join_all(paths.iter().chain(&paths).chain(&paths).map(|(path, _)| status(&alice, path))).await;
    for (number, ((path, expected), (given, _))) in paths.iter().chain(&paths).chain(&paths).zip(asked).enumerate() {
        assert_eq!(given, *expected, "{number}: {path}");
    }
    let grown = peak(&server).saturating_sub(before);
    assert!(grown <= MOST_GROWTH, "{} MiB", grown / MIB);
    // Each was tried once, unless its header states more pixels than are decoded, and the memory is given back.
    let scrape = Scrape::of(&server).await;
    assert_eq!(scrape.value("chat_thumbnails_total{result=\"impossible\"}"), "3");
    assert_eq!(scrape.value("chat_thumbnails_total{result=\"made\"}"), "6");
    let given_back = async || resident(&server).saturating_sub(before) <= 100 * MIB;
    eventually("the memory of the decoders is given back", given_back).await;
    server.signal("TERM");
    let (_, log) = server.ended().await;
    let level = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?.get("level")?.as_str()?.to_owned());
    let alarming: Vec<_> =
        log.iter().filter(|line| level(line).is_none_or(|level| level == "WARN" || level == "ERROR")).collect();
    assert_eq!(alarming, Vec::<&String>::new());
}
