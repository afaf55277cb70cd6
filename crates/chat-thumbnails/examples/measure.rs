//! What thumbnails of the given pictures cost and how large they are, or of a JPEG of 12 megapixels that is made for it:
//! `cargo run --release -p chat-thumbnails --example measure -- photo.jpg`

#![expect(clippy::print_stdout, reason = "it prints what it measures")]
#![expect(clippy::unwrap_used, reason = "a program for developers")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_domain::model::{ThumbnailOutcome, ThumbnailSize};
use chat_domain::ports::{AttachmentStore, ThumbnailMaker, Upload};
use chat_testkit::fixtures::attachment_id;
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
    let pictures = if files.is_empty() { vec![("4000 x 3000 pixels of JPEG".to_owned(), made())] } else { files };
    for (path, bytes) in pictures {
        let (processor, clock) = (processor_time(), Instant::now());
        let mut sizes = Vec::new();
        for _ in 0..ROUNDS {
            sizes = round(&bytes).await;
        }
        let processor = processor_time().saturating_sub(processor) / ROUNDS;
        let clock = clock.elapsed() / ROUNDS;
        println!("{path}: {} bytes, processor {processor:.0?}, clock {clock:.0?}, thumbnails {sizes:?}", bytes.len());
    }
}

/// A picture of soft shapes with some grain, as photographs are.
fn made() -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let grain =
            x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519) >> 28;
        [x / 16 + grain, y / 12 + grain, (x + y) / 28 + grain].map(|value| u8::try_from(value % 256).unwrap())
    };
    let mut bytes = Vec::new();
    let picture = RgbImage::from_fn(4_000, 3_000, |x, y| Rgb(pixel(x, y)));
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 90)).unwrap();
    bytes
}

/// Makes the thumbnails of a picture once and returns how many bytes they have.
async fn round(bytes: &[u8]) -> Vec<usize> {
    let store = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    let upload = Upload { id: attachment_id(1), claimed_type: None, max_bytes: 1 << 30 };
    store.put(upload, from_bytes(bytes.to_vec())).await.unwrap();
    let maker = ImageThumbnailMaker::new(Handle::current(), store.clone(), store);
    let mut sizes = Vec::new();
    for size in ThumbnailSize::ALL {
        sizes.push(match maker.make(attachment_id(1), size).await.unwrap() {
            ThumbnailOutcome::Made(thumbnail) => thumbnail.bytes.len(),
            ThumbnailOutcome::Impossible => 0,
        });
    }
    sizes
}

/// What the process has used so far.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}
