//! What the colour and the thumbnails of the given pictures cost and how large they are, or of two JPEGs that are made for
//! it, one of 12 megapixels and one of 20 KB. Both come from one decoding, which is most of it:
//! `cargo run --release -p chat-thumbnails --example measure -- photo.jpg`

#![expect(clippy::print_stdout, reason = "it prints what it measures")]
#![expect(clippy::unwrap_used, reason = "a program for developers")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_domain::model::{Attachment, Color, FileName, ThumbnailOutcome, ThumbnailSize};
use chat_domain::ports::{AttachmentStore, ThumbnailMaker, Upload};
use chat_testkit::fixtures::{alice, attachment_id};
use chat_testkit::source::from_bytes;
use chat_testkit::{FixedClock, MemoryAttachmentStore};
use chat_thumbnails::ImageThumbnailMaker;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

const ROUNDS: u32 = 10;

#[tokio::main]
async fn main() {
    let files: Vec<_> = std::env::args().skip(1).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    let pictures = if files.is_empty() { vec![made(4_000, 3_000), made(340, 255)] } else { files };
    for (path, bytes) in pictures {
        let (processor, clock) = (processor_time(), Instant::now());
        let mut found = (None, Vec::new());
        for _ in 0..ROUNDS {
            found = round(&bytes).await;
        }
        let (color, sizes) = found;
        let color = color.map(|color| color.to_string()).unwrap_or_default();
        let processor = processor_time().saturating_sub(processor) / ROUNDS;
        let clock = clock.elapsed() / ROUNDS;
        let length = bytes.len();
        println!(
            "{path}: {length} bytes, processor {processor:.1?}, clock {clock:.1?}, color {color}, thumbnails {sizes:?}"
        );
    }
}

/// A picture of soft shapes with some grain, as photographs are.
fn made(width: u32, height: u32) -> (String, Vec<u8>) {
    let pixel = |x: u32, y: u32| {
        let grain =
            x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519) >> 28;
        [x / 16 + grain, y / 12 + grain, (x + y) / 28 + grain].map(|value| u8::try_from(value % 256).unwrap())
    };
    let mut bytes = Vec::new();
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb(pixel(x, y)));
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 90)).unwrap();
    (format!("{width} x {height} pixels of JPEG"), bytes)
}

/// Finds the colour of a picture and makes its thumbnails once, and returns the colour and how many bytes they have.
async fn round(bytes: &[u8]) -> (Option<Color>, Vec<usize>) {
    let store = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    let id = attachment_id(1);
    let upload = Upload { id, claimed_type: None, max_bytes: 1 << 30 };
    let object = store.put(upload, from_bytes(bytes.to_vec())).await.unwrap();
    let picture = Attachment { id, name: FileName::sanitize("a picture"), object, dominant_color: None };
    let maker = ImageThumbnailMaker::new(Handle::current(), store.clone(), store);
    // Not in time on a busy machine.
    let color = maker.dominant_color(&alice().id, &picture).await.ok().flatten();
    let mut sizes = Vec::new();
    for size in ThumbnailSize::ALL {
        sizes.push(match maker.make(&alice().id, &picture, size).await.unwrap() {
            ThumbnailOutcome::Made(thumbnail) => thumbnail.bytes.len(),
            ThumbnailOutcome::Impossible => 0,
        });
    }
    (color, sizes)
}

/// What the process has used so far.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}
