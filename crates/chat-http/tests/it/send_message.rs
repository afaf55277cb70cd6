//! `POST /api/chat/sessions/{sessionId}/messages` with a JSON body

use chat_testkit::fixtures;
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::app::send;

fn messages(session: &str) -> String {
    format!("/api/chat/sessions/{session}/messages")
}

/// A request with an idempotency key.
fn keyed(app: &TestApp, who: &str, session: &str, key: &str, content: &str) -> RequestBuilder {
    let request = app.request(who, Method::POST, &messages(session)).header("Idempotency-Key", key);
    request.json(&json!({ "content": content }))
}

async fn page(app: &TestApp, session: &str) -> Value {
    app.get("root", &messages(session)).await.expect(200)
}

on_every_store! {
    async fn a_file_that_is_written_into_json_is_refused_instead_of_lost(app) {
        let id = app.open_session("alice").await;
        for field in ["attachments", "attachments[0]", "attachments[]", "attachment"] {
            for value in [json!([{ "name": "a.txt", "content": "aGVsbG8=" }]), json!([]), json!(null), json!("a.txt")] {
                let body = json!({ "content": "see the file", field: value });
                let error = app.post("alice", &messages(&id), body).await.expect_error(400, "VALIDATION_FAILED");
                assert_eq!(error["details"][0]["field"], field, "{error}");
                let rule = error["details"][0]["message"].as_str().unwrap();
                assert!(rule.contains("multipart/form-data"), "{rule}");
            }
        }
        assert_eq!(page(app, &id).await["totalCount"], 0);
        // Other unknown fields are ignored as everywhere.
        app.post("alice", &messages(&id), json!({ "content": "hello", "color": "red" })).await.expect(201);
    }

    async fn a_body_without_a_known_type_is_refused_with_both_types(app) {
        let id = app.open_session("alice").await;
        for kind in [None, Some(""), Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let mut request = app.request("alice", Method::POST, &messages(&id)).body(r#"{"content":"hello"}"#);
            if let Some(kind) = kind {
                request = request.header("Content-Type", kind);
            }
            let error = send(request).await.expect_error(400, "VALIDATION_FAILED");
            let rule = error["details"][0]["message"].as_str().unwrap();
            assert!(rule.contains("application/json") && rule.contains("multipart/form-data"), "{kind:?}: {rule}");
        }
    }

    async fn a_sent_message_has_a_location_and_is_stored_unchanged(app) {
        let id = app.open_session("alice").await;
        let answer = app.post("alice", &messages(&id), json!({ "content": " Where is it?\n" })).await;
        let location = answer.header("location").to_owned();
        assert_eq!(answer.header("idempotency-replayed"), "");
        let message = answer.expect(201);
        let message_id = message["id"].as_str().unwrap();
        let expected = json!({
            "id": message_id, "seq": 2, "content": " Where is it?\n", "sender": "user", "author": { "id": "alice" },
            "timestamp": message["timestamp"], "read": false, "status": "sent",
        });
        assert_eq!(message, expected);
        assert!(message["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(location, format!("{}{}/{message_id}", app.base, messages(&id)));
        assert_eq!(page(app, &id).await["messages"], json!([message]));
    }

    async fn the_owner_sends_as_user_and_everyone_else_as_support(app) {
        let id = app.open_assigned("alice", "bob").await;
        for (who, sender) in [("alice", "user"), ("bob", "support"), ("root", "support")] {
            assert_eq!(app.say(who, &id, "hello").await["sender"], sender, "{who}");
        }
        let own = app.open_session("root").await;
        assert_eq!(app.say("root", &own, "hello").await["sender"], "user");
    }

    async fn fields_that_are_not_the_callers_to_set_are_ignored(app) {
        let id = app.open_session("alice").await;
        let body = json!({
            "content": "hello", "id": fixtures::message_id(9).to_string(), "sender": "support", "seq": 99,
            "timestamp": "1999-01-01T00:00:00.000Z", "read": true, "status": "read", "agentId": "bob",
        });
        let message = app.post("alice", &messages(&id), body).await.expect(201);
        assert_eq!((&message["sender"], &message["read"], &message["status"]), (&json!("user"), &json!(false), &json!("sent")));
        assert_ne!(message["id"], fixtures::message_id(9).to_string());
        assert!(message["timestamp"].as_str().unwrap().starts_with("2026-"));
        assert!(message.get("attachments").is_none());
        assert_eq!(app.get("alice", &messages(&id)).await.header("x-chat-seq"), "2");
    }

    async fn content_is_required_and_must_not_be_blank(app) {
        let id = app.open_session("alice").await;
        for body in [json!({}), json!({ "content": null }), json!({ "content": 5 }), json!({ "content": ["a"] })] {
            app.post("alice", &messages(&id), body).await.expect_invalid("content");
        }
        for blank in ["", " ", "\r\n\t ", "\u{2003}"] {
            app.post("alice", &messages(&id), json!({ "content": blank })).await.expect_invalid("content");
        }
        assert_eq!(page(app, &id).await["totalCount"], 0);
    }

    async fn content_has_up_to_10000_characters_however_many_bytes_they_take(app) {
        let id = app.open_session("alice").await;
        for character in ["a", "é", "\u{ffff}", "🦀"] {
            let longest = character.repeat(10_000);
            assert_eq!(app.say("alice", &id, &longest).await["content"], longest);
            let body = json!({ "content": character.repeat(10_001) });
            app.post("alice", &messages(&id), body).await.expect_invalid("content");
        }
        // The longest spelling: every character as an escaped surrogate pair.
        let escaped = format!("{{\"content\":\"{}\"}}", "\\ud83e\\udd80".repeat(10_000));
        let request = app.request("alice", Method::POST, &messages(&id)).header("Content-Type", "application/json");
        assert_eq!(send(request.body(escaped)).await.expect(201)["content"], "🦀".repeat(10_000));
    }

    async fn a_closed_session_takes_no_message(app) {
        let id = app.open_assigned("alice", "bob").await;
        app.put("bob", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        for who in ["alice", "bob", "root"] {
            let answer = app.post(who, &messages(&id), json!({ "content": "hello?" })).await;
            answer.expect_error(409, "SESSION_CLOSED");
        }
        assert_eq!(page(app, &id).await["totalCount"], 0);
    }

    async fn an_agent_speaks_only_where_they_are_assigned(app) {
        let waiting = app.open_session("alice").await;
        let carols = app.open_assigned("alice", "carol").await;
        for id in [&waiting, &carols] {
            let answer = app.post("bob", &messages(id), json!({ "content": "hello" })).await;
            answer.expect_error(403, "FORBIDDEN");
        }
        let unknown = fixtures::session_id(404).to_string();
        let answer = app.post("root", &messages(&unknown), json!({ "content": "hello" })).await;
        answer.expect_error(404, "SESSION_NOT_FOUND");
    }

    async fn concurrent_messages_get_dense_positions(app) {
        let id = app.open_session("alice").await;
        let contents: Vec<String> = (0..64).map(|n| format!("m{n}")).collect();
        join_all(contents.iter().map(|content| app.say("alice", &id, content))).await;
        let answer = app.get("alice", &format!("{}?limit=100", messages(&id))).await;
        assert_eq!(answer.header("x-chat-seq"), "65");
        let page = answer.expect(200);
        assert_eq!(page["totalCount"], 64);
        let mut stored: Vec<_> = page["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
        stored.sort_unstable();
        let mut sent: Vec<_> = contents.iter().map(String::as_str).collect();
        sent.sort_unstable();
        assert_eq!(stored, sent);
    }

    async fn a_repeated_key_gets_the_first_response_after_any_change(app) {
        let id = app.open_assigned("alice", "bob").await;
        let first = send(keyed(app, "alice", &id, "k-1", "hello")).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let location = first.header("location").to_owned();
        let first = first.expect(201);
        app.put("bob", &format!("/api/chat/sessions/{id}/read"), json!({ "messageIds": [first["id"]] })).await.expect(204);
        app.put("bob", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        let again = send(keyed(app, "alice", &id, "k-1", "hello")).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("location"), location);
        assert_eq!(again.expect(201), first);
        assert_eq!(page(app, &id).await["totalCount"], 1);
    }

    async fn a_key_means_one_message(app) {
        let id = app.open_session("alice").await;
        send(keyed(app, "alice", &id, "k-1", "hello")).await.expect(201);
        send(keyed(app, "alice", &id, "k-1", "hello ")).await.expect_error(409, "IDEMPOTENCY_KEY_REUSED");
        send(keyed(app, "alice", &id, "k-2", "hello")).await.expect(201);
        assert_eq!(page(app, &id).await["totalCount"], 2);
    }

    async fn the_same_body_is_the_same_meaning_and_not_the_same_bytes(app) {
        let id = app.open_session("alice").await;
        let first = send(keyed(app, "alice", &id, "k-1", "é")).await.expect(201);
        let request = app.request("alice", Method::POST, &messages(&id)).header("Idempotency-Key", "k-1");
        let request = request.header("Content-Type", "application/json; charset=utf-8");
        let again = send(request.body("{ \"more\": 1,\n \"content\": \"\\u00e9\" }")).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
    }

    async fn a_key_belongs_to_one_person_in_one_session(app) {
        let (one, two) = (app.open_assigned("alice", "bob").await, app.open_session("alice").await);
        let mut ids = Vec::new();
        for (who, session) in [("alice", &one), ("bob", &one), ("alice", &two)] {
            let answer = send(keyed(app, who, session, "k-1", "hello")).await;
            assert_eq!(answer.header("idempotency-replayed"), "");
            ids.push(answer.expect(201)["id"].clone());
        }
        ids.dedup();
        assert_eq!(ids.len(), 3);
        assert_eq!(page(app, &one).await["totalCount"], 2);
    }

    async fn a_refused_request_leaves_its_key_free(app) {
        let id = app.open_session("alice").await;
        send(keyed(app, "alice", &id, "k-1", " ")).await.expect_invalid("content");
        send(keyed(app, "mallory", &id, "k-1", "hello")).await.expect_error(403, "FORBIDDEN");
        let answer = send(keyed(app, "alice", &id, "k-1", "hello")).await;
        assert_eq!(answer.header("idempotency-replayed"), "");
        answer.expect(201);
    }

    async fn thirty_two_repetitions_at_once_make_one_message(app) {
        let id = app.open_session("alice").await;
        // From the second round on all connections are open, so that the requests really meet.
        for round in 1..=4 {
            let key = format!("k-{round}");
            let answers = join_all((0..32).map(|_| send(keyed(app, "alice", &id, &key, "hello")))).await;
            let first_ones = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
            assert_eq!(first_ones, 1);
            let bodies: Vec<Value> = answers.into_iter().map(|answer| answer.expect(201)).collect();
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
            let page = page(app, &id).await;
            assert_eq!((&page["totalCount"], page["messages"].as_array().unwrap().last()), (&json!(round), Some(&bodies[0])));
        }
    }

    async fn a_key_is_visible_ascii_and_stands_once(app) {
        let id = app.open_session("alice").await;
        let longest = "k".repeat(128);
        send(keyed(app, "alice", &id, &longest, "hello")).await.expect(201);
        let too_long = "k".repeat(129);
        for key in ["", "two words", "tab\tkey", "ключ", &too_long] {
            send(keyed(app, "alice", &id, key, "hello")).await.expect_invalid("Idempotency-Key");
        }
        let twice = keyed(app, "alice", &id, "a", "hello").header("Idempotency-Key", "b");
        send(twice).await.expect_invalid("Idempotency-Key");
        assert_eq!(page(app, &id).await["totalCount"], 1);
    }
}
