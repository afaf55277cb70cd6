//! `Range` and `If-Range` (RFC 9110, 14).

use reqwest::Method;

use super::{ask, many_bytes, stored};
use crate::support::app::send;

on_every_store! {
    async fn a_range_request_gets_its_part(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"0123456789").await;
        for (range, part, described) in [
            ("bytes=0-0", "0", "bytes 0-0/10"),
            ("bytes=9-9", "9", "bytes 9-9/10"),
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=-99", "0123456789", "bytes 0-9/10"),
            ("bytes=0-", "0123456789", "bytes 0-9/10"),
            ("bytes=5-99999", "56789", "bytes 5-9/10"),
            ("bytes=5-18446744073709551615", "56789", "bytes 5-9/10"),
            ("Bytes=2-4", "234", "bytes 2-4/10"),
            // Of several parts the first that there is.
            ("bytes=1-2,5-6", "12", "bytes 1-2/10"),
            ("bytes=20-30, 5-6", "56", "bytes 5-6/10"),
        ] {
            let answer = ask(app, "alice", Method::GET, &path, ("range", range)).await;
            assert_eq!(answer.status, 206, "{range}");
            assert_eq!(String::from_utf8_lossy(&answer.bytes), part, "{range}");
            assert_eq!(answer.header("content-range"), described, "{range}");
            assert_eq!(answer.header("content-length"), part.len().to_string(), "{range}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'");
        }
    }

    async fn a_part_that_there_is_not_is_refused(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"0123456789").await;
        for range in [
            "bytes=10-", "bytes=10-10", "bytes=99-100", "bytes=4-2", "bytes=-0", "bytes=10-,20-30", "bytes=", "bytes=-",
            "bytes=a-b", "bytes=18446744073709551616-",
        ] {
            let answer = ask(app, "alice", Method::GET, &path, ("range", range)).await;
            assert_eq!(answer.status, 416, "{range}");
            assert_eq!(answer.header("content-range"), "bytes */10", "{range}");
            assert_eq!(answer.bytes, b"", "{range}");
        }
    }

    async fn a_thousand_overlapping_ranges_get_one_part(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"0123456789").await;
        let overlapping = format!("bytes={}", vec!["0-"; 1_000].join(","));
        let answer = ask(app, "alice", Method::GET, &path, ("range", &overlapping)).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (206, 10));
        let missing = format!("bytes={}", vec!["99-"; 1_000].join(","));
        assert_eq!(ask(app, "alice", Method::GET, &path, ("range", &missing)).await.status, 416);
    }

    async fn another_unit_is_as_good_as_none(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"0123456789").await;
        for range in ["items=0-1", "bytes", "seconds=0-1", "", "bytes 0-1"] {
            let answer = ask(app, "alice", Method::GET, &path, ("range", range)).await;
            assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 10), "{range}");
            assert_eq!(answer.header("content-range"), "");
        }
    }

    async fn a_range_of_another_version_gets_the_whole_file(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"0123456789").await;
        let tag = app.get("alice", &path).await.header("etag").to_owned();
        for (version, status) in [
            (tag.as_str(), 206),
            ("\"other\"", 200),
            // Weak tags and dates say nothing about single bytes (RFC 9110, 13.1.5).
            (&format!("W/{tag}"), 200),
            ("Sat, 31 Jan 2026 09:05:00 GMT", 200),
        ] {
            let request = app.request("alice", Method::GET, &path).header("range", "bytes=0-1").header("if-range", version);
            assert_eq!(send(request).await.status, status, "{version}");
            let request = app.request("alice", Method::GET, &path).header("range", "bytes=99-").header("if-range", version);
            assert_eq!(send(request).await.status, if status == 206 { 416 } else { 200 }, "{version}");
        }
    }

    async fn parts_put_together_are_the_whole(app) {
        let session = app.open_session("alice").await;
        let bytes = many_bytes();
        let path = stored(app, &session, "a.bin", "application/octet-stream", &bytes).await;
        let mut together = Vec::new();
        let steps = [0, 1, 65_535, 65_536, 262_143, 399_999, bytes.len()];
        for window in steps.windows(2) {
            let range = format!("bytes={}-{}", window[0], window[1] - 1);
            let answer = ask(app, "alice", Method::GET, &path, ("range", &range)).await;
            answer.expect_status(206);
            together.extend(answer.bytes);
        }
        assert!(together == bytes);
    }
}
