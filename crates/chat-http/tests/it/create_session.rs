//! `POST /api/chat/sessions`

use chat_domain::service::Rules;
use chat_testkit::fixtures;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{Options, send};

fn three_open_sessions() -> Options {
    Options { rules: Rules { max_open_sessions: Some(3), ..Rules::default() }, ..Options::default() }
}

fn ignored_priority() -> Options {
    Options { rules: Rules { accepts_customer_priority: false, ..Rules::default() }, ..Options::default() }
}

on_every_store! {
    async fn a_session_needs_no_body(app) {
        let session = send(app.request("alice", Method::POST, "/api/chat/sessions")).await.expect(201);
        assert_eq!((&session["userId"], &session["priority"], &session["tags"]), (&json!("alice"), &json!("medium"), &json!([])));
        let request = app.request("alice", Method::POST, "/api/chat/sessions").header("Content-Length", "0");
        send(request).await.expect(201);
        // As `curl -d ''` sends it.
        let request = app.request("alice", Method::POST, "/api/chat/sessions");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").header("Content-Length", "0");
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
                "id": id, "userId": "alice", "agentId": null, "user": { "id": "alice" }, "agent": null, "status": "active",
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

    async fn only_an_admin_opens_a_session_for_another_owner(app) {
        let body = json!({ "userId": "alice" });
        let session = app.post("root", "/api/chat/sessions", body.clone()).await.expect(201);
        assert_eq!(session["userId"], "alice");
        app.post("alice", "/api/chat/sessions", body.clone()).await.expect(201);
        app.post("mallory", "/api/chat/sessions", body.clone()).await.expect_error(403, "FORBIDDEN");
        app.post("bob", "/api/chat/sessions", body).await.expect_error(403, "FORBIDDEN");
        app.post("bob", "/api/chat/sessions", json!({})).await.expect_error(403, "FORBIDDEN");
    }

    async fn a_foreign_owner_is_forbidden_before_a_wrong_query_is_invalid(app) {
        let body = json!({ "userId": "alice" });
        app.post("mallory", "/api/chat/sessions?x=1", body.clone()).await.expect_error(403, "FORBIDDEN");
        app.post("bob", "/api/chat/sessions?x=1", body.clone()).await.expect_error(403, "FORBIDDEN");
        app.post("alice", "/api/chat/sessions?x=1", body.clone()).await.expect_invalid("x");
        app.post("root", "/api/chat/sessions?x=1", body).await.expect_invalid("x");
        assert_eq!(app.get("root", "/api/chat/sessions").await.expect(200)["totalCount"], 0);
    }

    async fn a_foreign_owner_is_forbidden_before_another_field_is_invalid(app) {
        let body = json!({ "userId": "alice", "subject": 5 });
        app.post("mallory", "/api/chat/sessions", body.clone()).await.expect_error(403, "FORBIDDEN");
        app.post("bob", "/api/chat/sessions", body.clone()).await.expect_error(403, "FORBIDDEN");
        app.post("alice", "/api/chat/sessions", body).await.expect_invalid("subject");
        app.post("alice", "/api/chat/sessions", json!({ "userId": 5 })).await.expect_invalid("userId");
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

    async fn a_repeated_key_gets_the_first_response_again(app) {
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

on_every_store! { with three_open_sessions;
    async fn one_session_too_many_is_429_until_one_is_closed(app) {
        let first = app.open_session("alice").await;
        let keyed = || {
            let request = app.request("alice", Method::POST, "/api/chat/sessions").header("Idempotency-Key", "k-1");
            send(request.json(&json!({ "subject": "late" })))
        };
        let second = keyed().await.expect(201);
        // It is one of hers, although an admin opened it.
        app.post("root", "/api/chat/sessions", json!({ "userId": "alice" })).await.expect(201);
        let refused = app.post("alice", "/api/chat/sessions", json!({})).await;
        assert_eq!(refused.header("retry-after"), "60");
        let error = refused.expect_error(429, "TOO_MANY_OPEN_SESSIONS");
        assert_eq!(error["message"], "you have 3 sessions open, and no more are allowed; close one first");
        let again = keyed().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), second);
        app.post("root", "/api/chat/sessions", json!({ "userId": "alice" })).await.expect(201);
        app.post("mallory", "/api/chat/sessions", json!({})).await.expect(201);
        let ids = app.get("alice", "/api/chat/sessions").await.expect(200);
        assert_eq!(ids["totalCount"], 4);
        for session in ids["sessions"].as_array().unwrap().iter().filter(|session| session["id"] != first.as_str()) {
            let path = format!("/api/chat/sessions/{}/close", session["id"].as_str().unwrap());
            app.put("alice", &path, json!(null)).await.expect(200);
        }
        app.post("alice", "/api/chat/sessions", json!({})).await.expect(201);
    }

    async fn of_openings_at_once_as_many_succeed_as_there_is_room_for(app) {
        let open = |_| app.post("alice", "/api/chat/sessions", json!({}));
        let answers = join_all((0..12).map(open)).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 3, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 9, "{statuses:?}");
    }
}

on_every_store! { with ignored_priority;
    async fn a_customers_priority_is_ignored_where_the_operator_says_so(app) {
        let body = json!({ "priority": "high" });
        assert_eq!(app.post("alice", "/api/chat/sessions", body.clone()).await.expect(201)["priority"], "medium");
        assert_eq!(app.post("root", "/api/chat/sessions", body).await.expect(201)["priority"], "high");
        app.post("alice", "/api/chat/sessions", json!({ "priority": "urgent" })).await.expect_invalid("priority");
    }
}
