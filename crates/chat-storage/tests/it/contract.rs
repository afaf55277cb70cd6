//! What every attachment store does.

use std::sync::Arc;

use chat_storage::LocalAttachmentStore;
use chat_testkit::contract::{AttachmentStoreUnderTest, ThumbnailStoreUnderTest};

async fn store_under_test() -> AttachmentStoreUnderTest {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalAttachmentStore::open(directory.path()).unwrap();
    let store = Arc::new(store);
    let ownership = Arc::<LocalAttachmentStore>::clone(&store);
    AttachmentStoreUnderTest { store, ownership, guard: Box::new(directory) }
}

async fn thumbnails_under_test() -> ThumbnailStoreUnderTest {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalAttachmentStore::open(directory.path()).unwrap());
    ThumbnailStoreUnderTest { thumbnails: store.clone(), store, guard: Box::new(directory) }
}

chat_testkit::attachment_store_contract!(store_under_test);

mod store_ownership {
    chat_testkit::store_ownership_contract!(super::store_under_test);
}

mod thumbnail_store {
    chat_testkit::thumbnail_store_contract!(super::thumbnails_under_test);
}
