//! Storing bytes: limits, hashes, failures of the source.

use std::fs;

use bytes::Bytes;
use chat_domain::ChatError;
use chat_domain::error::Conflict;
use chat_domain::ports::{AttachmentStore, Upload};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::{End, MIB, TestStore, broken_rule, id, pieces, scripted, upload};

#[tokio::test]
async fn size_and_hash_are_those_of_the_bytes() {
    let store = TestStore::open();
    let (large, small) = (vec![1; 700_000], vec![2; 100]);
    let all: [&[u8]; 7] = [&small, b"", &large, &small, &small, &large, b"end"];
    let stored = store.store.put(upload(1), pieces(&all)).await.unwrap();
    let bytes = all.concat();
    assert_eq!(stored.size, u64::try_from(bytes.len()).unwrap());
    assert_eq!(stored.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
    assert_eq!(store.read(1, None).await, Some(bytes));
    assert_eq!(store.files().len(), 1, "only the object is left");
}

#[tokio::test]
async fn the_limit_is_exact_and_named() {
    let store = TestStore::open();
    let most = vec![7; 1 << 20];
    let limited = |n| Upload { max_bytes: MIB, ..upload(n) };
    assert_eq!(store.store.put(limited(1), pieces(&[&most])).await.unwrap().size, MIB);
    store.store.delete(id(1)).await.unwrap();
    for source in [pieces(&[&most, b"!"]), pieces(&[&most[1..], b"!!"]), pieces(&[&most, &most])] {
        let refused = store.store.put(limited(2), source).await.unwrap_err();
        assert_eq!(broken_rule(refused), "must be at most 1 MiB");
        assert_eq!(store.files(), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn a_source_is_not_read_on_once_it_has_given_too_much() {
    let store = TestStore::open();
    let source = scripted(vec![Ok(Bytes::from_static(b"four"))], End::Hangs);
    let refused = store.store.put(Upload { max_bytes: 3, ..upload(1) }, source).await.unwrap_err();
    assert_eq!(broken_rule(refused), "must be at most 3 bytes");
}

#[tokio::test]
async fn an_empty_file_is_refused() {
    let store = TestStore::open();
    for source in [pieces(&[]), pieces(&[b"", b""])] {
        let refused = store.store.put(upload(1), source).await.unwrap_err();
        assert_eq!(refused.to_string(), "attachments must not be empty");
        assert_eq!(broken_rule(refused), "must not be empty");
        assert_eq!(store.files(), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn an_error_of_the_source_is_passed_on_unchanged() {
    let store = TestStore::open();
    let source = scripted(
        vec![Ok(Bytes::from(vec![1; 300_000])), Ok(Bytes::from_static(b"x")), Err(Conflict::SessionClosed.into())],
        End::Hangs,
    );
    let failed = store.store.put(upload(1), source).await;
    assert!(matches!(failed, Err(ChatError::Conflict(Conflict::SessionClosed))));
    assert_eq!(store.files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_place_that_cannot_be_written_leaves_nothing_behind() {
    let store = TestStore::open();
    // A file where the directory of the object should be, with a name that no object has.
    let in_the_way = store.path().join("objects/000000");
    fs::write(&in_the_way, b"").unwrap();
    let failed = store.store.put(upload(1), pieces(&[b"bytes"])).await;
    assert!(matches!(failed, Err(ChatError::Internal(_))));
    assert_eq!(store.files(), std::slice::from_ref(&in_the_way));
    fs::remove_file(&in_the_way).unwrap();
    store.put(1, b"bytes").await;
    assert_eq!(store.read(1, None).await, Some(b"bytes".to_vec()));
}

#[tokio::test]
async fn an_object_never_changes() {
    let store = TestStore::open();
    store.put(1, b"first").await;
    let refused = store.store.put(upload(1), pieces(&[b"second"])).await;
    assert!(matches!(refused, Err(ChatError::Internal(_))));
    assert_eq!(store.read(1, None).await, Some(b"first".to_vec()));
    assert_eq!(store.files().len(), 1);
}

#[tokio::test]
async fn uploads_at_the_same_time_do_not_mix() {
    let store = TestStore::open();
    let (a, b) = (vec![b'a'; 900_000], vec![b'b'; 900_000]);
    let cut = |bytes: &[u8]| pieces(&bytes.chunks(1000).collect::<Vec<_>>());
    let (first, second) = tokio::join!(store.store.put(upload(1), cut(&a)), store.store.put(upload(2), cut(&b)));
    assert_eq!((first.unwrap().size, second.unwrap().size), (900_000, 900_000));
    assert_eq!(store.read(1, None).await, Some(a));
    assert_eq!(store.read(2, None).await, Some(b));
}

/// Callers have runtimes of one thread, perhaps without a timer; file work is done on the store's runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_needs_no_runtime_of_its_own() {
    let store = TestStore::open();
    let caller = store.store.clone();
    let stored = std::thread::spawn(move || {
        let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
        bare.block_on(caller.put(upload(1), pieces(&[b"from afar"])))
    });
    let stored = tokio::task::spawn_blocking(|| stored.join().unwrap()).await.unwrap();
    assert_eq!(stored.unwrap().size, 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_in_any_pieces_come_back(bytes in prop::collection::vec(any::<u8>(), 1..2000), cut in 1..500_usize) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = TestStore::open();
            let stored = store.store.put(upload(1), pieces(&bytes.chunks(cut).collect::<Vec<_>>())).await.unwrap();
            assert_eq!(stored.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
            assert_eq!(store.read(1, None).await, Some(bytes));
        });
    }
}
