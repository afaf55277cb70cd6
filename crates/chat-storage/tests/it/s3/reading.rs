//! Reading objects: ranges, and reads that break off.

use chat_domain::ChatError;
use chat_domain::model::ByteRange;
use chat_domain::ports::AttachmentStore;
use test_servers::s3::{S3Fault, S3RequestFilter};

use super::{S3Store, numbered};
use crate::support::id;

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_passed_on_as_a_range() {
    let store = S3Store::open();
    let bytes = numbered(300_000);
    store.put(1, &bytes).await;
    store.server.take_seen();
    let range = ByteRange::new(1_000, 1_999).unwrap();
    assert_eq!(store.read(1, Some(range)).await.as_deref(), Some(&bytes[1_000..2_000]));
    let seen = store.server.take_seen();
    assert_eq!(seen.iter().map(|request| request.range.as_deref()).collect::<Vec<_>>(), [Some("bytes=1000-1999")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_breaks_off_goes_on_where_it_was() {
    let store = S3Store::open();
    let bytes = numbered(500_000);
    store.put(1, &bytes).await;
    store.server.fail(S3RequestFilter::requests("GET", "objects/").once(), S3Fault::CutResponse(123_457));
    assert_eq!(store.read(1, None).await, Some(bytes.clone()));
    let range = ByteRange::new(7, 400_000).unwrap();
    store.server.fail(S3RequestFilter::requests("GET", "objects/").once(), S3Fault::CutResponse(300_000));
    assert_eq!(store.read(1, Some(range)).await.as_deref(), Some(&bytes[7..=400_000]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_cannot_go_on_fails_and_gives_nothing_twice() {
    let store = S3Store::open();
    let bytes = numbered(500_000);
    store.put(1, &bytes).await;
    store.server.fail(S3RequestFilter::requests("GET", "objects/"), S3Fault::Disconnects);
    store.server.fail(S3RequestFilter::requests("GET", "objects/").once(), S3Fault::CutResponse(200_000));
    let mut source = store.store.open(id(1), None).await.unwrap().unwrap();
    let mut read = Vec::new();
    let failed = loop {
        match source.next_chunk().await {
            Ok(Some(piece)) => read.extend_from_slice(&piece),
            Ok(None) => panic!("it has no end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, ChatError::Unavailable { .. }), "{failed}");
    assert_eq!(read, bytes[..read.len()]);
    assert!(matches!(source.next_chunk().await, Ok(None)));
}
