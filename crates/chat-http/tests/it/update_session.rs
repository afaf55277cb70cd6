//! `PATCH /api/chat/sessions/{sessionId}`, and the version of a session

use chat_testkit::fixtures;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Answer, TestApp, plain};

fn path(session: &str) -> String {
    format!("/api/chat/sessions/{session}")
}

/// An assigned session of alice that is about something.
async fn assigned(app: &TestApp) -> String {
    let body = json!({ "subject": "Where is it?", "priority": "low", "tags": ["b", "a"] });
    let opened = app.post("alice", "/api/chat/sessions", body).await.expect(201);
    let id = opened["id"].as_str().unwrap().to_owned();
    app.put("bob", &format!("{}/assign", path(&id)), json!({ "agentId": "bob" })).await.expect(200);
    id
}

async fn patch_if(app: &TestApp, who: &str, session: &str, version: &str, body: Value) -> Answer {
    send(app.request(who, Method::PATCH, &path(session)).header("if-match", version).json(&body)).await
}

/// The subject, the priority and the tags of a session, and its version.
async fn about(app: &TestApp, session: &str) -> (Value, String) {
    let answer = app.get("root", &path(session)).await;
    let version = answer.header("etag").to_owned();
    let session = answer.expect(200);
    (json!([session.get("subject"), session["priority"], session["tags"]]), version)
}

