//! `GET /api/chat/stats`

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::TestApp;

async fn stats(app: &TestApp) -> Value {
    app.get("root", "/api/chat/stats").await.expect(200)
}

/// Minutes between two messages, by their timestamps.
#[expect(clippy::cast_precision_loss, reason = "a test's times are far below 2^53 milliseconds")]
fn minutes_between(first: &Value, second: &Value) -> f64 {
    let moment = |message: &Value| OffsetDateTime::parse(message["timestamp"].as_str().unwrap(), &Rfc3339).unwrap();
    (moment(second) - moment(first)).whole_milliseconds() as f64 / 60_000.0
}

on_every_store! {
    async fn an_unused_desk_has_only_zeros(app) {
        let expected =
            json!({ "totalSessions": 0, "activeSessions": 0, "averageResponseTime": 0.0, "messagesExchanged": 0 });
        assert_eq!(stats(app).await, expected);
    }

    async fn sessions_and_messages_are_counted(app) {
        let first = app.open_session("alice").await;
        app.open_session("dave").await;
        let third = app.open_assigned("alice", "bob").await;
        app.say("alice", &first, "one").await;
        app.say("bob", &third, "two").await;
        app.put("alice", &format!("/api/chat/sessions/{first}/close"), json!(null)).await.expect(200);
        // What is refused counts nothing.
        let body = json!({ "content": "three" });
        app.post("alice", &format!("/api/chat/sessions/{first}/messages"), body).await.expect(409);
        app.put("alice", &format!("/api/chat/sessions/{first}/close"), json!(null)).await.expect(409);
        let expected =
            json!({ "totalSessions": 3, "activeSessions": 2, "averageResponseTime": 0.0, "messagesExchanged": 2 });
        assert_eq!(stats(app).await, expected);
    }

    async fn the_average_is_over_answers_from_the_first_message_that_waited(app) {
        let id = app.open_assigned("alice", "bob").await;
        // A greeting answers no message.
        app.say("bob", &id, "How can I help?").await;
        app.clock.advance(Duration::from_mins(30));
        let first = app.say("alice", &id, "Where is it?").await;
        app.clock.advance(Duration::from_mins(1));
        app.say("alice", &id, "Hello?").await;
        app.clock.advance(Duration::from_mins(3));
        let answer = app.say("bob", &id, "On its way.").await;
        // No message waits any more, so this one answers none either.
        app.clock.advance(Duration::from_mins(20));
        app.say("bob", &id, "Anything else?").await;
        let four = minutes_between(&first, &answer);
        assert!((four - 4.0).abs() < 0.001, "{four}");
        assert_eq!(stats(app).await["averageResponseTime"], json!(four));

        let other = app.open_session("dave").await;
        let question = app.say("dave", &other, "Mine?").await;
        app.clock.advance(Duration::from_mins(10));
        // Any support message is an answer.
        let reply = app.say("root", &other, "Soon.").await;
        let average = stats(app).await["averageResponseTime"].as_f64().unwrap();
        let expected = f64::midpoint(four, minutes_between(&question, &reply));
        assert!((average - expected).abs() < 1e-9 && (average - 7.0).abs() < 0.001, "{average} is not {expected}");
    }

    async fn a_repetition_counts_once(app) {
        let id = app.open_session("alice").await;
        for _ in 0..3 {
            let request = app.request("alice", reqwest::Method::POST, &format!("/api/chat/sessions/{id}/messages"));
            let request = request.header("Idempotency-Key", "k-1").json(&json!({ "content": "hello" }));
            crate::support::app::send(request).await.expect(201);
        }
        assert_eq!(stats(app).await["messagesExchanged"], 1);
    }

    async fn figures_do_not_get_lost_when_everything_happens_at_once(app) {
        let talk = |n: usize| async move {
            let id = app.open_session("alice").await;
            for _ in 0..5 {
                app.say("alice", &id, "hello").await;
            }
            if n.is_multiple_of(2) {
                app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
            }
        };
        join_all((0..16).map(talk)).await;
        let expected =
            json!({ "totalSessions": 16, "activeSessions": 8, "averageResponseTime": 0.0, "messagesExchanged": 80 });
        assert_eq!(stats(app).await, expected);
    }

    async fn only_an_admin_sees_them(app) {
        for who in ["alice", "bob"] {
            app.get(who, "/api/chat/stats").await.expect_error(403, "FORBIDDEN");
        }
    }
}
