//! Two places: everything is written to the first, and read in the second where the first has nothing.

use std::sync::Arc;

use chat_domain::ports::AttachmentStore;
use chat_storage::FallbackAttachmentStore;
use chat_testkit::contract::AttachmentStoreUnderTest;

use crate::support::{TestStore, id, pieces, upload};

async fn store_under_test() -> AttachmentStoreUnderTest {
    let (first, second) = (TestStore::open(), TestStore::open());
    let ownership = Arc::new(first.store.clone());
    let store = Arc::new(FallbackAttachmentStore::new(ownership.clone(), Arc::new(second.store.clone())));
    AttachmentStoreUnderTest { store, ownership, guard: Box::new((first, second)) }
}

chat_testkit::attachment_store_contract!(store_under_test);

#[tokio::test]
async fn the_other_place_is_read_and_never_changed() {
    let (first, second) = (TestStore::open(), TestStore::open());
    second.put(1, b"old").await;
    let store = FallbackAttachmentStore::new(Arc::new(first.store.clone()), Arc::new(second.store.clone()));
    let read = async |n| match store.open(id(n), None).await.unwrap() {
        Some(mut source) => source.next_chunk().await.unwrap(),
        None => None,
    };
    assert_eq!(read(1).await.as_deref(), Some(&b"old"[..]));
    store.put(upload(2), pieces(&[b"fresh"])).await.unwrap();
    assert_eq!(read(2).await.as_deref(), Some(&b"fresh"[..]));
    store.delete(id(1)).await.unwrap();
    assert_eq!(second.read(1, None).await.as_deref(), Some(&b"old"[..]));
    assert_eq!(second.read(2, None).await, None);
    let everything = chat_domain::model::Timestamp::from_unix_ms(i64::MAX);
    assert_eq!(store.stored_before(everything, None, 10).await.unwrap(), [id(2)], "what it does not own is not listed");
}
