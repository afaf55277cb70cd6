//! `ETag` and `If-None-Match` (RFC 9110, 13.1.2).

use reqwest::Method;

use super::{ask, stored};

on_every_store! {
    async fn the_tag_belongs_to_the_bytes(app) {
        let session = app.open_session("alice").await;
        let mut tags = Vec::new();
        for bytes in [b"one", b"one", b"two"] {
            let path = stored(app, &session, "a.txt", "text/plain", bytes).await;
            tags.push(app.get("alice", &path).await.header("etag").to_owned());
        }
        assert!(tags[0].starts_with('"') && tags[0].ends_with('"') && tags[0].len() > 2, "{tags:?}");
        assert_eq!(tags[0], tags[1]);
        assert_ne!(tags[0], tags[2]);
    }

    async fn a_caller_with_the_current_etag_gets_304(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        let whole = app.get("alice", &path).await;
        let tag = whole.header("etag");
        for known in [tag, &format!("W/{tag}"), "*", &format!("\"other\", {tag}"), &format!("\"a\",W/\"b\" ,W/{tag}")] {
            for method in [Method::GET, Method::HEAD] {
                let answer = ask(app, "alice", method, &path, ("if-none-match", known)).await;
                assert_eq!(answer.status, 304, "{known}");
                assert_eq!(answer.bytes, b"");
                // What a cache needs to go on using what it has (RFC 9110, 15.4.5).
                for name in ["etag", "cache-control", "content-security-policy", "x-content-type-options"] {
                    assert_eq!(answer.header(name), whole.header(name), "{name}");
                }
            }
        }
    }

    async fn a_caller_with_another_etag_gets_the_file(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        let tag = app.get("alice", &path).await.header("etag").to_owned();
        for known in ["\"other\"", "", "hello", tag.trim_matches('"'), &tag.replace('"', "\"x")] {
            let answer = ask(app, "alice", Method::GET, &path, ("if-none-match", known)).await;
            assert_eq!((answer.status.as_u16(), &answer.bytes[..]), (200, &b"hello"[..]), "{known}");
        }
    }

    async fn the_condition_comes_before_the_range(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        for range in ["bytes=0-1", "bytes=99-"] {
            let request = app.request("alice", Method::GET, &path).header("if-none-match", "*").header("range", range);
            assert_eq!(crate::support::app::send(request).await.status, 304);
        }
    }
}
