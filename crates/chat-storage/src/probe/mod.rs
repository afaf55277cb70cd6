//! Dimensions and durations, read from headers and never by decoding; and types that only more than the beginning of a
//! file tells.
//!
//! Files come from strangers, so what looks at them is bounded by how it is made: every read goes through a
//! [`Window`], which allows only so many reads and bytes. Whatever does not fit, contradicts itself or contradicts
//! the file is left unsaid; no failure reaches the upload.
//!
//! The type decides what a browser does with a file, so it follows from the bytes alone: the same file has the same type
//! on a busy machine. Dimensions and durations are a convenience, and they are bounded in time as well.
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
mod iso_boxes;
mod iso_media;
mod matroska;
mod mpeg_audio;
mod ogg;
mod wave;
mod window;
mod zip;

use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chat_domain::model::{MediaMetadata, MediaType};

use self::window::Window;

/// How long a file is looked at for its dimensions and duration.
pub(crate) const METADATA_TIME: Duration = Duration::from_millis(100);

/// After how many times the time for metadata the wait for it ends. The window closes before; this is for a disk that
/// hangs.
const ABANDON_FACTOR: u32 = 5;

/// When the wait for metadata ends, counted from when the probe begins to run.
pub(crate) fn abandon_after(time: Duration) -> Duration {
    time.saturating_mul(ABANDON_FACTOR)
}

/// The longest duration that is believed: 1000 hours.
const MAX_SECONDS: f64 = 3_600_000.0;

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

/// The type that a file has, given the type of its container: a voice message is no video, and a document is no archive.
/// Blocks.
pub(crate) fn exact_type<R: Read + Seek>(file: R, container: MediaType) -> MediaType {
    let exact = looked_at(file, |window| read_type(window, container.as_str()));
    exact.as_deref().and_then(MediaType::parse).unwrap_or(container)
}

/// The dimensions and the duration that the header of a file states, looked for no longer than `limit`. Blocks.
pub(crate) fn metadata<R: Read + Seek>(file: R, media_type: &MediaType, limit: Duration) -> MediaMetadata {
    let found = looked_at(file, |window| {
        let mut window = window.closing_after(limit);
        Some(plausible(read_metadata(&mut window, media_type.as_str())?, window.len()))
    });
    found.unwrap_or_default()
}

/// What is found in a file.
fn looked_at<R: Read + Seek, T>(file: R, look: impl FnOnce(Window<R>) -> Option<T>) -> Option<T> {
    // `imagesize` is made for files that are what they seem.
    catch_unwind(AssertUnwindSafe(|| look(Window::new(file)?))).ok().flatten()
}

/// A more exact type than the beginning of the file tells.
fn read_type<R: Read + Seek>(mut window: Window<R>, container: &str) -> Option<String> {
    let window = &mut window;
    let exact = match container {
        "application/zip" => return zip::document_type(window),
        "video/x-ms-asf" => asf::media_type(window)?,
        "video/3gpp" | "video/3gpp2" | "video/mp4" if iso_media::is_sound_only(window) => sound_of(container)?,
        "video/webm" if matroska::is_sound_only(window) => sound_of(container)?,
        _ => return None,
    };
    Some(exact.to_owned())
}

fn read_metadata<R: Read + Seek>(window: &mut Window<R>, media_type: &str) -> Option<MediaMetadata> {
    let sound = |duration| Some(MediaMetadata { duration, ..MediaMetadata::default() });
    match media_type {
        "audio/3gpp" | "audio/3gpp2" | "audio/mp4" => sound(iso_media::read(window)?.duration),
        "audio/flac" => sound(flac::duration(window)),
        "audio/mpeg" => sound(mpeg_audio::duration(window)),
        "audio/ogg" => sound(ogg::duration(window)),
        "audio/wav" => sound(wave::duration(window)),
        "audio/webm" => sound(matroska::read(window)?.duration),
        "video/3gpp" | "video/3gpp2" | "video/mp4" | "video/quicktime" => iso_media::read(window),
        "video/webm" | "video/x-matroska" => matroska::read(window),
        "image/svg+xml" => None,
        image if image.starts_with("image/") => image::dimensions(window, image),
        _ => None,
    }
}

/// Leaves out a duration that no file of this size has: there is no sound or video of less than a byte a second.
/// Dimensions stay as they are stated, since those that no picture has say that there is no thumbnail.
fn plausible(found: MediaMetadata, size: u64) -> MediaMetadata {
    let most = Duration::from_secs(size).as_secs_f64().min(MAX_SECONDS);
    MediaMetadata { duration: found.duration.filter(|seconds| *seconds > 0.0 && *seconds <= most), ..found }
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
