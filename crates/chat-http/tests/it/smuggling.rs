//! Requests that two servers in a row could take for different ones (RFC 9112, 11.2): refused, and the connection ends,
//! so that nothing after them is ever read as a request of its own.

use crate::support::TestApp;
use crate::support::raw::RawClient;

/// What would be answered if the rest of a refused request were taken for the next one.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n";

/// Sends bytes as they are and returns everything until the server closes.
async fn exchange(app: &TestApp, bytes: &str) -> String {
    let mut client = RawClient::connect(&app.base).await;
    client.send(bytes.as_bytes()).await;
    client.read_to_end().await
}

async fn assert_refused_once(app: &TestApp, bytes: &str) {
    let answer = exchange(app, bytes).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{bytes:?} got {answer:?}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{bytes:?} got {answer:?}");
}

/// A `POST` by alice with these header lines and this body.
fn post(app: &TestApp, session: &str, headers: &str, body: &str) -> String {
    format!(
        "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n{headers}\r\n{body}",
        app.token_of("alice")
    )
}

async fn messages_in(app: &TestApp, session: &str) -> u64 {
    let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
    page["totalCount"].as_u64().unwrap()
}

on_every_store! {
    async fn a_body_whose_length_is_ambiguous_is_refused(app) {
        let session = app.open_session("alice").await;
        let chunked = format!("0\r\n\r\n{SMUGGLED}");
        for headers in [
            // Both lengths, in either order.
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            // More than one length.
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 0\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: 5, 0\r\n",
            // Lengths that are none.
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length: 5a\r\n",
            "Content-Length: \r\n",
            "Content-Length: 18446744073709551616\r\n",
            // Encodings that are none, or are hidden.
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: identity, chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: \x0bchunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding\t: chunked\r\n",
            "Content-Length : 5\r\n",
            " Transfer-Encoding: chunked\r\n",
            "X: y\r\n Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding:\r\n chunked\r\n",
            "Transfer-Encoding\r\n: chunked\r\n",
        ] {
            assert_refused_once(app, &post(app, &session, headers, &chunked)).await;
        }
        assert_eq!(messages_in(app, &session).await, 0);
    }

    async fn a_body_in_broken_chunks_ends_the_connection(app) {
        let session = app.open_session("alice").await;
        for body in [
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x10\r\n",
            "1 1\r\n",
            "\r\n",
            ";\r\n",
            "10000000000000000\r\n",
            "ffffffffffffffffff\r\n",
            "3\r\nabcX",
            "3\nabc\r\n",
            "1\r\nabc\r\n",
            "2;a\nb\r\nab\r\n",
        ] {
            let request = post(app, &session, "Transfer-Encoding: chunked\r\n", &format!("{body}0\r\n\r\n{SMUGGLED}"));
            // The HTTP library hangs up at once; the 400 of the handler gets out only when it is faster.
            let answer = exchange(app, &request).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{body:?} got {answer:?}");
            assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{body:?} got {answer:?}");
        }
        assert_eq!(messages_in(app, &session).await, 0);
    }

    async fn a_head_that_two_servers_would_read_differently_is_refused(app) {
        for head in [
            // Folded lines (RFC 9112, 5.2) and white space where none belongs.
            "GET /healthz HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: test\r\nX: a\r\n\tb\r\n\r\n",
            "GET /healthz HTTP/1.1\r\n Host: test\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost : test\r\n\r\n",
            // Not exactly one host.
            "GET /healthz HTTP/1.1\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            // Names and values that hold what they must not.
            "GET /healthz HTTP/1.1\r\nHost: test\r\nX Y: z\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: test\r\n: z\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: test\r\nX: a\0b\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: test\r\nX: a\rY: b\r\n\r\n",
            // Request lines that are none.
            "GET /healthz HTTP/1.1 \r\nHost: test\r\n\r\n",
            "GET /health z HTTP/1.1\r\nHost: test\r\n\r\n",
            "GET /healthz HTTP/2.0\r\nHost: test\r\n\r\n",
            "GET /healthz HTTP/1.10\r\nHost: test\r\n\r\n",
            "GET /healthz\r\nHost: test\r\n\r\n",
            "G\0T /healthz HTTP/1.1\r\nHost: test\r\n\r\n",
            // An encoding that an old client cannot mean.
            "POST /healthz HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert_refused_once(app, &format!("{head}{SMUGGLED}")).await;
        }
    }

    async fn the_rest_of_a_refused_upload_is_no_request(app) {
        let session = app.open_session("alice").await;
        let body = format!("no form\r\n{SMUGGLED}");
        let headers = format!("Content-Length: {}\r\n", body.len() + 100_000);
        let request = post(app, &session, &headers, &body)
            .replace("application/json", "multipart/form-data; boundary=the-boundary");
        let mut client = RawClient::connect(&app.base).await;
        client.send(request.as_bytes()).await;
        client.finish().await;
        let answer = client.read_to_end().await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
        assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    }

    async fn an_unread_body_is_not_parsed_as_a_request(app) {
        let session = app.open_session("mallory").await;
        // Refused before the body is looked at: the body must not be taken for a second request.
        for (headers, status) in [(format!("Content-Length: {}\r\n", SMUGGLED.len()), 403), (String::new(), 404)] {
            let path = if status == 403 { session.as_str() } else { "not-an-id" };
            let last = "GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
            let body = if status == 403 { SMUGGLED } else { "" };
            let answer = exchange(app, &post(app, path, &headers, &format!("{body}{last}"))).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(answer.matches("HTTP/1.1 200").count() <= 1, "{answer}");
        }
    }

    async fn two_proper_requests_in_a_row_are_answered_in_a_row(app) {
        let session = app.open_session("alice").await;
        let body = r#"{"content":"hello"}"#;
        let sized = post(app, &session, &format!("Content-Length: {}\r\n", body.len()), body);
        let chunked = format!("8;name=value\r\n{}\r\nb\r\n{}\r\n0\r\nX-Trailer: x\r\n\r\n", &body[..8], &body[8..]);
        let chunked = post(app, &session, "Transfer-Encoding: chunked\r\n", &chunked);
        let last = "GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        let answer = exchange(app, &format!("{sized}{chunked}{last}")).await;
        assert_eq!(answer.matches("HTTP/1.1 201").count(), 2, "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
        assert_eq!(messages_in(app, &session).await, 2);
    }
}
