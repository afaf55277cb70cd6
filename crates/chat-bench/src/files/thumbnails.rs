//! What the making of thumbnails costs other requests of the same node.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, anyhow};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use super::transfer::{Connection, Service, TransferTarget, at_once};
use super::{BenchRun, Place};
use crate::figures::Figures;
use crate::load::Load;
use crate::sample;

const PICTURES: usize = 120;
const CONNECTIONS: usize = 8;
/// Of the messages beside it, for which the machine has room left.
const RATE: &str = "500";
const SESSIONS: usize = 64;

pub(super) fn measure(run: &BenchRun, figures: &mut Figures) -> anyhow::Result<()> {
    let chat = Place::Disk.start(run, "thumbnails")?;
    let service = Service::of(&chat)?;
    let sessions = sample::draw(run.path("thumbnail-sessions"), &chat.open_sessions(SESSIONS)?)?;
    let load = Load::sending(&chat, &sessions).at_rate(RATE);
    let picture = photograph()?;
    let made_already = run.path("files-thumbnails-disk").join("attachments/thumbnails");
    for round in run.rounds("thumbnails") {
        let mut connection = Connection::to(service.address())?;
        let paths: Vec<String> =
            (0..PICTURES).map(|_| service.send(&mut connection, &picture)).collect::<anyhow::Result<_>>()?;
        // Most were made for the colours of the pictures, as these were stored. Some are still being saved, so that the
        // directory cannot be removed.
        std::fs::rename(&made_already, run.path(&format!("thumbnails-before-round-{round}")))?;
        load.run(CONNECTIONS, run.length)?.record(figures, "POST …/messages at 500/s");
        let (next, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (beside, made) = thread::scope(|scope| {
            let viewers = scope.spawn(|| {
                at_once(2, |_| {
                    let mut connection = Connection::to(service.address())?;
                    while !is_done.load(Ordering::Relaxed) {
                        let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) else { return Ok(()) };
                        connection.download(&format!("{path}/thumbnail?size=640"), &service.headers())?;
                    }
                    Ok(())
                })
            });
            let beside = load.run(CONNECTIONS, run.length);
            is_done.store(true, Ordering::Relaxed);
            viewers.join().map_err(|_| anyhow!("a viewer has panicked"))??;
            anyhow::Ok((beside?, next.load(Ordering::Relaxed).min(PICTURES)))
        })?;
        beside.record(figures, "POST …/messages at 500/s while thumbnails of 12 megapixels are made");
        let made = u32::try_from(made).context("very many thumbnails")?;
        figures.record("thumbnails of 12 megapixels made beside it", "/s", f64::from(made) / run.length.as_secs_f64());
    }
    Ok(())
}

/// 12 megapixels of soft shapes with some grain, as JPEG.
fn photograph() -> anyhow::Result<Vec<u8>> {
    let pixel = |x: u32, y: u32| {
        let grain = x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519);
        [x / 16, y / 12, (x + y) / 28].map(|shape| u8::try_from((shape + (grain >> 28)) % 256).unwrap_or_default())
    };
    let mut bytes = Vec::new();
    let picture = RgbImage::from_fn(4_000, 3_000, |x, y| Rgb(pixel(x, y)));
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 90))?;
    Ok(bytes)
}
