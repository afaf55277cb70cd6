//! Dimensions and durations, read from headers and never by decoding.
//!
//! Files come from strangers, so what looks at them is bounded by how it is made: every read goes through a
//! [`Window`], which gives out only so many reads and bytes and only for so long. Whatever does not fit, contradicts
//! itself or contradicts the file is left unsaid; no failure reaches the upload.
//!
//! Pictures are measured by `imagesize`, which keeps within a window. For sound and video the headers are read here: of
//! the libraries for it, `nom-exif` (3.8) collects up to 1 GiB in memory and knows no durations of audio files, and
//! `lofty` (0.25) limits allocations only one by one and thread by thread, reads no dimensions, and neither compares a
//! claimed length with the file's. The few fields wanted lie at fixed places.

mod flac;
mod image;
mod iso_media;
mod matroska;
mod mpeg_audio;
mod ogg;
mod wave;
mod window;

use std::fs::File;
use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use chat_domain::model::{MediaMetadata, MediaType};

use self::window::Window;

/// When whoever waits for a probe should give it up. The window closes before that; this is for a disk that hangs.
pub(crate) const ABANDON_AFTER: Duration = Duration::from_millis(500);

/// The longest duration that is believed: 1000 hours.
const MAX_SECONDS: f64 = 3_600_000.0;

/// What a header says.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) metadata: MediaMetadata,
    /// Whether a container that can hold pictures holds only sound.
    sound_only: bool,
}

impl Probed {
    fn sound(duration: Option<f64>) -> Self {
        Self { metadata: MediaMetadata { duration, ..MediaMetadata::default() }, sound_only: false }
    }

    /// The type that the file has, given the type of its container: a voice message is no video.
    pub(crate) fn refine(&self, container: MediaType) -> MediaType {
        let sound = match container.as_str() {
            "video/mp4" => "audio/mp4",
            "video/webm" => "audio/webm",
            _ => return container,
        };
        if self.sound_only { MediaType::parse(sound).unwrap_or(container) } else { container }
    }
}

/// What the header of a file says. Blocks.
pub(crate) fn probe_file(path: &Path, media_type: &MediaType) -> Probed {
    let Ok(file) = File::open(path) else { return Probed::default() };
    probe(file, media_type)
}

/// What the header of a file of this type says.
fn probe(file: impl Read + Seek, media_type: &MediaType) -> Probed {
    // `imagesize` is made for files that are what they seem.
    let probed = catch_unwind(AssertUnwindSafe(|| {
        let mut window = Window::new(file)?;
        let Probed { metadata, sound_only } = read_header(&mut window, media_type.as_str())?;
        Some(Probed { metadata: plausible(metadata, window.len()), sound_only })
    }));
    probed.ok().flatten().unwrap_or_default()
}

fn read_header<R: Read + Seek>(window: &mut Window<R>, media_type: &str) -> Option<Probed> {
    match media_type {
        "audio/flac" => Some(Probed::sound(flac::duration(window))),
        "audio/mp4" => Some(Probed::sound(iso_media::read(window)?.metadata.duration)),
        "audio/mpeg" => Some(Probed::sound(mpeg_audio::duration(window))),
        "audio/ogg" => Some(Probed::sound(ogg::duration(window))),
        "audio/wav" => Some(Probed::sound(wave::duration(window))),
        "video/mp4" | "video/quicktime" => iso_media::read(window),
        "video/webm" | "video/x-matroska" => matroska::read(window),
        "image/svg+xml" => None,
        image if image.starts_with("image/") => {
            Some(Probed { metadata: image::dimensions(window)?, sound_only: false })
        }
        _ => None,
    }
}

/// Leaves out what cannot be: empty pictures, and durations that no file of this size has. There is no sound or video
/// of less than a byte a second.
fn plausible(found: MediaMetadata, size: u64) -> MediaMetadata {
    let (width, height) = match (found.width, found.height) {
        (Some(width), Some(height)) if width > 0 && height > 0 => (Some(width), Some(height)),
        _ => (None, None),
    };
    let most = Duration::from_secs(size).as_secs_f64().min(MAX_SECONDS);
    MediaMetadata { width, height, duration: found.duration.filter(|seconds| *seconds > 0.0 && *seconds <= most) }
}

/// `count / rate` in seconds, to the millisecond. `None` when it is no number, or too large for one.
fn seconds(count: u64, rate: u64) -> Option<f64> {
    let millis = u128::from(count).saturating_mul(1000).checked_div(u128::from(rate))?;
    Some(Duration::from_millis(u64::try_from(millis).ok()?).as_secs_f64())
}
