//! A service that is unreachable, slow, full or refuses: everything that needs it is unavailable, and nothing is half done.

use std::time::{Duration, Instant};

use chat_domain::ChatError;
use chat_domain::model::{DatabaseInstance, Generation, StoreOwner, ThumbnailOutcome, ThumbnailSize, Timestamp};
use chat_domain::ports::{AttachmentStore, HealthProbe, StoreOwnership, ThumbnailStore};
use test_servers::s3::{S3Fault, S3RequestFilter};
use uuid::Uuid;

use super::{PREFIX, S3Store, numbered, open_on};
use crate::support::{id, pieces, upload};

const LARGE: usize = 5 * 1024 * 1024 + 1;

/// Every operation that needs the service.
async fn attempts(store: &S3Store) -> Vec<ChatError> {
    vec![
        store.store.put(upload(9), pieces(&[b"small"])).await.err().unwrap(),
        store.store.put(upload(9), pieces(&[&numbered(LARGE)])).await.err().unwrap(),
        store.store.open(id(1), None).await.err().unwrap(),
        store.store.delete(id(1)).await.err().unwrap(),
        store.store.stored_before(Timestamp::from_unix_ms(i64::MAX), None, 10).await.err().unwrap(),
        store.store.owner().await.err().unwrap(),
    ]
}

