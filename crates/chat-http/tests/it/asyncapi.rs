//! The description of the socket: that it is served, and that what goes over a real socket is what it describes.

use std::collections::BTreeSet;

use jsonschema::Draft;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Store, TestApp, TestSocket};

/// Checks that the document describes this frame of the server for the mode, `base` or `extended`; returns its type.
#[track_caller]
pub(crate) fn assert_described(mode: &str, frame: &Value) -> String {
    let document: Value = serde_json::from_str(&chat_http::asyncapi_json(None)).unwrap();
    let kind = frame["type"].as_str().expect("a type").to_owned();
    let mut payload = document["components"]["messages"][format!("{mode}_server_{kind}")]["payload"].clone();
    assert!(payload.is_object(), "{mode} mode has no {kind}");
    // For generators a name; for this validator it would be the address that references are relative to.
    payload.as_object_mut().unwrap().remove("$id");
    let schema = json!({ "allOf": [payload], "components": document["components"] });
    let validator =
        jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(frame).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{frame} does not fit: {errors:?}");
    kind
}

#[tokio::test]
async fn the_document_is_served_as_it_is_rendered() {
    let app = TestApp::start(Store::Memory).await;
    let answer = send(app.anonymous(Method::GET, "/asyncapi.json")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(String::from_utf8(answer.bytes).unwrap(), chat_http::asyncapi_json(Some(&app.base)));
    app.stop().await;
}

#[test]
fn the_server_of_the_document_is_the_one_that_clients_reach() {
    let server = |base: Option<&str>| {
        let document: Value = serde_json::from_str(&chat_http::asyncapi_json(base)).unwrap();
        let server = &document["servers"]["server"];
        (server["protocol"].clone(), server["host"].clone(), server["pathname"].clone())
    };
    assert_eq!(server(None), (json!("ws"), json!("127.0.0.1:8080"), Value::Null));
    assert_eq!(server(Some("http://[::1]:8080")), (json!("ws"), json!("[::1]:8080"), Value::Null));
    let behind_a_proxy = server(Some("https://chat.example.com/support/eu"));
    assert_eq!(behind_a_proxy, (json!("wss"), json!("chat.example.com"), json!("/support/eu")));
}

#[test]
fn every_frame_has_a_name_of_its_own_for_generators() {
    let document: Value = serde_json::from_str(&chat_http::asyncapi_json(None)).unwrap();
    let messages = document["components"]["messages"].as_object().unwrap();
    let names: BTreeSet<&str> = messages.values().map(|message| message["payload"]["$id"].as_str().unwrap()).collect();
    assert_eq!(names.len(), messages.len(), "{names:?}");
    assert!(names.contains("ExtendedServerAuthExpiring") && names.contains("BaseServerMessage"), "{names:?}");
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{names:?}");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(names.iter().all(|name| !schemas.contains_key(*name)), "{names:?}");
}

#[test]
fn the_document_has_every_close_code_and_no_two_of_a_number() {
    let document: Value = serde_json::from_str(&chat_http::asyncapi_json(None)).unwrap();
    let codes = document["channels"]["extended"]["x-close-codes"].as_array().unwrap();
    let numbers: Vec<u64> = codes.iter().map(|code| code["code"].as_u64().unwrap()).collect();
    let expected =
        [1000, 1001, 1002, 1003, 1007, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4404, 4408, 4409, 4413, 4429];
    assert_eq!(numbers, expected);
    for code in codes {
        let reason = code["reason"].as_str().unwrap();
        assert!(reason.is_ascii() && reason.len() <= 123, "{code}");
    }
}

on_every_store! {
    async fn frames_on_a_real_socket_fit_the_document(app) {
        let session = app.open_assigned("alice", "bob").await;
        let bearer = format!("Bearer {}", app.token_of("alice"));
        let headers = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "chat.v1")];
        let mut extended = TestSocket::try_open(&app.base, &session, "", &headers).await.unwrap();
        let mut base = TestSocket::try_open(&app.base, &session, "", &headers[..1]).await.unwrap();
        let message = app.say("bob", &session, "hello").await;
        let read = json!({ "messageIds": [message["id"]] });
        app.put("alice", &format!("/api/chat/sessions/{session}/read"), read).await.expect(204);
        let typing = json!({ "isTyping": true });
        app.post("bob", &format!("/api/chat/sessions/{session}/typing"), typing).await.expect(204);
        app.put("bob", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        for text in [r#"{"type":"ack","data":{"seq":999},"ref":"c-1"}"#.to_owned(),
            json!({ "type": "auth", "data": { "token": app.token_of("alice") } }).to_string()] {
            extended.send(text.into()).await;
        }
        let until = |wanted: &'static [&'static str]| wanted.iter().map(|kind| (*kind).to_owned()).collect::<BTreeSet<_>>();
        let wanted = until(&["hello", "message", "receipt", "typing", "session_update", "error", "auth_ok"]);
        let mut seen = BTreeSet::new();
        while seen != wanted {
            seen.insert(assert_described("extended", &extended.next().await));
        }
        let wanted = until(&["message", "typing", "session_update"]);
        let mut seen = BTreeSet::new();
        while seen != wanted {
            seen.insert(assert_described("base", &base.next().await));
        }
    }
}
