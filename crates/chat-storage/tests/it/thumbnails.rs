//! Thumbnails on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use chat_domain::model::{Thumbnail, ThumbnailFormat, ThumbnailOutcome, ThumbnailSize};
use chat_domain::ports::{AttachmentStore, ThumbnailStore};
use chat_storage::LocalAttachmentStore;

use crate::support::{TestStore, id};

fn made() -> ThumbnailOutcome {
    ThumbnailOutcome::Made(Thumbnail { format: ThumbnailFormat::Jpeg, bytes: "a picture".into() })
}

#[tokio::test]
async fn a_file_that_is_none_of_ours_is_as_good_as_none() {
    let store = TestStore::open();
    store.put(1, b"an object").await;
    store.store.save(id(1), ThumbnailSize::Small, made()).await.unwrap();
    let path = store.files().into_iter().find(|path| path.extension().is_some_and(|pixels| pixels == "160")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"image/jpeg\na picture");
    // Nothing, as a crash may leave of a file that was not synced; and what another version may have written.
    for content in ["", "image/jpeg", "none", "image/avif\na picture", "\n"] {
        fs::write(&path, content).unwrap();
        assert_eq!(store.store.find(id(1), ThumbnailSize::Small).await.unwrap(), None, "{content:?}");
    }
    store.store.save(id(1), ThumbnailSize::Small, made()).await.unwrap();
    assert_eq!(store.store.find(id(1), ThumbnailSize::Small).await.unwrap(), Some(made()));
}

#[tokio::test]
async fn a_thumbnail_is_readable_by_its_owner_alone_and_has_no_draft_beside_it() {
    let store = TestStore::open();
    store.put(1, b"an object").await;
    for _ in 0..3 {
        store.store.save(id(1), ThumbnailSize::Large, made()).await.unwrap();
    }
    let files = store.files();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_store_without_a_directory_of_thumbnails_has_none_and_gets_one() {
    let store = TestStore::open();
    store.put(1, b"an object").await;
    fs::remove_dir(store.path().join("thumbnails")).unwrap();
    let reader = LocalAttachmentStore::open_to_read(store.path()).unwrap();
    assert_eq!(reader.find(id(1), ThumbnailSize::Small).await.unwrap(), None);
    // As an operator may delete it while a node runs.
    store.store.save(id(1), ThumbnailSize::Small, made()).await.unwrap();
    assert_eq!(reader.find(id(1), ThumbnailSize::Small).await.unwrap(), Some(made()));
}

#[tokio::test]
async fn an_object_whose_thumbnails_cannot_be_removed_stays_until_they_can() {
    let store = TestStore::open();
    store.put(1, b"an object").await;
    store.store.save(id(1), ThumbnailSize::Small, made()).await.unwrap();
    let path = store.files().into_iter().find(|path| path.extension().is_some_and(|pixels| pixels == "160")).unwrap();
    // A directory is not removed like a file.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    store.store.delete(id(1)).await.unwrap_err();
    assert_eq!(store.read(1, None).await.as_deref(), Some(&b"an object"[..]));
    fs::remove_dir(&path).unwrap();
    store.store.save(id(1), ThumbnailSize::Small, made()).await.unwrap();
    store.store.delete(id(1)).await.unwrap();
    assert_eq!(store.files(), Vec::<std::path::PathBuf>::new());
}
