//! `PUT /api/chat/sessions/{sessionId}/read`

use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Answer, TestApp};

async fn mark(app: &TestApp, who: &str, session: &str, ids: &[&Value]) -> Answer {
    app.put(who, &format!("/api/chat/sessions/{session}/read"), json!({ "messageIds": ids })).await
}

async fn mark_up_to(app: &TestApp, who: &str, session: &str, up_to: Value) -> Answer {
    app.put(who, &format!("/api/chat/sessions/{session}/read"), json!({ "upToSeq": up_to })).await
}

/// The status of each message, oldest first, and the position of the page.
async fn statuses(app: &TestApp, session: &str) -> (Vec<String>, String) {
    let answer = app.get("root", &format!("/api/chat/sessions/{session}/messages")).await;
    let seq = answer.header("x-chat-seq").to_owned();
    let page = answer.expect(200);
    let messages = page["messages"].as_array().unwrap().iter();
    let statuses = messages.map(|message| {
        assert_eq!(message["read"], message["status"] == "read");
        message["status"].as_str().unwrap().to_owned()
    });
    (statuses.collect(), seq)
}

on_every_store! {
    async fn each_side_marks_only_the_messages_of_the_other(app) {
        let id = app.open_assigned("alice", "bob").await;
        let question = app.say("alice", &id, "Where is it?").await["id"].clone();
        let answer = app.say("bob", &id, "On its way.").await["id"].clone();
        let response = mark(app, "bob", &id, &[&question]).await;
        assert!(response.bytes.is_empty());
        response.expect(204);
        assert_eq!(statuses(app, &id).await.0, ["read", "sent"]);
        mark(app, "alice", &id, &[&answer]).await.expect(204);
        assert_eq!(statuses(app, &id).await.0, ["read", "read"]);
    }

    async fn an_admin_reads_for_support(app) {
        let id = app.open_session("alice").await;
        let question = app.say("alice", &id, "Anyone?").await["id"].clone();
        mark(app, "root", &id, &[&question]).await.expect(204);
        assert_eq!(statuses(app, &id).await.0, ["read"]);
    }

    async fn ones_own_messages_are_ignored(app) {
        let id = app.open_assigned("alice", "bob").await;
        let question = app.say("alice", &id, "Where is it?").await["id"].clone();
        let answer = app.say("bob", &id, "On its way.").await["id"].clone();
        let before = statuses(app, &id).await;
        mark(app, "alice", &id, &[&question]).await.expect(204);
        assert_eq!(statuses(app, &id).await, before);
        mark(app, "alice", &id, &[&question, &answer]).await.expect(204);
        assert_eq!(statuses(app, &id).await.0, ["sent", "read"]);
    }

    async fn reading_again_changes_nothing(app) {
        let id = app.open_assigned("alice", "bob").await;
        let question = app.say("alice", &id, "Where is it?").await["id"].clone();
        mark(app, "bob", &id, &[&question, &question]).await.expect(204);
        let once = statuses(app, &id).await;
        assert_eq!(once, (vec!["read".to_owned()], "4".to_owned()));
        mark(app, "bob", &id, &[&question]).await.expect(204);
        assert_eq!(statuses(app, &id).await, once);
        mark(app, "bob", &id, &[]).await.expect(204);
        assert_eq!(statuses(app, &id).await, once);
    }

    async fn one_wrong_id_and_nothing_is_marked(app) {
        let id = app.open_assigned("alice", "bob").await;
        let question = app.say("alice", &id, "Where is it?").await["id"].clone();
        let elsewhere = app.open_assigned("dave", "bob").await;
        let foreign = app.say("dave", &elsewhere, "And mine?").await["id"].clone();
        let unknown = json!(fixtures::message_id(404).to_string());
        let before = statuses(app, &id).await;
        let mut answers = Vec::new();
        for wrong in [&foreign, &unknown, &json!("not a uuid"), &json!("")] {
            let mut error = mark(app, "bob", &id, &[&question, wrong]).await.expect_error(400, "VALIDATION_FAILED");
            assert_eq!(error["details"][0]["field"], "messageIds[1]");
            error["requestId"] = json!(null);
            answers.push(error);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(statuses(app, &id).await, before);
        assert_eq!(statuses(app, &elsewhere).await.0, ["sent"]);
    }

    async fn a_wrong_id_is_named_by_its_place_in_the_request(app) {
        let id = app.open_assigned("alice", "bob").await;
        let question = app.say("alice", &id, "Where is it?").await["id"].clone();
        let unknown = json!(fixtures::message_id(404).to_string());
        mark(app, "bob", &id, &[&question, &question, &unknown]).await.expect_invalid("messageIds[2]");
    }

    async fn up_to_a_thousand_ids_are_taken(app) {
        let id = app.open_assigned("alice", "bob").await;
        let question = app.say("alice", &id, "Where is it?").await["id"].clone();
        let path = format!("/api/chat/sessions/{id}/read");
        app.put("bob", &path, json!({ "messageIds": vec![&question; 1_001] })).await.expect_invalid("messageIds");
        assert_eq!(statuses(app, &id).await.0, ["sent"]);
        app.put("bob", &path, json!({ "messageIds": vec![&question; 1_000] })).await.expect(204);
        assert_eq!(statuses(app, &id).await.0, ["read"]);
    }

    async fn the_ids_must_be_an_array_of_texts(app) {
        let id = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{id}/read");
        app.put("alice", &path, json!({})).await.expect_invalid("messageIds");
        for wrong in [json!(null), json!("abc"), json!({}), json!(1)] {
            app.put("alice", &path, json!({ "messageIds": wrong })).await.expect_invalid("messageIds");
        }
        for wrong in [json!([1]), json!([null]), json!([["x"]])] {
            app.put("alice", &path, json!({ "messageIds": wrong })).await.expect_invalid("messageIds[0]");
        }
    }

    async fn everything_up_to_a_position_is_marked(app) {
        let id = app.open_assigned("alice", "bob").await;
        for n in 1..=3 {
            app.say("alice", &id, &format!("question {n}")).await;
        }
        app.say("bob", &id, "answer").await;
        // Opened 1, assigned 2, the messages are 3 to 6.
        for (up_to, expected) in [(0, ["sent", "sent", "sent", "sent"]), (4, ["read", "read", "sent", "sent"])] {
            let response = mark_up_to(app, "bob", &id, json!(up_to)).await;
            assert!(response.bytes.is_empty());
            response.expect(204);
            assert_eq!(statuses(app, &id).await.0, expected);
        }
        mark_up_to(app, "bob", &id, json!(6)).await.expect(204);
        let all = statuses(app, &id).await;
        assert_eq!(all, (vec!["read".to_owned(), "read".to_owned(), "read".to_owned(), "sent".to_owned()], "8".to_owned()));
        mark_up_to(app, "bob", &id, json!(6)).await.expect(204);
        mark_up_to(app, "bob", &id, json!(1)).await.expect(204);
        assert_eq!(statuses(app, &id).await, all, "again, and further back, changes nothing");
        mark_up_to(app, "alice", &id, json!(8)).await.expect(204);
        assert_eq!(statuses(app, &id).await.0, ["read"; 4]);
    }

    async fn a_position_must_not_be_ahead_of_the_session(app) {
        let id = app.open_assigned("alice", "bob").await;
        app.say("alice", &id, "Where is it?").await;
        let before = statuses(app, &id).await;
        assert_eq!(before.1, "3");
        for ahead in [json!(4), json!(i64::MAX), json!(u64::MAX)] {
            mark_up_to(app, "bob", &id, ahead).await.expect_invalid("upToSeq");
        }
        for wrong in [json!(-1), json!(1.5), json!("3"), json!([3]), json!(true)] {
            mark_up_to(app, "bob", &id, wrong).await.expect_invalid("upToSeq");
        }
        // The same number in JSON, in forms that are not accepted.
        for form in ["3.0", "3e0", "30e-1", "-0.0"] {
            let request = app.request("bob", Method::PUT, &format!("/api/chat/sessions/{id}/read"));
            let request = request.header("content-type", "application/json").body(format!("{{\"upToSeq\":{form}}}"));
            let error = send(request).await.expect_error(400, "VALIDATION_FAILED");
            let rule = "must be a whole number from 0, without a fraction or an exponent";
            assert_eq!(error["details"], json!([{ "field": "upToSeq", "message": rule }]), "{form}");
        }
        mark_up_to(app, "carol", &id, json!(4)).await.expect_error(403, "FORBIDDEN");
        let unknown = fixtures::session_id(404).to_string();
        mark_up_to(app, "root", &unknown, json!(4)).await.expect_error(404, "SESSION_NOT_FOUND");
        assert_eq!(statuses(app, &id).await, before);
    }

    async fn ids_and_a_position_are_not_given_together(app) {
        let id = app.open_assigned("alice", "bob").await;
        let path = format!("/api/chat/sessions/{id}/read");
        app.put("bob", &path, json!({ "messageIds": [], "upToSeq": 1 })).await.expect_invalid("upToSeq");
        app.put("bob", &path, json!({ "messageIds": null, "upToSeq": null })).await.expect_invalid("messageIds");
    }

    async fn messages_of_a_closed_session_can_be_marked(app) {
        let id = app.open_assigned("alice", "bob").await;
        let answer = app.say("bob", &id, "Bye.").await["id"].clone();
        app.put("bob", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        mark(app, "alice", &id, &[&answer]).await.expect(204);
        assert_eq!(statuses(app, &id).await.0, ["read"]);
    }

    async fn onlookers_mark_nothing(app) {
        let id = app.open_session("alice").await;
        let question = app.say("alice", &id, "Anyone?").await["id"].clone();
        for who in ["mallory", "bob"] {
            mark(app, who, &id, &[&question]).await.expect_error(403, "FORBIDDEN");
            mark(app, who, &id, &[]).await.expect_error(403, "FORBIDDEN");
        }
        let unknown = fixtures::session_id(404).to_string();
        mark(app, "root", &unknown, &[]).await.expect_error(404, "SESSION_NOT_FOUND");
        mark(app, "root", &unknown, &[&question]).await.expect_error(404, "SESSION_NOT_FOUND");
    }
}
