//! The colours of pictures, in the server as it is shipped.

use chat_testkit::media::zeros_png;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use crate::support::{Person, TestServer, eventually};

async fn send_picture(alice: &Person, session: &str) -> Value {
    let form = Form::new().part("attachments[0]", Part::bytes(zeros_png(300, 200, 2, 0)).file_name("a.png"));
    let path = format!("/api/chat/sessions/{session}/messages");
    Person::json(alice.request(Method::POST, &path).multipart(form).send().await.unwrap(), 201).await
}

fn color(message: &Value) -> Option<&str> {
    message["attachments"][0]["metadata"]["dominantColor"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_keeps_the_colour_of_its_picture_across_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("pictures").await;
    // On a busy machine a message goes without it.
    let mut message = Value::Null;
    eventually("a picture has its colour", async || {
        message = send_picture(&alice, &session).await;
        color(&message).is_some()
    })
    .await;
    assert_eq!(color(&message), Some("#000000"));
    server.signal("TERM");
    assert!(server.ended().await.0.success());

    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let page = Person::json(alice.get(&format!("/api/chat/sessions/{session}/messages?limit=1")).await, 200).await;
    // Addresses of files begin with the port of the server.
    assert_eq!(page["messages"][0]["id"], message["id"]);
    assert_eq!(color(&page["messages"][0]), Some("#000000"));
}
