//! Forms that are none. Each is answered 400 and leaves nothing behind.

use futures_util::future::join_all;
use reqwest::Method;

use crate::support::app::send;
use crate::support::raw::RawClient;
use crate::support::{Answer, Form, TestApp};

/// A form that has begun well.
fn begun() -> Form {
    Form::new().file(0, "a.txt", "text/plain", b"hello")
}

async fn post(app: &TestApp, session: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = app.request("alice", Method::POST, &format!("/api/chat/sessions/{session}/messages"));
    send(request.header("content-type", content_type).body(body)).await
}

async fn assert_nothing_left(app: &TestApp, session: &str) {
    assert_eq!(app.stored_files().await, 0);
    let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
    assert_eq!(page["totalCount"], 0);
}

on_every_store! {
    async fn a_form_without_its_boundary_is_refused(app) {
        let session = app.open_session("alice").await;
        let body = || begun().body();
        for content_type in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=another",
            "multipart/form-data; boundary",
            "MULTIPART/FORM-DATA",
        ] {
            let answer = post(app, &session, content_type, body()).await;
            assert_eq!(answer.status, 400, "{content_type}");
            answer.expect_invalid("body");
        }
        post(app, &session, &Form::content_type(), Vec::new()).await.expect_invalid("body");
        post(app, &session, &Form::content_type(), b"not a form at all".to_vec()).await.expect_invalid("body");
        assert_nothing_left(app, &session).await;
    }

    async fn fields_that_do_not_belong_to_a_message_are_refused(app) {
        let session = app.open_session("alice").await;
        for field in [
            "unknown", "", "Content", "attachments[-1]", "attachments[+1]", "attachments[a]", "attachments[1",
            "attachments[ 1]", "attachments[10000]", "attachments[99999999999999999999]", "attachments[0][0]",
            "attachments[0]x", "attachmentsx", "id", "sender",
        ] {
            for form in [begun().text(field, "x"), begun().file_as(field, "b.txt", "text/plain", b"x")] {
                let answer = send(form.to(app, "alice", &session)).await;
                assert_eq!(answer.status, 400, "{field:?}: {}", String::from_utf8_lossy(&answer.bytes));
                let shown = String::from_utf8_lossy(&answer.bytes).replace("\\u", "");
                assert!(shown.contains(&format!("it has `{field}`")), "{field:?}: {shown}");
                answer.expect_invalid("body");
            }
        }
        assert_nothing_left(app, &session).await;
    }

    async fn repeated_fields_and_indices_are_refused(app) {
        let session = app.open_session("alice").await;
        let content = begun().text("content", "one").text("content", "one");
        send(content.to(app, "alice", &session)).await.expect_invalid("content");
        let index = begun().file(0, "b.txt", "text/plain", b"x");
        send(index.to(app, "alice", &session)).await.expect_invalid("attachments[0]");
        let same_index = begun().file_as("attachments[00]", "b.txt", "text/plain", b"x");
        send(same_index.to(app, "alice", &session)).await.expect_invalid("attachments[0]");
        assert_nothing_left(app, &session).await;
    }

    async fn parts_that_are_no_fields_are_refused(app) {
        let session = app.open_session("alice").await;
        let disposition = "Content-Disposition: form-data; name=\"attachments[1]\"; filename=\"b\"\r\n";
        for headers in [
            "",
            "Content-Type: text/plain\r\n",
            "Content-Disposition: form-data\r\n",
            "Content-Disposition: attachment; name=\"content\"\r\n",
            "Content-Disposition\r\n",
            // Characters that no header may hold (RFC 9110, 5.5).
            "Content-Disposition: form-data; name=\"attachments[1]\"; filename=\"bell\x07\"\r\n",
            "Content-Disposition: form-data; name=\"attachments[1]\"; filename=\"a\0b\"\r\n",
            "Content-Disposition: form-data; name=\"attachments[1]\"; filename=\"a\rX-Evil: 1\"\r\n",
            &format!("{disposition}Content-Type: multipart/mixed; boundary=inner\r\n"),
            &format!("{disposition}Content-Type: multipart/form-data; boundary=inner\r\n"),
        ] {
            let nested = b"--inner\r\nContent-Type: text/plain\r\n\r\nx\r\n--inner--\r\n";
            let answer = send(begun().part(headers, nested).to(app, "alice", &session)).await;
            assert_eq!(answer.status, 400, "{headers:?}");
            answer.expect_invalid("body");
        }
        let not_utf8 = begun().part("Content-Disposition: form-data; name=\"content\"\r\n", b"\xff\xfe");
        send(not_utf8.to(app, "alice", &session)).await.expect_invalid("content");
        assert_nothing_left(app, &session).await;
    }

    async fn ten_thousand_parts_or_headers_are_refused(app) {
        let session = app.open_session("alice").await;
        let empty_parts = (0..10_000).fold(Form::new(), |form, index| form.file(index, "a", "text/plain", b""));
        let parts = (0..10_000).fold(Form::new(), |form, index| form.file(index, "a", "text/plain", b"x"));
        let contents = (0..10_000).fold(begun(), |form, _| form.text("content", "x"));
        let headers = "X-Header: value\r\n".repeat(10_000);
        let disposition = "Content-Disposition: form-data; name=\"content\"\r\n";
        let long = format!("{disposition}X-Header: {}\r\n", "x".repeat(1_000_000));
        let forms = [
            ("empty parts", empty_parts),
            ("parts", parts),
            ("contents", contents),
            ("headers", begun().part(format!("{headers}{disposition}"), b"x")),
            ("a long header", begun().part(&long, b"x")),
        ];
        // The server need not read all of it before it answers and hangs up, so the answer is read by hand.
        let answers = join_all(forms.map(async |(what, form)| (what, upload(app, &session, &form.body()).await)));
        for (what, answer) in answers.await {
            assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{what}: {answer}");
        }
        assert_nothing_left(app, &session).await;
    }

    async fn an_upload_that_breaks_off_is_refused_and_leaves_nothing(app) {
        let session = app.open_session("alice").await;
        let whole = begun().body().len() + 1_000;
        let in_a_file = [begun().unfinished(), b"--the-boundary\r\nContent-Disposition: form-data; name=\"attachments[1]\"; \
            filename=\"b\"\r\n\r\nhel".to_vec()].concat();
        let in_headers = [begun().unfinished(), b"--the-boundary\r\nContent-Dispo".to_vec()].concat();
        for body in [begun().unfinished(), in_a_file, in_headers] {
            // As a request that is complete but whose form is not.
            post(app, &session, &Form::content_type(), body.clone()).await.expect_invalid("body");
            assert_nothing_left(app, &session).await;
            // As a sender who goes away half-way.
            let mut client = RawClient::connect(&app.base).await;
            client.send(head(app, &session, whole).as_bytes()).await;
            client.send(&body).await;
            client.finish().await;
            let answer = client.read_to_end().await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert_nothing_left(app, &session).await;
        }
    }
}

fn head(app: &TestApp, session: &str, length: usize) -> String {
    format!(
        "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
         Content-Type: {}\r\nContent-Length: {length}\r\n\r\n",
        app.token_of("alice"),
        Form::content_type()
    )
}

/// Sends a form and reads until the server hangs up.
async fn upload(app: &TestApp, session: &str, body: &[u8]) -> String {
    let mut client = RawClient::connect(&app.base).await;
    client.send(head(app, session, body.len()).as_bytes()).await;
    client.send_as_far_as_it_goes(body).await;
    client.read_to_end().await
}
