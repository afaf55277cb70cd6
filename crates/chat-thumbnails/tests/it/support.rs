//! A maker on stores in memory, and pictures.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_domain::model::{Attachment, Color, FileName, Thumbnail, ThumbnailFormat, ThumbnailOutcome, ThumbnailSize};
use chat_domain::ports::{AttachmentStore, ThumbnailMaker, Upload};
use chat_testkit::fixtures::{alice, attachment_id};
use chat_testkit::source::from_bytes;
use chat_testkit::{FixedClock, MemoryAttachmentStore};
use chat_thumbnails::{ImageThumbnailMaker, ThumbnailTimeouts};
use image::{DynamicImage, ImageFormat};
use tokio::runtime::Handle;

/// How long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than a test.
pub(crate) const LONG: ThumbnailTimeouts =
    ThumbnailTimeouts { slot: PATIENCE, reading: PATIENCE, making: PATIENCE, color: PATIENCE };

pub(crate) async fn put(store: &MemoryAttachmentStore, n: u64, bytes: impl Into<Bytes>) -> Attachment {
    let id = attachment_id(n);
    let upload = Upload { id, claimed_type: None, max_bytes: 1 << 30 };
    let object = store.put(upload, from_bytes(bytes)).await.unwrap();
    Attachment { id, name: FileName::sanitize("a picture"), object, dominant_color: None }
}

/// A picture with its maker.
async fn stored(bytes: impl Into<Bytes>) -> (Attachment, ImageThumbnailMaker) {
    let store = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    let picture = put(&store, 1, bytes).await;
    (picture, ImageThumbnailMaker::with_timeouts(Handle::current(), store.clone(), store, LONG))
}

/// What becomes of a picture.
pub(crate) async fn outcome(bytes: impl Into<Bytes>, size: ThumbnailSize) -> ThumbnailOutcome {
    let (picture, maker) = stored(bytes).await;
    maker.make(&alice().id, &picture, size).await.unwrap()
}

/// The dominant colour of a picture.
pub(crate) async fn color(bytes: impl Into<Bytes>) -> Option<Color> {
    let (picture, maker) = stored(bytes).await;
    maker.dominant_color(&alice().id, &picture).await.unwrap()
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
