//! `DELETE /api/chat/people/{personId}/block`

use serde_json::{Value, json};

const BLOCK_ALICE: &str = "/api/chat/people/alice/block";

on_every_store! {
    async fn a_person_who_is_unblocked_is_accepted_again(app) {
        let session = app.open_session("alice").await;
        for _twice in 0..2 {
            app.put("root", BLOCK_ALICE, json!({})).await.expect(204);
            app.get("alice", "/api/chat/sessions").await.expect_error(403, "BLOCKED");
            assert_eq!(app.delete("root", BLOCK_ALICE).await.expect(204), Value::Null);
            app.say("alice", &session, "I am back").await;
        }
    }

    async fn a_person_who_is_not_blocked_stays_as_they_are(app) {
        app.delete("root", BLOCK_ALICE).await.expect(204);
        app.get("alice", "/api/chat/sessions").await.expect(200);
        let malformed = format!("/api/chat/people/{}/block", "x".repeat(129));
        app.delete("root", &malformed).await.expect_invalid("personId");
        app.delete("root", "/api/chat/people/alice/block?x=1").await.expect_invalid("x");
    }

    async fn only_an_admin_unblocks(app) {
        app.put("root", BLOCK_ALICE, json!({})).await.expect(204);
        for who in ["mallory", "bob"] {
            app.delete(who, BLOCK_ALICE).await.expect_error(403, "FORBIDDEN");
        }
        app.delete("alice", BLOCK_ALICE).await.expect_error(403, "BLOCKED");
        app.get("alice", "/api/chat/sessions").await.expect_error(403, "BLOCKED");
    }
}
