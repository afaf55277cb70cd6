//! The first conversation of the README, from an empty data directory to the statistics.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Person, TestServer, connect, next_event};

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk_from_the_first_message_to_the_statistics() {
    let server = TestServer::start().await;
    let (alice, bob, root) =
        (server.person("alice", "user"), server.person("bob", "agent"), server.person("root", "admin"));

    // Alice opens a session, Bob claims it, and Alice watches it from its beginning.
    let session = alice.open_session("My order is late").await;
    let session_url = format!("/api/chat/sessions/{session}");
    let messages_url = format!("{session_url}/messages");
    let assigned = bob.put(&format!("{session_url}/assign"), &json!({ "agentId": "bob" })).await;
    assert_eq!(Person::json(assigned, 200).await["agentId"], "bob");
    let mut socket = connect(&alice, &session, "?since=0").await;
    for agent in [Value::Null, json!("bob")] {
        let event = next_event(&mut socket).await;
        assert_eq!((&event["type"], &event["data"]["agentId"]), (&json!("session_update"), &agent));
    }

    // Both write, and Alice's socket sees both.
    let asked = Person::json(alice.post(&messages_url, &json!({ "content": "Where is it?" })).await, 201).await;
    assert_eq!((&asked["sender"], &asked["status"]), (&json!("user"), &json!("sent")));
    let answer = bob.post(&messages_url, &json!({ "content": "On its way. Here is the receipt." })).await;
    let answered = Person::json(answer, 201).await;
    assert_eq!(answered["sender"], "support");
    for message in [&asked, &answered] {
        let event = next_event(&mut socket).await;
        assert_eq!((&event["type"], &event["data"]["id"]), (&json!("message"), &message["id"]));
        assert_eq!(event["data"]["content"], message["content"]);
    }

    // Bob sends a file, which Alice downloads.
    let receipt = "order 1001: 12.50 EUR\n";
    let file = Part::text(receipt).file_name("receipt.txt").mime_str("text/plain").unwrap();
    let form = Form::new().text("content", "The receipt").part("attachments[0]", file);
    let sent = bob.request(Method::POST, &messages_url).multipart(form).send().await.unwrap();
    let with_file = Person::json(sent, 201).await;
    let attachment = &with_file["attachments"][0];
    assert_eq!((&attachment["name"], &attachment["size"]), (&json!("receipt.txt"), &json!(receipt.len())));
    assert_eq!(next_event(&mut socket).await["data"]["attachments"], with_file["attachments"]);
    let url = attachment["url"].as_str().unwrap();
    let path = url.strip_prefix(&server.url("")).expect("a URL under the address that was asked");
    assert_eq!(alice.get(path).await.text().await.unwrap(), receipt);

    // Alice reads everything.
    let ids = json!({ "messageIds": [answered["id"], with_file["id"]] });
    assert_eq!(alice.put(&format!("{session_url}/read"), &ids).await.status(), 204);
    let page = Person::json(bob.get(&messages_url).await, 200).await;
    assert_eq!((&page["totalCount"], &page["hasMore"]), (&json!(3), &json!(false)));
    let read: Vec<&Value> = page["messages"].as_array().unwrap().iter().map(|message| &message["read"]).collect();
    assert_eq!(read, [&json!(false), &json!(true), &json!(true)]);

    // Alice closes the session: her socket hears of it, and no message is taken any more.
    let closed = Person::json(alice.put(&format!("{session_url}/close"), &json!({})).await, 200).await;
    assert_eq!(closed["status"], "closed");
    let event = next_event(&mut socket).await;
    assert_eq!((&event["type"], &event["data"]["status"]), (&json!("session_update"), &json!("closed")));
    let refused = Person::json(alice.post(&messages_url, &json!({ "content": "Thanks" })).await, 409).await;
    assert_eq!(refused["error"]["code"], "SESSION_CLOSED");

    let stats = Person::json(root.get("/api/chat/stats").await, 200).await;
    assert_eq!((&stats["totalSessions"], &stats["activeSessions"]), (&json!(1), &json!(0)));
    assert_eq!(stats["messagesExchanged"], 3);
    assert!(stats["averageResponseTime"].as_f64().unwrap() > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_are_served_without_a_token() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs"] {
        assert_eq!(reqwest::get(server.url(path)).await.unwrap().status(), 200, "{path}");
    }
}
