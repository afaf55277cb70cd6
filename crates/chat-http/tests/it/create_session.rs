//! `POST /api/chat/sessions`

use chat_testkit::fixtures;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::app::send;

on_every_store! {
    async fn a_session_needs_no_body(app) {
        let session = send(app.request("alice", Method::POST, "/api/chat/sessions")).await.expect(201);
        assert_eq!((&session["userId"], &session["priority"], &session["tags"]), (&json!("alice"), &json!("medium"), &json!([])));
        let request = app.request("alice", Method::POST, "/api/chat/sessions").header("Content-Length", "0");
        send(request).await.expect(201);
        // A body that is announced has to be one.
        let request = app.request("alice", Method::POST, "/api/chat/sessions").header("Content-Type", "application/json");
        send(request).await.expect_invalid("body");
        let request = app.request("alice", Method::POST, "/api/chat/sessions").body("{}");
        send(request).await.expect_invalid("Content-Type");
    }

    async fn a_user_opens_a_session_and_gets_it_with_its_location(app) {
        let body = json!({ "subject": "  My order is late ", "priority": "high", "tags": ["orders", "orders", " late "] });
        let answer = app.post("alice", "/api/chat/sessions", body).await;
        let location = answer.header("location").to_owned();
        let session = answer.expect(201);
        let id = session["id"].as_str().unwrap();
        assert_eq!(location, format!("{}/api/chat/sessions/{id}", app.base));
        assert_eq!(
            session,
            json!({
                "id": id, "userId": "alice", "agentId": null, "status": "active",
                "startedAt": session["startedAt"], "endedAt": null,
                "subject": "My order is late", "priority": "high", "tags": ["orders", "late"],
            })
        );
        assert!(session["startedAt"].as_str().unwrap().ends_with('Z'));
        assert_eq!(app.get("alice", &format!("/api/chat/sessions/{id}")).await.expect(200), session);
    }

    async fn all_fields_may_be_left_out(app) {
        let session = app.post("alice", "/api/chat/sessions", json!({})).await.expect(201);
        assert_eq!(session["priority"], "medium");
        assert_eq!(session["tags"], json!([]));
        assert!(session.get("subject").is_none());
    }

    async fn fields_that_are_not_the_callers_to_set_are_ignored(app) {
        let body = json!({ "id": fixtures::session_id(9).to_string(), "agentId": "bob", "status": "closed", "seq": 7 });
        let session = app.post("alice", "/api/chat/sessions", body).await.expect(201);
        assert_eq!(session["status"], "active");
        assert_eq!(session["agentId"], json!(null));
        assert_ne!(session["id"], fixtures::session_id(9).to_string());
    }

    async fn an_admin_opens_a_session_for_a_user_and_nobody_else_does(app) {
        let body = json!({ "userId": "alice" });
        let session = app.post("root", "/api/chat/sessions", body.clone()).await.expect(201);
        assert_eq!(session["userId"], "alice");
        app.post("alice", "/api/chat/sessions", body.clone()).await.expect(201);
        app.post("mallory", "/api/chat/sessions", body.clone()).await.expect_error(403, "FORBIDDEN");
        app.post("bob", "/api/chat/sessions", body).await.expect_error(403, "FORBIDDEN");
        app.post("bob", "/api/chat/sessions", json!({})).await.expect_error(403, "FORBIDDEN");
    }

    async fn every_broken_rule_is_named(app) {
        let long = "x".repeat(201);
        let body = json!({ "subject": long, "priority": "urgent", "tags": [" "] });
        let error = app.post("alice", "/api/chat/sessions", body).await.expect_error(400, "VALIDATION_FAILED");
        let fields: Vec<_> = error["details"].as_array().unwrap().iter().map(|detail| detail["field"].clone()).collect();
        assert_eq!(fields, ["subject", "priority", "tags"]);
        app.post("alice", "/api/chat/sessions", json!({ "subject": 5 })).await.expect_invalid("subject");
        app.post("alice", "/api/chat/sessions", json!({ "tags": [1] })).await.expect_invalid("tags[0]");
        app.post("alice", "/api/chat/sessions", json!([])).await.expect_invalid("body");
    }

    async fn a_repeated_key_gets_the_first_answer_again(app) {
        let request = |subject: &str| {
            let request = app.request("alice", Method::POST, "/api/chat/sessions");
            request.header("Idempotency-Key", "k-1").json(&json!({ "subject": subject }))
        };
        let first = send(request("late")).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let first = first.expect(201);
        let id = first["id"].as_str().unwrap();
        app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        let again = send(request(" late ")).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
        send(request("early")).await.expect_error(409, "IDEMPOTENCY_KEY_REUSED");
    }

    async fn thirty_two_repetitions_at_once_open_one_session(app) {
        // From the second round on all connections are open, so that the requests really meet.
        for round in 1..=4 {
            let key = format!("k-{round}");
            let requests = (0..32).map(|_| {
                let request = app.request("alice", Method::POST, "/api/chat/sessions");
                send(request.header("Idempotency-Key", &key).json(&json!({ "subject": "late" })))
            });
            let answers = join_all(requests).await;
            let first_ones = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
            assert_eq!(first_ones, 1);
            let sessions: Vec<_> = answers.into_iter().map(|answer| answer.expect(201)).collect();
            assert!(sessions.iter().all(|session| *session == sessions[0]), "{sessions:?}");
            assert_eq!(app.get("alice", "/api/chat/sessions").await.expect(200)["totalCount"], round);
        }
    }

    async fn a_key_belongs_to_the_person_who_chose_it(app) {
        for who in ["alice", "dave", "root"] {
            let request = app.request(who, Method::POST, "/api/chat/sessions").header("Idempotency-Key", "k-1");
            let answer = send(request.json(&json!({}))).await;
            assert_eq!(answer.header("idempotency-replayed"), "");
            assert_eq!(answer.expect(201)["userId"], who);
        }
    }
}
