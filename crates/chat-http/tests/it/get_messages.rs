//! `GET /api/chat/sessions/{sessionId}/messages`

mod cache;

use chat_testkit::fixtures;
use serde_json::{Value, json};

use crate::support::TestApp;

/// The contents of a page, in its order.
fn contents(page: &Value) -> Vec<String> {
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

/// Sends that many messages, `m1`, `m2`, …, and returns their ids.
async fn say_many(app: &TestApp, session: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 1..=count {
        ids.push(app.say("alice", session, &format!("m{n}")).await["id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn page(app: &TestApp, session: &str, query: &str) -> Value {
    app.get("alice", &format!("/api/chat/sessions/{session}/messages{query}")).await.expect(200)
}

on_every_store! {
    async fn a_page_holds_the_messages_as_they_were_sent_oldest_first(app) {
        let id = app.open_assigned("alice", "bob").await;
        let question = app.say("alice", &id, "Where is it?").await;
        let answer = app.say("bob", &id, "On its way.").await;
        let expected = json!({ "messages": [question, answer], "totalCount": 2, "hasMore": false });
        assert_eq!(page(app, &id, "").await, expected);
    }

    async fn a_session_without_messages_has_an_empty_page(app) {
        let id = app.open_session("alice").await;
        assert_eq!(page(app, &id, "").await, json!({ "messages": [], "totalCount": 0, "hasMore": false }));
    }

    async fn the_position_of_the_page_counts_every_durable_change(app) {
        let id = app.open_session("alice").await;
        let messages = format!("/api/chat/sessions/{id}/messages");
        assert_eq!(app.get("alice", &messages).await.header("x-chat-seq"), "1");
        app.say("alice", &id, "hello").await;
        assert_eq!(app.get("alice", &messages).await.header("x-chat-seq"), "2");
        app.put("bob", &format!("/api/chat/sessions/{id}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        assert_eq!(app.get("alice", &messages).await.header("x-chat-seq"), "3");
        // Typing is no change.
        let typing = json!({ "isTyping": true });
        app.post("bob", &format!("/api/chat/sessions/{id}/typing"), typing).await.expect(204);
        assert_eq!(app.get("alice", &messages).await.header("x-chat-seq"), "3");
    }

    async fn before_pages_back_to_the_beginning(app) {
        let id = app.open_session("alice").await;
        let ids = say_many(app, &id, 7).await;
        let newest = page(app, &id, "?limit=3").await;
        assert_eq!(contents(&newest), ["m5", "m6", "m7"]);
        assert_eq!((&newest["hasMore"], &newest["totalCount"]), (&json!(true), &json!(7)));
        let middle = page(app, &id, &format!("?limit=3&before={}", ids[4])).await;
        assert_eq!((contents(&middle), &middle["hasMore"]), (vec!["m2".into(), "m3".into(), "m4".into()], &json!(true)));
        let first = page(app, &id, &format!("?limit=3&before={}", ids[1])).await;
        assert_eq!((contents(&first), &first["hasMore"]), (vec!["m1".into()], &json!(false)));
        // A page that ends exactly at the beginning has nothing before it.
        let exact = page(app, &id, &format!("?limit=3&before={}", ids[3])).await;
        assert_eq!((contents(&exact).len(), &exact["hasMore"]), (3, &json!(false)));
        let none = page(app, &id, &format!("?before={}", ids[0])).await;
        assert_eq!(none, json!({ "messages": [], "totalCount": 7, "hasMore": false }));
    }

    async fn after_pages_forward_to_the_end(app) {
        let id = app.open_session("alice").await;
        let ids = say_many(app, &id, 7).await;
        let next = page(app, &id, &format!("?limit=3&after={}", ids[0])).await;
        assert_eq!((contents(&next), &next["hasMore"]), (vec!["m2".into(), "m3".into(), "m4".into()], &json!(true)));
        let exact = page(app, &id, &format!("?limit=3&after={}", ids[3])).await;
        assert_eq!((contents(&exact), &exact["hasMore"]), (vec!["m5".into(), "m6".into(), "m7".into()], &json!(false)));
        let none = page(app, &id, &format!("?after={}", ids[6])).await;
        assert_eq!(none, json!({ "messages": [], "totalCount": 7, "hasMore": false }));
    }

    async fn pages_stay_where_they_are_while_messages_arrive(app) {
        let id = app.open_session("alice").await;
        let ids = say_many(app, &id, 5).await;
        let query = format!("?limit=2&before={}", ids[2]);
        let before = page(app, &id, &query).await["messages"].clone();
        say_many(app, &id, 3).await;
        assert_eq!(page(app, &id, &query).await["messages"], before);
    }

    async fn a_page_has_50_messages_by_default_and_at_most_100(app) {
        let id = app.open_session("alice").await;
        say_many(app, &id, 103).await;
        let default = page(app, &id, "").await;
        assert_eq!((contents(&default).len(), contents(&default)[0].as_str()), (50, "m54"));
        for requested in ["100", "101", "1000000"] {
            let clamped = page(app, &id, &format!("?limit={requested}")).await;
            assert_eq!((contents(&clamped).len(), contents(&clamped)[0].as_str()), (100, "m4"), "limit={requested}");
        }
    }

    async fn a_cursor_that_is_no_message_of_the_session_is_refused_whatever_it_is(app) {
        let id = app.open_session("alice").await;
        let own = app.say("alice", &id, "mine").await["id"].as_str().unwrap().to_owned();
        let elsewhere = app.open_session("dave").await;
        let foreign = app.say("dave", &elsewhere, "his").await["id"].as_str().unwrap().to_owned();
        let unknown = fixtures::message_id(404).to_string();
        let shouting = own.to_uppercase();
        for name in ["before", "after"] {
            let mut answers = Vec::new();
            for cursor in [foreign.as_str(), &unknown, "abc", "", "0", &shouting, "%00"] {
                let path = format!("/api/chat/sessions/{id}/messages?{name}={cursor}");
                let mut error = app.get("alice", &path).await.expect_error(400, "VALIDATION_FAILED");
                assert_eq!(error["details"][0]["field"], name);
                error["requestId"] = json!(null);
                answers.push(error);
            }
            // The response is the same for a message of another session and for a message that does not exist.
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        }
        let both = format!("/api/chat/sessions/{id}/messages?before={own}&after={own}");
        app.get("alice", &both).await.expect_invalid("after");
    }

    async fn messages_of_a_closed_session_can_be_read(app) {
        let id = app.open_session("alice").await;
        say_many(app, &id, 2).await;
        app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        assert_eq!(contents(&page(app, &id, "").await), ["m1", "m2"]);
    }

    async fn strangers_and_unknown_sessions_are_refused(app) {
        let id = app.open_assigned("alice", "bob").await;
        for who in ["mallory", "carol"] {
            let answer = app.get(who, &format!("/api/chat/sessions/{id}/messages")).await;
            answer.expect_error(403, "FORBIDDEN");
        }
        let unknown = format!("/api/chat/sessions/{}/messages", fixtures::session_id(404));
        app.get("root", &unknown).await.expect_error(404, "SESSION_NOT_FOUND");
    }
}
