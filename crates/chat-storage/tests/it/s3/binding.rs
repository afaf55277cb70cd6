//! Objects belong to one database.

use chat_domain::ChatError;
use chat_domain::ports::AttachmentStore;
use chat_storage::S3BindError;
use test_servers::s3::{S3Fault, S3RequestFilter};

use super::{PREFIX, S3Store, open_on};
use crate::support::{id, pieces, upload};

#[tokio::test(flavor = "multi_thread")]
async fn objects_stay_with_the_database_that_used_them_first() {
    let store = S3Store::open();
    assert!(matches!(store.store.verify_bound("ours").await, Err(S3BindError::Unused { .. })));
    for _ in 0..2 {
        store.store.bind("ours").await.unwrap();
    }
    store.store.verify_bound("ours").await.unwrap();
    let other = open_on(&store.server, PREFIX, |_| {});
    for refused in [other.bind("theirs").await, other.verify_bound("theirs").await] {
        assert!(matches!(refused, Err(S3BindError::OtherDatabase { .. })), "{refused:?}");
    }
    assert!(other.put(upload(1), pieces(&[b"theirs"])).await.is_err(), "a store that is not ours takes nothing");
    open_on(&store.server, "another/prefix", |_| {}).bind("theirs").await.unwrap();
    assert_eq!(store.objects(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_away_at_the_start_is_checked_before_the_first_file() {
    let store = S3Store::open();
    open_on(&store.server, PREFIX, |_| {}).bind("theirs").await.unwrap();
    store.server.fail(S3RequestFilter::ALL, S3Fault::Disconnects);
    let away = store.store.bind("ours").await.unwrap_err();
    assert!(matches!(away, S3BindError::Unreachable { .. }), "{away}");
    assert!(matches!(store.store.open(id(1), None).await, Err(ChatError::Unavailable { .. })));
    store.server.heal();
    let refused = store.store.put(upload(1), pieces(&[b"bytes"])).await.unwrap_err();
    assert!(refused.to_string().contains("another database"), "{refused}");

    let store = S3Store::open();
    store.server.fail(S3RequestFilter::ALL, S3Fault::Status(503, "SlowDown"));
    assert!(matches!(store.store.bind("ours").await, Err(S3BindError::Unreachable { .. })));
    store.server.heal();
    store.put(1, b"bytes").await;
    open_on(&store.server, PREFIX, |_| {}).verify_bound("ours").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_the_operator_are_found_at_the_start() {
    let store = S3Store::open();
    let stranger = open_on(&store.server, PREFIX, |variables| {
        variables.retain(|(name, _)| name != "AWS_SECRET_ACCESS_KEY");
        variables.push(("AWS_SECRET_ACCESS_KEY".to_owned(), "wrong".to_owned()));
    });
    let refused = stranger.bind("ours").await.unwrap_err();
    assert!(matches!(refused, S3BindError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("AWS_REGION"), "{refused}");
    // That a missing bucket is refused is not tested: s3s-fs makes it.
}