on_every_store! {
    async fn fields_that_are_given_change_and_the_others_stay(app) {
        let id = assigned(app).await;
        let before = app.get("alice", &path(&id)).await;
        assert_eq!(before.header("etag"), "\"2\"");
        let mut expected = before.expect(200);
        for (n, body) in (3..).zip([
            json!({ "subject": " Refund " }),
            json!({ "priority": "high" }),
            json!({ "tags": ["x", " y ", "x"] }),
            json!({ "subject": "Refund!", "priority": "medium", "tags": [] }),
        ]) {
            for (field, value) in body.as_object().unwrap() {
                expected[field] = value.clone();
            }
            if n == 3 {
                expected["subject"] = json!("Refund");
            }
            if n == 5 {
                expected["tags"] = json!(["x", "y"]);
            }
            let answer = app.patch("bob", &path(&id), body).await;
            assert_eq!(answer.header("etag"), format!("\"{n}\""));
            assert_eq!(answer.expect(200), expected);
            let found = app.get("alice", &path(&id)).await;
            assert_eq!(found.header("etag"), format!("\"{n}\""));
            assert_eq!(found.expect(200), expected);
        }
    }

    async fn null_and_blank_text_clear_the_subject(app) {
        for clearing in [json!(null), json!("  ")] {
            let id = assigned(app).await;
            let session = app.patch("root", &path(&id), json!({ "subject": clearing })).await.expect(200);
            assert_eq!(session.get("subject"), None);
            assert_eq!(about(app, &id).await, (json!([null, "low", ["b", "a"]]), "\"3\"".to_owned()));
        }
    }

    async fn an_update_that_changes_nothing_is_no_event(app) {
        let id = assigned(app).await;
        let mut socket = app.watch("alice", &id, "").await;
        let same = json!({ "subject": "Where is it?", "priority": "low", "tags": ["b", "a"] });
        for body in [json!({}), same, json!({ "priority": "low" })] {
            let answer = app.patch("bob", &path(&id), body).await;
            assert_eq!(answer.header("etag"), "\"2\"");
            answer.expect(200);
        }
        app.say("bob", &id, "hello").await;
        assert_eq!(socket.next().await["type"], "message");
        assert_eq!(about(app, &id).await.1, "\"3\"");
    }

    async fn control_characters_stay_as_they_were_given(app) {
        let about = json!({ "subject": "one\ntwo\u{1b}[31m\u{85}", "tags": ["a\tb", "\u{7f}\u{202e}c"] });
        let trimmed = json!({ "subject": "one\ntwo\u{1b}[31m", "tags": ["a\tb", "\u{7f}\u{202e}c"] });
        let opened = app.post("alice", "/api/chat/sessions", about.clone()).await.expect(201);
        let other = assigned(app).await;
        let updated = app.patch("bob", &path(&other), about).await.expect(200);
        for session in [opened, updated, app.get("bob", &path(&other)).await.expect(200)] {
            assert_eq!(json!({ "subject": session["subject"], "tags": session["tags"] }), trimmed);
        }
    }

    async fn a_session_with_its_version_is_not_to_be_changed_on_its_way(app) {
        let id = assigned(app).await;
        for answer in [app.get("bob", &path(&id)).await, app.patch("bob", &path(&id), json!({})).await] {
            assert_eq!(answer.header("cache-control"), "no-store, no-transform");
            answer.expect(200);
        }
    }

    async fn bad_fields_are_all_named_and_nothing_changes(app) {
        let id = assigned(app).await;
        let before = about(app, &id).await;
        for (body, field) in [
            (json!({ "subject": "x".repeat(201) }), "subject"),
            (json!({ "subject": "\u{0}" }), "subject"),
            (json!({ "subject": 5 }), "subject"),
            (json!({ "priority": "urgent" }), "priority"),
            (json!({ "priority": null }), "priority"),
            (json!({ "tags": null }), "tags"),
            (json!({ "tags": "x" }), "tags"),
            (json!({ "tags": ["x", 5] }), "tags[1]"),
            (json!({ "tags": [" "] }), "tags"),
            (json!({ "tags": ["x".repeat(51)] }), "tags"),
            (json!({ "tags": (0..21).map(|n| n.to_string()).collect::<Vec<_>>() }), "tags"),
            (json!({ "subject": "Refund", "status": "closed" }), "status"),
            (json!({ "agentId": "bob" }), "agentId"),
            (json!({ "Subject": "Refund" }), "Subject"),
            (json!([]), "body"),
            (json!(null), "body"),
        ] {
            app.patch("bob", &path(&id), body).await.expect_invalid(field);
        }
        let error = app.patch("bob", &path(&id), json!({ "priority": "x", "tags": [""] })).await;
        assert_eq!(error.expect_error(400, "VALIDATION_FAILED")["details"].as_array().unwrap().len(), 2);
        let long = "n".repeat(10_000);
        let answer = app.patch("bob", &path(&id), json!({ long: 1 })).await;
        assert!(answer.bytes.len() < 1_000, "a long name is not repeated");
        answer.expect_error(400, "VALIDATION_FAILED");
        app.patch("bob", &format!("{}?force=1", path(&id)), json!({})).await.expect_invalid("force");
        send(app.request("bob", Method::PATCH, &path(&id)).body("{}")).await.expect_invalid("Content-Type");
        assert_eq!(about(app, &id).await, before);
    }

    async fn an_update_is_made_of_the_version_that_it_names(app) {
        let id = assigned(app).await;
        let body = |n: u32| json!({ "subject": format!("Subject {n}") });
        for other in ["\"1\"", "\"3\"", "\"02\"", "W/\"2\"", "\"\"", "\"x\"", "\"1\", \"3\""] {
            let error = patch_if(app, "bob", &id, other, body(1)).await.expect_error(412, "PRECONDITION_FAILED");
            assert!(error["message"].as_str().unwrap().contains("\"2\""), "{error}");
            patch_if(app, "bob", &id, other, json!({})).await.expect_error(412, "PRECONDITION_FAILED");
        }
        for malformed in ["2", "\"2", "\"2\" \"3\"", "*, \"2\"", "", "\"\u{e9}\""] {
            patch_if(app, "bob", &id, malformed, body(1)).await.expect_invalid("If-Match");
        }
        patch_if(app, "bob", &id, "\"2\"", body(1)).await.expect(200);
        patch_if(app, "bob", &id, "\"2\"", body(2)).await.expect_error(412, "PRECONDITION_FAILED");
        patch_if(app, "bob", &id, "\"1\", \"3\"", body(2)).await.expect(200);
        patch_if(app, "bob", &id, "*", body(3)).await.expect(200);
        assert_eq!(about(app, &id).await, (json!(["Subject 3", "low", ["b", "a"]]), "\"5\"".to_owned()));
        app.say("alice", &id, "hello").await;
        patch_if(app, "bob", &id, "\"5\"", body(4)).await.expect_error(412, "PRECONDITION_FAILED");
    }

    async fn of_concurrent_updates_of_one_version_one_succeeds(app) {
        let id = assigned(app).await;
        let rivals = (0..8).map(|n| patch_if(app, "bob", &id, "\"2\"", json!({ "subject": format!("Subject {n}") })));
        let statuses: Vec<u16> = join_all(rivals).await.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
        assert_eq!(about(app, &id).await.1, "\"3\"");
    }

    async fn the_first_reason_in_the_order_of_checks_is_answered(app) {
        let id = assigned(app).await;
        let bad = || json!({ "subject": 5 });
        let good = || json!({ "subject": "Refund" });
        let unknown = fixtures::session_id(404).to_string();
        patch_if(app, "root", &unknown, "2", bad()).await.expect_error(404, "SESSION_NOT_FOUND");
        for who in ["alice", "mallory", "carol"] {
            patch_if(app, who, &id, "2", bad()).await.expect_error(403, "FORBIDDEN");
            patch_if(app, who, &id, "\"1\"", good()).await.expect_error(403, "FORBIDDEN");
        }
        app.put("bob", &format!("{}/close", path(&id)), json!(null)).await.expect(200);
        patch_if(app, "bob", &id, "\"1\"", bad()).await.expect_invalid("subject");
        patch_if(app, "bob", &id, "1", good()).await.expect_invalid("If-Match");
        patch_if(app, "bob", &id, "\"1\"", good()).await.expect_error(412, "PRECONDITION_FAILED");
        patch_if(app, "bob", &id, "\"3\"", good()).await.expect_error(409, "SESSION_CLOSED");
        app.patch("bob", &path(&id), json!({})).await.expect_error(409, "SESSION_CLOSED");
    }

    async fn sockets_of_both_modes_get_a_session_update_and_replay_it(app) {
        let id = assigned(app).await;
        let mut base = app.watch("alice", &id, "").await;
        let (mut extended, _) = app.watch_extended("bob", &id, "").await;
        let updated = app.patch("bob", &path(&id), json!({ "subject": "Refund", "tags": [] })).await.expect(200);
        assert_eq!(base.next().await, json!({ "type": "session_update", "data": plain(&updated) }));
        let frame = json!({ "type": "session_update", "seq": 3, "data": updated });
        assert_eq!(extended.next().await, frame);
        app.patch("root", &path(&id), json!({ "subject": "Another" })).await.expect(200);
        // What is replayed is what the session was about then.
        let (mut again, _) = app.watch_extended("alice", &id, "?since=0").await;
        let mut subjects = Vec::new();
        for _ in 0..4 {
            subjects.push(again.next().await["data"]["subject"].clone());
        }
        assert_eq!(subjects, ["Where is it?", "Where is it?", "Refund", "Another"]);
        let (mut again, _) = app.watch_extended("alice", &id, "?since=2").await;
        assert_eq!(again.next().await, frame);
    }

    async fn a_repeated_opening_is_answered_with_the_session_as_it_was_opened(app) {
        let open = || {
            let request = app.request("alice", Method::POST, "/api/chat/sessions").header("idempotency-key", "k");
            send(request.json(&json!({ "subject": "Where is it?" })))
        };
        let first = open().await.expect(201);
        let changed = app.patch("root", &path(first["id"].as_str().unwrap()), json!({ "subject": "Refund" })).await;
        assert_eq!(changed.expect(200)["subject"], "Refund");
        let again = open().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
    }
}
