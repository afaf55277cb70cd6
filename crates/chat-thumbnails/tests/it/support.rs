//! A maker on stores in memory, and pictures.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use chat_domain::model::{Thumbnail, ThumbnailFormat, ThumbnailOutcome, ThumbnailSize};
use chat_domain::ports::{AttachmentStore, ThumbnailMaker, Upload};
use chat_testkit::fixtures::attachment_id;
use chat_testkit::source::from_bytes;
use chat_testkit::{FixedClock, MemoryAttachmentStore};
use chat_thumbnails::ImageThumbnailMaker;
use image::{DynamicImage, ImageFormat};
use tokio::runtime::Handle;

pub(crate) async fn put(store: &MemoryAttachmentStore, n: u64, bytes: impl Into<Bytes>) {
    let upload = Upload { id: attachment_id(n), claimed_type: None, max_bytes: 1 << 30 };
    store.put(upload, from_bytes(bytes)).await.unwrap();
}

/// What becomes of a picture.
pub(crate) async fn outcome(bytes: impl Into<Bytes>, size: ThumbnailSize) -> ThumbnailOutcome {
    let store = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    put(&store, 1, bytes).await;
    let maker = ImageThumbnailMaker::new(Handle::current(), store.clone(), store);
    maker.make(attachment_id(1), size).await.unwrap()
}

/// The thumbnail of a picture of which one can be made.
pub(crate) async fn made(bytes: impl Into<Bytes>, size: ThumbnailSize) -> Thumbnail {
    match outcome(bytes, size).await {
        ThumbnailOutcome::Made(thumbnail) => thumbnail,
        ThumbnailOutcome::Impossible => panic!("no thumbnail"),
    }
}

/// What is to be seen on a thumbnail.
pub(crate) fn seen(thumbnail: &Thumbnail) -> DynamicImage {
    let format = match thumbnail.format {
        ThumbnailFormat::Jpeg => ImageFormat::Jpeg,
        ThumbnailFormat::WebP => ImageFormat::WebP,
    };
    image::load_from_memory_with_format(&thumbnail.bytes, format).unwrap()
}

pub(crate) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Whether two colours are the same but for what JPEG changes.
pub(crate) fn alike(one: [u8; 3], other: [u8; 3]) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(other) < 40)
}
