//! JSON bodies that stop in the middle.

use super::bodies::message_head;
use super::{LONG, SHORT, app_with, closes, patient};
use crate::support::raw::RawClient;
use chat_http::TransportLimits;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_has_a_limited_number_of_unfinished_json_bodies() {
    const ALLOWED: usize = 16;
    let app = app_with(TransportLimits { json_body: LONG, drain: SHORT, ..patient() }).await;
    let begun = format!("{}{{\"content\":", message_head(&app, "Content-Length: 15\r\n").await);
    let mut unfinished = Vec::new();
    for _ in 0..ALLOWED {
        let mut client = RawClient::connect(&app.base).await;
        client.send(begun.as_bytes()).await;
        unfinished.push(client);
    }
    // Which of them comes last is not known, so there are two more; each is refused as soon as all the others wait.
    let mut refused = 0;
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..2 {
        let mut client = RawClient::connect(&app.base).await;
        client.send(begun.as_bytes()).await;
        unfinished.push(client);
    }
    let mut waiting = Vec::new();
    for mut client in unfinished {
        let sender = sender.clone();
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        waiting.push(finish);
        tokio::spawn(async move {
            tokio::select! {
                answer = client.read_response() => { sender.send(answer).unwrap(); }
                _ = finished => {
                    client.send(b"\"a\"}").await;
                    sender.send(client.read_response().await).unwrap();
                }
            }
        });
    }
    while refused < 2 {
        let (head, _) = answers.recv().await.unwrap();
        assert!(head.starts_with("HTTP/1.1 429 ") && closes(&head), "{head}");
        assert!(head.contains("\r\nretry-after: "), "{head}");
        refused += 1;
    }
    // A body that comes whole needs none of the places, and those that wait come to their end.
    let mut whole = RawClient::connect(&app.base).await;
    whole.send(format!("{begun}\"a\"}}").as_bytes()).await;
    let (head, _) = whole.read_response().await;
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    drop(waiting);
    for _ in 0..ALLOWED {
        let (head, _) = answers.recv().await.unwrap();
        assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    }
    app.stop().await;
}
