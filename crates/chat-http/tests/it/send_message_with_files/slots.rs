//! How many uploads run at the same time, and for how long.

use std::pin::Pin;
use std::time::Duration;

use chat_http::{HttpSettings, UploadSettings};

use futures_util::future::select_all;

use crate::support::app::{Options, send};
use crate::support::raw::RawClient;
use crate::support::{Answer, Form, TestApp};

/// How long a state of the server that must come may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

fn with_uploads(uploads: UploadSettings) -> Options {
    Options { http: HttpSettings { uploads, ..HttpSettings::default() }, ..Options::default() }
}

fn two_a_person() -> Options {
    with_uploads(UploadSettings { per_person: 2, ..UploadSettings::default() })
}

fn one_a_node() -> Options {
    with_uploads(UploadSettings { per_node: 1, ..UploadSettings::default() })
}

fn of_a_moment() -> Options {
    with_uploads(UploadSettings { time_limit: Duration::from_millis(200), ..UploadSettings::default() })
}

fn form() -> Form {
    Form::new().file(0, "a.txt", "text/plain", b"hello")
}

/// Begins an upload that announces more than it sends.
async fn begin(app: &TestApp, who: &str, session: &str) -> RawClient {
    let body = form().unfinished();
    let head = format!(
        "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
         Content-Type: {}\r\nContent-Length: 1000000\r\n\r\n",
        app.token_of(who),
        Form::content_type()
    );
    let mut client = RawClient::connect(&app.base).await;
    client.send(&[head.as_bytes(), &body].concat()).await;
    client
}

/// An upload that stands still until the server answers it or it is dropped.
type Standing = Pin<Box<dyn Future<Output = String>>>;

/// Begins uploads of these people, of which the server refuses one. Returns the head of that answer, and the others.
async fn begin_one_too_many(app: &TestApp, people: &[&str], session: &str) -> (String, Vec<Standing>) {
    let mut standing: Vec<Standing> = Vec::new();
    for who in people {
        let mut client = begin(app, who, session).await;
        standing.push(Box::pin(async move { client.read_head().await }));
    }
    let (head, _, others) = select_all(standing).await;
    (head, others)
}

/// Uploads again and again until it is taken: the server notices only a moment later that a client is gone.
async fn until_taken(app: &TestApp, who: &str, session: &str) {
    let taken = async { while send(form().to(app, who, session)).await.status != 201 {} };
    tokio::time::timeout(PATIENCE, taken).await.expect("an upload is taken");
}

fn assert_refused(answer: Answer, status: u16, code: &str) {
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(answer.header("connection"), "close", "the upload is not read");
    answer.expect_error(status, code);
}

on_every_store! {
    with two_a_person;

    async fn uploads_per_person_are_limited_and_a_lost_client_frees_its_slot(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (refusal, mut standing) = begin_one_too_many(app, &["alice"; 3], &session).await;
        assert!(refusal.starts_with("HTTP/1.1 429 "), "{refusal}");
        assert_refused(send(form().to(app, "alice", &session)).await, 429, "TOO_MANY_UPLOADS");
        // Others have slots of their own, and a message without files takes none.
        send(form().to(app, "bob", &session)).await.expect(201);
        app.say("alice", &session, "hello").await;
        drop(standing.pop());
        until_taken(app, "alice", &session).await;
    }

    async fn uploads_that_end_in_any_way_free_their_slots(app) {
        let session = app.open_session("alice").await;
        let other = app.open_session("carol-the-customer").await;
        for _ in 0..3 {
            send(form().to(app, "alice", &session)).await.expect(201);
            send(form().text("unknown", "field").to(app, "alice", &session)).await.expect_invalid("body");
            send(Form::new().text("content", " ").to(app, "alice", &session)).await.expect_invalid("content");
            send(form().to(app, "alice", &other)).await.expect_error(403, "FORBIDDEN");
        }
    }
}

on_every_store! {
    with one_a_node;

    async fn a_node_has_so_many_uploads_at_a_time(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (refusal, standing) = begin_one_too_many(app, &["alice", "bob"], &session).await;
        assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
        assert_refused(send(form().to(app, "bob", &session)).await, 503, "UNAVAILABLE");
        drop(standing);
        until_taken(app, "bob", &session).await;
    }
}

on_every_store! {
    with of_a_moment;

    async fn an_upload_ends_after_its_time(app) {
        let session = app.open_session("alice").await;
        let mut upload = begin(app, "alice", &session).await;
        let answer = upload.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("VALIDATION_FAILED") && answer.contains("as a whole"), "{answer}");
        assert_eq!(app.stored_files().await, 0);
    }

    async fn an_upload_that_gets_on_steadily_ends_after_its_time_too(app) {
        let session = app.open_session("alice").await;
        let upload = begin(app, "alice", &session).await;
        // Bytes enough for every window, for as long as the server takes them.
        let answer = upload.trickle(&[b'x'; 64]).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("as a whole"), "{answer}");
    }
}
