//! How much a person may have uploaded and not sent, and how large a file is.

use chat_domain::model::UploadQuota;
use chat_domain::service::Rules;
use futures_util::future::join_all;
use serde_json::json;

use super::{send_with, upload, upload_form, uploaded};
use crate::support::Form;
use crate::support::app::Options;

fn tight_limits() -> Options {
    let defaults = Options::default();
    let upload_quota = UploadQuota { files: 3, bytes: 250 };
    Options { rules: Rules { max_file_bytes: 100, upload_quota, ..defaults.rules }, ..defaults }
}

on_every_store! {
    with tight_limits;

    async fn a_file_at_the_limit_is_uploaded_and_one_byte_more_is_not(app) {
        let session = app.open_session("alice").await;
        let form = |bytes: usize| Form::new().file_as("file", "a.txt", "text/plain", &vec![b'x'; bytes]);
        upload(app, "alice", &session, &"x".repeat(101)).await.expect_invalid("body");
        upload_form(app, "alice", &session, form(101)).await.expect_invalid("file");
        assert_eq!(app.stored_files().await, 0);
        upload(app, "alice", &session, &"x".repeat(100)).await.expect(201);
        upload_form(app, "alice", &session, form(100)).await.expect(201);
    }

    async fn the_quota_comes_before_the_state_of_the_session(app) {
        let (open, closed) = (app.open_session("alice").await, app.open_session("alice").await);
        app.put("alice", &format!("/api/chat/sessions/{closed}/close"), json!(null)).await.expect(200);
        upload(app, "alice", &closed, "x").await.expect_error(409, "SESSION_CLOSED");
        for _ in 0..2 {
            uploaded(app, "alice", &open, &"x".repeat(100)).await;
        }
        upload(app, "alice", &closed, &"x".repeat(51)).await.expect_error(400, "UPLOAD_QUOTA");
        upload(app, "mallory", &closed, &"x".repeat(51)).await.expect_error(403, "FORBIDDEN");
        upload(app, "alice", &closed, &"x".repeat(101)).await.expect_invalid("body");
        upload(app, "alice", &closed, &"x".repeat(50)).await.expect_error(409, "SESSION_CLOSED");
        // Of the file of a form, it is known at first that it has a byte.
        uploaded(app, "alice", &open, &"x".repeat(50)).await;
        let form = Form::new().file_as("file", "a.txt", "text/plain", b"x");
        upload_form(app, "alice", &closed, form).await.expect_error(400, "UPLOAD_QUOTA");
        assert_eq!(app.stored_files().await, 3);
    }

    async fn the_quota_is_of_bytes_and_files_and_is_free_again_when_they_are_sent_or_removed(app) {
        let session = app.open_assigned("alice", "bob").await;
        let first = uploaded(app, "alice", &session, &"x".repeat(100)).await;
        let second = uploaded(app, "alice", &session, &"x".repeat(100)).await;
        upload(app, "alice", &session, &"x".repeat(51)).await.expect_error(400, "UPLOAD_QUOTA");
        // Of another person, and in a message that brings its file.
        upload(app, "bob", &session, &"x".repeat(100)).await.expect(201);
        let form = Form::new().file(0, "a.txt", "text/plain", &[b'x'; 60]);
        crate::support::app::send(form.to(app, "alice", &session)).await.expect(201);
        uploaded(app, "alice", &session, &"x".repeat(50)).await;
        upload(app, "alice", &session, "x").await.expect_error(400, "UPLOAD_QUOTA");
        send_with(app, "alice", &session, &[&first]).await.expect(201);
        uploaded(app, "alice", &session, &"x".repeat(100)).await;
        app.delete("alice", &format!("/api/chat/attachments/{second}")).await.expect_status(204);
        uploaded(app, "alice", &session, "x").await;
        upload(app, "alice", &session, "x").await.expect_error(400, "UPLOAD_QUOTA");
    }

    async fn uploads_at_the_same_moment_do_not_exceed_the_quota(app) {
        let session = app.open_session("alice").await;
        let bytes = "x".repeat(100);
        let answers = join_all((0..6).map(|_| upload(app, "alice", &session, &bytes))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            answer.expect_error(400, "UPLOAD_QUOTA");
        }
        assert_eq!(app.stored_files().await, 2);
    }
}