fn is_unavailable(error: &ChatError) -> bool {
    matches!(error, ChatError::Unavailable { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_unreachable_makes_files_unavailable_until_it_is_back() {
    let store = S3Store::open();
    store.put(1, b"kept").await;
    for fault in [S3Fault::Disconnects, S3Fault::Status(503, "SlowDown"), S3Fault::Status(403, "AccessDenied")] {
        store.server.fail(S3RequestFilter::ALL, fault);
        for error in attempts(&store).await {
            assert!(is_unavailable(&error), "{fault:?}: {error}");
        }
        store.server.heal();
        assert_eq!(store.read(1, None).await.as_deref(), Some(&b"kept"[..]));
        assert_eq!(store.read(9, None).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_silent_is_given_up_in_seconds() {
    let store = S3Store::open();
    store.put(1, b"kept").await;
    store.server.fail(S3RequestFilter::ALL, S3Fault::Silent);
    let began = Instant::now();
    let failed = store.store.open(id(1), None).await.err().unwrap();
    assert!(is_unavailable(&failed), "{failed}");
    assert!(began.elapsed() >= Duration::from_secs(5));
    let failed = store.store.put(upload(2), pieces(&[b"bytes"])).await.err().unwrap();
    assert!(is_unavailable(&failed), "{failed}");
    store.server.heal();
    assert_eq!(store.read(1, None).await.as_deref(), Some(&b"kept"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_room_is_full_and_leaves_nothing() {
    let store = S3Store::open();
    for fault in [S3Fault::Status(507, "XMinioStorageFull"), S3Fault::Status(403, "QuotaExceeded")] {
        store.server.fail(S3RequestFilter::requests("PUT", "objects/"), fault);
        for bytes in [b"small".to_vec(), numbered(LARGE)] {
            let refused = store.store.put(upload(1), pieces(&[&bytes])).await.unwrap_err();
            assert!(matches!(refused, ChatError::StorageFull), "{fault:?}: {refused}");
        }
        store.server.heal();
        store.wait_until_empty().await;
    }
    store.put(1, b"there is room again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_leaves_nothing_and_its_parts_are_repeated() {
    let store = S3Store::open();
    for (n, method, part) in [(1, "PUT", "objects/"), (2, "PUT", "partNumber=2")] {
        let bytes = numbered(if n == 1 { 400_000 } else { 2 * LARGE });
        // A part is sent again. An object that is put at once is not, since nothing replaces what may be there.
        if n == 2 {
            store.server.fail(S3RequestFilter::requests(method, part).once(), S3Fault::CutRequest(100_000));
            store.put(n, &bytes).await;
            assert_eq!(store.read(n, None).await, Some(bytes.clone()));
            store.store.delete(id(n)).await.unwrap();
        }
        store.server.fail(S3RequestFilter::requests(method, part), S3Fault::CutRequest(100_000));
        let failed = store.store.put(upload(n), pieces(&[&bytes])).await.unwrap_err();
        assert!(is_unavailable(&failed), "{failed}");
        store.server.heal();
        store.wait_until_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_lost_loses_and_doubles_nothing() {
    let store = S3Store::open();
    for (n, length, method, part) in [(1, 1_000, "PUT", "objects/"), (2, LARGE, "POST", "uploadId=")] {
        let bytes = numbered(length);
        store.server.fail(S3RequestFilter::requests(method, part).once(), S3Fault::LostResponse);
        let stored = store.put(n, &bytes).await;
        assert_eq!(stored.size, bytes.len() as u64);
        assert_eq!(store.read(n, None).await, Some(bytes));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_response_was_lost_is_removed_once_that_can_be_done() {
    let store = S3Store::open();
    store.server.fail(S3RequestFilter::requests("PUT", "objects/").once(), S3Fault::LostResponse);
    // Neither the outcome nor whose object it is can be found out at first.
    let blind = S3RequestFilter { times: Some(5), ..S3RequestFilter::requests("HEAD", "objects/") };
    store.server.fail(blind, S3Fault::Status(503, "SlowDown"));
    assert!(store.store.put(upload(1), pieces(&[b"lost"])).await.is_err());
    store.wait_until_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_nodes_that_take_the_files_over_at_once_one_wins() {
    let store = S3Store::open();
    let owner = |n: u128| StoreOwner {
        database: DatabaseInstance::parse("a").unwrap(),
        generation: Generation::new(Uuid::from_u128(n)),
        is_contested: false,
    };
    assert!(store.store.replace(None, owner(1)).await.unwrap());
    // The server checks and writes in two steps, so that the race itself is S3's business; a lost response is ours.
    store.server.fail(S3RequestFilter::requests("PUT", "collector").once(), S3Fault::LostResponse);
    assert!(store.store.replace(Some(owner(1)), owner(2)).await.unwrap());
    assert!(!store.store.replace(Some(owner(1)), owner(3)).await.unwrap());
    assert_eq!(store.store.owner().await.unwrap(), Some(owner(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_by_the_service() {
    let store = S3Store::open();
    store.put(1, b"kept").await;
    let stranger = open_on(&store.server, PREFIX, |variables| {
        for (name, value) in variables {
            if name == "AWS_SECRET_ACCESS_KEY" {
                *value = "canary".to_owned();
            }
        }
    });
    let refused = stranger.open(id(1), None).await.err().unwrap();
    assert!(is_unavailable(&refused) && refused.to_string().contains("SignatureDoesNotMatch"), "{refused}");
    assert!(!refused.to_string().contains("canary"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_thumbnails_cannot_be_removed_stays_until_they_can() {
    let store = S3Store::open();
    store.put(1, b"kept").await;
    store.store.save(id(1), ThumbnailSize::Small, ThumbnailOutcome::Impossible).await.unwrap();
    store.server.fail(S3RequestFilter::requests("DELETE", "thumbnails/"), S3Fault::Status(403, "AccessDenied"));
    let refused = store.store.delete(id(1)).await.unwrap_err();
    assert!(is_unavailable(&refused), "{refused}");
    store.server.heal();
    assert_eq!(store.read(1, None).await.as_deref(), Some(&b"kept"[..]));
    store.store.delete(id(1)).await.unwrap();
    store.wait_until_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_uploads_in_parts_refuses_large_files_alone_and_readiness_says_so() {
    let store = S3Store::open();
    store.server.fail(S3RequestFilter::requests("POST", "uploads"), S3Fault::Status(501, "NotImplemented"));
    let refused = store.store.put(upload(1), pieces(&[&numbered(LARGE)])).await.unwrap_err();
    assert!(is_unavailable(&refused), "{refused}");
    assert_eq!(store.store.degraded(), Some("files are out of reach; texts can be sent"));
    store.put(2, b"small").await;
}
