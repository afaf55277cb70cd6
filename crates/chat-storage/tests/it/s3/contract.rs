//! What every attachment store does, on S3.

use std::sync::Arc;

use chat_storage::S3AttachmentStore;
use chat_testkit::contract::{AttachmentStoreUnderTest, ThumbnailStoreUnderTest};

use super::S3Store;

async fn store_under_test() -> AttachmentStoreUnderTest {
    let S3Store { store, server } = S3Store::open();
    let store = Arc::new(store);
    let ownership = Arc::<S3AttachmentStore>::clone(&store);
    AttachmentStoreUnderTest { store, ownership, guard: Box::new(server) }
}

chat_testkit::attachment_store_contract!(store_under_test);

async fn thumbnails_under_test() -> ThumbnailStoreUnderTest {
    let S3Store { store, server } = S3Store::open();
    let store = Arc::new(store);
    let thumbnails = Arc::<S3AttachmentStore>::clone(&store);
    ThumbnailStoreUnderTest { thumbnails, store, guard: Box::new(server) }
}

mod thumbnail_store {
    chat_testkit::thumbnail_store_contract!(super::thumbnails_under_test);
}

mod store_ownership {
    chat_testkit::store_ownership_contract!(super::store_under_test);
}
