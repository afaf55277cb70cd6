//! Dimensions and durations, read from headers and never by decoding; and types that only more than the beginning of a
//! file tells.
//!
//! Files come from strangers, so what looks at them is bounded by how it is made: every read goes through a
//! [`Window`], which gives out only so many reads and bytes and only for so long. Whatever does not fit, contradicts
//! itself or contradicts the file is left unsaid; no failure reaches the upload.
//!
//! Pictures are measured by `imagesize`, which keeps within a window. For sound and video the headers are read here: of
//! the libraries for it, `nom-exif` (3.8) collects up to 1 GiB in memory and knows no durations of audio files, and
//! `lofty` (0.25) limits allocations only one by one and thread by thread, reads no dimensions, and neither compares a
//! claimed length with the file's. The few fields wanted lie at fixed places.

pub(crate) mod asf;
mod exif;
mod flac;
mod fragments;
mod image;
mod iso_media;
mod matroska;
mod mpeg_audio;
mod ogg;
mod wave;
mod window;
mod zip;

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

/// The most pixels that are believed: four times those of the largest cameras.
const MAX_PIXELS: u64 = 1 << 28;

/// What a header says.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) metadata: MediaMetadata,
    /// Whether a container that can hold pictures holds only sound.
    sound_only: bool,
    /// A more exact type than the beginning of the file tells.
    exact: Option<String>,
}

impl Probed {
    fn sound(duration: Option<f64>) -> Self {
        Self { metadata: MediaMetadata { duration, ..MediaMetadata::default() }, ..Self::default() }
    }

    /// The type that the file has, given the type of its container: a voice message is no video, and a document is no
    /// archive.
    pub(crate) fn refine(&self, container: MediaType) -> MediaType {
        let sound = self.sound_only.then(|| sound_of(container.as_str())).flatten();
        self.exact.as_deref().or(sound).and_then(MediaType::parse).unwrap_or(container)
    }
}

/// The type of a container's files that hold no pictures.
fn sound_of(container: &str) -> Option<&'static str> {
    Some(match container {
        "video/3gpp" => "audio/3gpp",
        "video/3gpp2" => "audio/3gpp2",
        "video/mp4" => "audio/mp4",
        "video/webm" => "audio/webm",
        _ => return None,
    })
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
        let probed = read_header(&mut window, media_type.as_str())?;
        Some(Probed { metadata: plausible(probed.metadata, window.len()), ..probed })
    }));
    probed.ok().flatten().unwrap_or_default()
}

fn read_header<R: Read + Seek>(window: &mut Window<R>, media_type: &str) -> Option<Probed> {
    match media_type {
        "application/zip" => Some(Probed { exact: zip::document_type(window), ..Probed::default() }),
        "audio/flac" => Some(Probed::sound(flac::duration(window))),
        "audio/mp4" => Some(Probed::sound(iso_media::read(window)?.metadata.duration)),
        "audio/mpeg" => Some(Probed::sound(mpeg_audio::duration(window))),
        "audio/ogg" => Some(Probed::sound(ogg::duration(window))),
        "audio/wav" => Some(Probed::sound(wave::duration(window))),
        "video/3gpp" | "video/3gpp2" | "video/mp4" | "video/quicktime" => iso_media::read(window),
        "video/webm" | "video/x-matroska" => matroska::read(window),
        "video/x-ms-asf" => Some(Probed { exact: asf::media_type(window).map(str::to_owned), ..Probed::default() }),
        "image/svg+xml" => None,
        image if image.starts_with("image/") => {
            Some(Probed { metadata: image::dimensions(window, image)?, ..Probed::default() })
        }
        _ => None,
    }
}

/// Leaves out what cannot be: empty and immense pictures, and durations that no file of this size has. There is no sound
/// or video of less than a byte a second.
fn plausible(found: MediaMetadata, size: u64) -> MediaMetadata {
    let (width, height) = match (found.width, found.height) {
        (Some(width), Some(height)) if (1..=MAX_PIXELS).contains(&(u64::from(width) * u64::from(height))) => {
            (Some(width), Some(height))
        }
        _ => (None, None),
    };
    let most = Duration::from_secs(size).as_secs_f64().min(MAX_SECONDS);
    MediaMetadata { width, height, duration: found.duration.filter(|seconds| *seconds > 0.0 && *seconds <= most) }
}

/// `count / rate` in seconds, rounded to milliseconds. `None` when it is no number, or longer than any duration that is
/// believed.
fn seconds(count: u64, rate: u64) -> Option<f64> {
    let rate = u128::from(rate);
    of_millis(u128::from(count).saturating_mul(1000).saturating_add(rate / 2).checked_div(rate)?)
}

/// A duration in seconds, rounded to milliseconds.
fn milliseconds(duration: Duration) -> Option<f64> {
    of_millis(duration.checked_add(Duration::from_micros(500))?.as_millis())
}

/// The nearest number to these milliseconds in seconds, so that JSON has three digits behind the point at most.
/// `Duration::as_secs_f64` adds two roundings up: 1235 ms are 1.2349999999999999 there.
fn of_millis(millis: u128) -> Option<f64> {
    u32::try_from(millis).ok().map(|millis| f64::from(millis) / 1000.0)
}
