//! Paging through objects by age.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use chat_domain::model::{AttachmentId, Timestamp};
use chat_domain::ports::AttachmentStore;

use crate::support::{TestStore, id};

/// Stores an object that was last written at this second.
async fn put_at(store: &TestStore, n: u128, second: u64) {
    store.put(n, b"bytes").await;
    let file = File::options().write(true).open(store.object(n)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
}

/// An id in the given directory.
fn in_bucket(bucket: u128, n: u128) -> u128 {
    bucket << 104 | n
}

#[tokio::test]
async fn pages_hold_every_old_object_once_in_ascending_order() {
    let store = TestStore::open();
    let mut old = Vec::new();
    for bucket in [7, 0xff_ffff, 1, 0] {
        for n in [5, 1, 9, 3] {
            put_at(&store, in_bucket(bucket, n), 1_000).await;
            old.push(id(in_bucket(bucket, n)));
            put_at(&store, in_bucket(bucket, n + 1), 5_000).await;
        }
    }
    old.sort_unstable();
    for limit in [1, 2, 3, 5, 100] {
        let (mut seen, mut after) = (Vec::<AttachmentId>::new(), None);
        loop {
            let page = store.store.stored_before(Timestamp::from_unix_ms(2_000_000), after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(*last);
            seen.extend(page);
        }
        assert_eq!(seen, old, "limit {limit}");
    }
}

#[tokio::test]
async fn before_is_before_to_the_millisecond() {
    let store = TestStore::open();
    put_at(&store, 1, 2).await;
    let at = |ms| store.store.stored_before(Timestamp::from_unix_ms(ms), None, 10);
    assert_eq!(at(2000).await.unwrap(), []);
    assert_eq!(at(2001).await.unwrap(), [id(1)]);
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let store = TestStore::open();
    put_at(&store, 1, 2).await;
    fs::create_dir(store.path().join("objects/lost+found")).unwrap();
    for name in ["objects/README", "objects/000000/notes.txt", "objects/lost+found/x"] {
        fs::write(store.path().join(name), b"").unwrap();
    }
    let far = Timestamp::from_unix_ms(i64::MAX);
    assert_eq!(store.store.stored_before(far, None, 10).await.unwrap(), [id(1)]);
    assert_eq!(store.store.stored_before(far, Some(id(1)), 10).await.unwrap(), []);
    assert_eq!(store.store.stored_before(far, None, 0).await.unwrap(), []);
    assert_eq!(store.files().len(), 4);
}
