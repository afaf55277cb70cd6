//! Reading objects and parts of them.

use chat_domain::ChatError;
use chat_domain::model::ByteRange;
use chat_domain::ports::AttachmentStore;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestStore, id};

fn numbered(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

#[tokio::test]
async fn a_stored_file_is_read_in_small_pieces() {
    let store = TestStore::open();
    for (n, length) in [(1, 1), (2, 64 * 1024), (3, 64 * 1024 + 1), (4, 1_000_000)] {
        let bytes = numbered(length);
        store.put(n, &bytes).await;
        assert_eq!(store.read(n, None).await, Some(bytes));
    }
}

#[tokio::test]
async fn a_range_is_read_exactly() {
    let store = TestStore::open();
    let bytes = numbered(200_000);
    store.put(1, &bytes).await;
    for (first, last) in [(0, 0), (0, 199_999), (199_999, 199_999), (65_535, 65_536), (10, 150_000)] {
        let expected = bytes[usize::try_from(first).unwrap()..=usize::try_from(last).unwrap()].to_vec();
        assert_eq!(store.read(1, ByteRange::new(first, last)).await, Some(expected), "{first}-{last}");
    }
}

#[tokio::test]
async fn a_range_beyond_the_end_is_the_callers_mistake() {
    let store = TestStore::open();
    store.put(1, b"12345").await;
    let refused = store.store.open(id(1), ByteRange::new(0, 5)).await;
    assert!(matches!(refused, Err(ChatError::Internal(_))));
}

#[tokio::test]
async fn a_missing_object_is_none_and_removing_it_is_fine() {
    let store = TestStore::open();
    assert_eq!(store.read(1, None).await, None);
    store.store.delete(id(1)).await.unwrap();
    store.put(1, b"here").await;
    store.store.delete(id(1)).await.unwrap();
    assert_eq!(store.read(1, None).await, None);
    store.wait_until_empty().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_name_of_no_plain_file_is_no_object() {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    let store = TestStore::open();
    let paths = [1, 2, 3, 4].map(|n| store.object(n));
    let [directory, circle, pipe, nowhere] = &paths;
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    fs::create_dir(directory).unwrap();
    symlink(circle, circle).unwrap();
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    symlink(store.path().join("missing"), nowhere).unwrap();
    for n in 1..=4 {
        assert_eq!(timeout(PATIENCE, store.read(n, None)).await.unwrap(), None, "{n}");
    }
}

#[tokio::test]
async fn asking_again_after_a_dropped_read_loses_nothing() {
    let store = TestStore::open();
    let bytes = numbered(300_000);
    store.put(1, &bytes).await;
    let mut source = store.store.open(id(1), None).await.unwrap().unwrap();
    let mut read = Vec::new();
    loop {
        // Polled once: on a runtime with one thread the piece is hardly ever there yet.
        let piece = tokio::select! { biased; piece = source.next_chunk() => piece, () = yield_now() => continue };
        match piece.unwrap() {
            Some(piece) => read.extend_from_slice(&piece),
            None => break,
        }
    }
    assert_eq!(read, bytes);
}
