//! What a page can do with files: a browser loads pictures and plays a video from their addresses, with a ticket.

mod webm;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{PATIENCE, Person, TestServer, run_page};

/// A red pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

/// Sends files as alice, and returns their addresses.
async fn sent(alice: &Person, session: &str, files: Vec<(&str, &str, Vec<u8>)>) -> Vec<String> {
    let form = files.into_iter().zip(0..).fold(Form::new(), |form, ((name, media_type, bytes), n)| {
        let part = Part::bytes(bytes).file_name(name.to_owned()).mime_str(media_type).unwrap();
        form.part(format!("attachments[{n}]"), part)
    });
    let path = format!("/api/chat/sessions/{session}/messages");
    let message = Person::json(alice.request(Method::POST, &path).multipart(form).send().await.unwrap(), 201).await;
    message["attachments"].as_array().unwrap().iter().map(|file| file["url"].as_str().unwrap().to_owned()).collect()
}

/// Runs a script in a browser, off the runtime's own threads.
async fn page(script: String) -> Value {
    tokio::task::spawn_blocking(move || run_page(&script)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: cargo xtask test"]
async fn a_page_shows_many_pictures_and_seeks_in_a_video_with_a_ticket() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_ACCESS_LOG", "on");
    })
    .await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("A video").await;
    let pictures: Vec<_> = (0..10).map(|_| ("dot.png", "image/png", PNG.to_vec())).collect();
    let pictures = sent(&alice, &session, pictures).await;
    let video = webm::video(60, 380 * 1024);
    let video = sent(&alice, &session, vec![("long.webm", "video/webm", video)]).await.remove(0);
    let ticket = Person::json(alice.post("/api/chat/download-ticket", &json!(null)).await, 201).await;
    let ticket = ticket["ticket"].as_str().unwrap();

    let found = page(format!(
        "const pictures = await Promise.all({pictures}.map(async url => {{
            const picture = new Image();
            picture.src = url + '?ticket={ticket}';
            await picture.decode();
            return picture.naturalWidth;
        }}));
        const video = document.createElement('video');
        video.muted = true;
        video.preload = 'metadata';
        video.src = '{video}?ticket={ticket}';
        document.body.append(video);
        await once(video, 'loadedmetadata');
        const seeked = [];
        for (const second of [45, 10, 58]) {{
            video.currentTime = second;
            await once(video, 'seeked');
            seeked.push(video.currentTime);
        }}
        const refused = new Image();
        refused.src = '{first}?ticket={ticket}x';
        const outcome = await refused.decode().then(() => 'shown', () => 'refused');
        return {{ pictures, width: video.videoWidth, duration: Math.round(video.duration), seeked, outcome }};",
        pictures = json!(pictures),
        first = pictures[0],
    ))
    .await;
    assert_eq!(
        found,
        json!({
            "pictures": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "width": 64, "duration": 60, "seeked": [45, 10, 58],
            "outcome": "refused",
        })
    );

    // The browser has asked for parts, and asked again whether the file is still the same.
    let path = video.strip_prefix(&server.url("")).unwrap();
    server.stdout.wait_for(PATIENCE, |lines| {
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let statuses: Vec<Value> =
            lines.filter(|line| line["path"] == path).map(|line| line["status"].clone()).collect();
        assert!(statuses.iter().all(|status| [200, 206, 304].iter().any(|known| status == known)), "{statuses:?}");
        (statuses.iter().filter(|status| **status == 206).count() >= 3).then_some(())
    });
    assert!(!server.stdout.so_far().iter().any(|line| line.contains(ticket)), "no ticket is in the log");
}
