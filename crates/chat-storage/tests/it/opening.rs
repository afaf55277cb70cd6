//! Opening the store, and whether it is well.

use std::fs;

use chat_domain::ports::HealthProbe;
use chat_storage::{LocalAttachmentStore, StorageError};

use crate::support::TestStore;

#[tokio::test]
async fn the_directory_is_created() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("some/where");
    LocalAttachmentStore::open(&root).unwrap();
    assert!(root.join("objects").is_dir());
}

#[cfg(unix)]
#[tokio::test]
async fn other_users_of_the_machine_cannot_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt;

    let store = TestStore::open();
    store.put(1, b"private").await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&store.files()[0]), 0);
    assert_eq!(mode(&store.path().join("objects")), 0);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named_with_a_remedy() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("attachments");
    fs::write(&root, b"a file").unwrap();
    let error = LocalAttachmentStore::open(&root).unwrap_err().to_string();
    assert!(error.contains(root.to_str().unwrap()), "{error}");
    assert!(error.ends_with("a file is in the way: move it, or choose another directory"), "{error}");
}

#[test]
fn opening_needs_a_runtime() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(LocalAttachmentStore::open(root.path()), Err(StorageError::NoRuntime)));
}

#[tokio::test]
async fn a_check_notices_when_the_directory_is_gone() {
    let store = TestStore::open();
    assert_eq!(store.store.name(), "attachments");
    assert_eq!(store.store.check().await, Ok(()));
    assert_eq!(store.files().len(), 0, "a check leaves nothing");
    fs::remove_dir_all(store.incoming()).unwrap();
    assert!(store.store.check().await.unwrap_err().starts_with("cannot write attachments: "));
}
