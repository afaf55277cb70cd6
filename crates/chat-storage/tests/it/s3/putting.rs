//! Storing objects: in one request or in parts, once, with what is known of them.

use bytes::Bytes;
use chat_domain::ChatError;
use chat_domain::ports::{AttachmentStore, Upload};
use chat_testkit::media::{mp4, mp4_box, mvhd, png, trak};
use sha2::{Digest, Sha256};
use test_servers::s3::SeenRequest;

use super::{S3Store, numbered};
use crate::support::{End, TestStore, broken_rule, id, pieces, scripted, upload};

const PART: usize = 5 * 1024 * 1024;

/// The requests that change something.
fn writes(seen: &[SeenRequest]) -> Vec<(&str, u64)> {
    let kind = |request: &SeenRequest| match (request.method.as_str(), request.path.split_once('?')) {
        ("PUT", None) => Some("put"),
        ("PUT", Some((_, query))) if query.contains("partNumber") => Some("part"),
        ("POST", Some((_, "uploads="))) => Some("begin"),
        ("POST", Some((_, query))) if query.contains("uploadId") => Some("complete"),
        ("DELETE", Some(_)) => Some("abort"),
        ("DELETE", None) => Some("delete"),
        _ => None,
    };
    seen.iter().filter_map(|request| Some((kind(request)?, request.length.unwrap_or_default()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_up_to_a_part_is_one_conditional_request_and_a_larger_one_goes_in_parts() {
    let store = S3Store::open();
    for (n, length) in [(1, 20_000), (2, PART)] {
        store.server.take_seen();
        store.put(n, &numbered(length)).await;
        assert_eq!(writes(&store.server.take_seen()), [("put", length as u64)]);
    }
    let large = numbered(2 * PART + 10);
    let stored = store.store.put(upload(3), pieces(&large.chunks(70_001).collect::<Vec<_>>())).await.unwrap();
    let seen = store.server.take_seen();
    let kinds: Vec<_> = writes(&seen).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["begin", "part", "part", "part", "complete"]);
    let lengths: Vec<u64> = writes(&seen)[1..4].iter().map(|(_, length)| *length).collect();
    assert_eq!(lengths, [PART as u64, PART as u64, 10]);
    assert_eq!((stored.size, stored.sha256), (large.len() as u64, Sha256::digest(&large).into()));
    assert_eq!(store.read(3, None).await, Some(large));
    assert_eq!(store.server.unfinished_parts().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_never_changes_whatever_its_size() {
    let store = S3Store::open();
    let large = numbered(PART + 1);
    for (n, first) in [(1, &b"first"[..]), (2, &large)] {
        store.put(n, first).await;
        for second in [&b"second"[..], &large] {
            let refused = store.store.put(upload(n), pieces(&[second])).await.unwrap_err();
            assert!(refused.to_string().contains("already stored"), "{refused}");
        }
        assert_eq!(store.read(n, None).await.as_deref(), Some(first));
    }
    let emptied = async {
        while store.server.unfinished_parts().unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, emptied).await.unwrap();
    assert_eq!(store.read(2, None).await, Some(large), "what a refused upload removes is its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_sources_that_fail_leave_neither_object_nor_parts() {
    let store = S3Store::open();
    let large = numbered(2 * PART + 1);
    let limited = Upload { max_bytes: 2 * PART as u64, ..upload(1) };
    let refused = store.store.put(limited, pieces(&large.chunks(60_000).collect::<Vec<_>>())).await.unwrap_err();
    assert_eq!(broken_rule(refused), "must be at most 10 MiB");
    let broken = scripted(vec![Ok(Bytes::from(large)), Err(ChatError::unavailable("the line broke"))], End::Hangs);
    let refused = store.store.put(upload(2), broken).await.unwrap_err();
    assert!(refused.to_string().contains("the line broke"), "{refused}");
    store.wait_until_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_sender_goes_away_leaves_no_part() {
    let store = S3Store::open();
    let source = scripted(vec![Ok(Bytes::from(numbered(PART + 1)))], End::Hangs);
    let mut putting = store.store.put(upload(1), source);
    let sent = async {
        while store.server.unfinished_parts().unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = &mut putting => panic!("the source hangs"),
        sent = tokio::time::timeout(crate::support::PATIENCE, sent) => sent.unwrap(),
    }
    drop(putting);
    store.wait_until_empty().await;
}

/// A film whose header comes first or last, longer than what is kept of it.
fn film(header_first: bool) -> Vec<u8> {
    let data = mp4_box(*b"mdat", &vec![7; 13 * 1024 * 1024]);
    let film = mp4(&[mvhd(600, 1800), trak(640, 480, false)]);
    if header_first {
        [film, data].concat()
    } else {
        let (first, rest) = film.split_at(u32::from_be_bytes([film[0], film[1], film[2], film[3]]) as usize);
        [first, &data, rest].concat()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_dimensions_and_durations_are_those_of_the_disk() {
    let (s3, disk) = (S3Store::open(), TestStore::open());
    let voice = mp4(&[mvhd(600, 1800), trak(0, 0, false)]);
    let files = [png(3, 4), voice, film(true), film(false), b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()];
    for (n, file) in (1..).zip(files) {
        let (there, here) = (s3.put(n, &file).await, disk.put(n, &file).await);
        assert_eq!(there, here);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_has_its_type_and_is_no_page() {
    let store = S3Store::open();
    store.put(1, b"<!doctype html><script>alert(1)</script>").await;
    let attributes = store.server.attributes(&format!("chat/test/objects/{}", id(1))).unwrap();
    assert!(attributes.contains("text/html") && attributes.contains("\"attachment\""), "{attributes}");
}
