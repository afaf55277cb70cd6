//! How many files and bytes a message may have. What is refused leaves nothing behind.

use chat_domain::service::Rules;

use crate::support::app::{Options, send};
use crate::support::raw::RawClient;
use crate::support::{Form, TestApp};

fn tight_limits() -> Options {
    let rules = Rules { max_file_bytes: 100, max_message_bytes: 250, ..Rules::default() };
    Options { rules, ..Options::default() }
}

fn files(sizes: &[usize]) -> Form {
    (0_u32..)
        .zip(sizes)
        .fold(Form::new(), |form, (index, size)| form.file(index, "a", "text/plain", &vec![b'x'; *size]))
}

/// Sends files of these sizes and expects that `field` is blamed and none of them stays.
async fn assert_refused(app: &TestApp, session: &str, sizes: &[usize], field: &str) {
    let answer = send(files(sizes).to(app, "alice", session)).await;
    assert_eq!(answer.status, 400, "{sizes:?}");
    answer.expect_invalid(field);
    assert_eq!(app.stored_files().await, 0, "{sizes:?}");
    let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
    assert_eq!(page["totalCount"], 0, "{sizes:?}");
}

on_every_store! {
    async fn ten_files_are_taken_and_the_eleventh_is_not(app) {
        let session = app.open_session("alice").await;
        assert_refused(app, &session, &[1; 11], "attachments").await;
        let message = send(files(&[1; 10]).to(app, "alice", &session)).await.expect(201);
        assert_eq!(message["attachments"].as_array().unwrap().len(), 10);
        assert_eq!(app.stored_files().await, 10);
    }

    async fn an_empty_file_is_refused(app) {
        let session = app.open_session("alice").await;
        assert_refused(app, &session, &[0], "attachments[0]").await;
        assert_refused(app, &session, &[1, 1, 0], "attachments[2]").await;
    }
}

on_every_store! {
    with tight_limits;

    async fn a_file_at_the_limit_is_taken_and_one_byte_more_is_not(app) {
        let session = app.open_session("alice").await;
        assert_refused(app, &session, &[101], "attachments[0]").await;
        assert_refused(app, &session, &[1, 101], "attachments[1]").await;
        send(files(&[100]).to(app, "alice", &session)).await.expect(201);
    }

    async fn the_rest_of_a_form_that_is_refused_is_not_read(app) {
        let session = app.open_session("alice").await;
        // The form is announced to be larger, and goes no further than this file.
        let head = format!(
            "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {}\r\nContent-Length: 30000\r\n\r\n",
            app.token_of("alice"),
            Form::content_type()
        );
        let mut client = RawClient::connect(&app.base).await;
        client.send(&[head.as_bytes(), &files(&[1_000]).unfinished()].concat()).await;
        let answer = client.read_head().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    }

    async fn all_files_together_have_a_limit_too(app) {
        let session = app.open_session("alice").await;
        assert_refused(app, &session, &[100, 100, 51], "attachments").await;
        assert_refused(app, &session, &[100, 100, 50, 1], "attachments").await;
        send(files(&[100, 100, 50]).to(app, "alice", &session)).await.expect(201);
    }
}
