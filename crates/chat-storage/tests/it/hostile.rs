//! Files that are made to harm whoever looks at them: they are stored, and nothing that is not so is said of them.

use std::time::Instant;

use chat_domain::model::{MediaMetadata, StoredObject};
use proptest::prelude::*;

use crate::media::{
    audio_track, element, flac, ftyp, gif, id3, jpeg, mp3_frame, mp4, mp4_box, mvhd, opus, png, trak, video_track, wav,
    webm, webp, xing_frame,
};
use crate::support::{PATIENCE, TestStore};

async fn store(bytes: &[u8]) -> StoredObject {
    let began = Instant::now();
    let stored = TestStore::open().put(1, bytes).await;
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(stored.size, u64::try_from(bytes.len()).unwrap());
    stored
}

async fn says_nothing(bytes: &[u8]) {
    let stored = store(bytes).await;
    assert_eq!(stored.metadata, MediaMetadata::default(), "{}", stored.media_type);
}

#[tokio::test]
async fn a_pixel_bomb_is_measured_and_not_unpacked() {
    let bomb = store(&png(2_147_483_647, 2_147_483_647)).await.metadata;
    assert_eq!((bomb.width, bomb.height), (Some(2_147_483_647), Some(2_147_483_647)));
}

#[tokio::test]
async fn a_gif_of_many_frames_is_not_walked() {
    let frames = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0".repeat(10_000);
    let animated = store(&[gif(8, 8), frames].concat()).await.metadata;
    assert_eq!((animated.width, animated.height, animated.duration), (Some(8), Some(8), None));
}

#[tokio::test]
async fn a_tiff_that_loops_or_counts_too_far_ends() {
    // A directory that holds itself, and one of 2^63 entries.
    says_nothing(b"II\x2a\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0").await;
    let mut many = b"II\x2b\0\x08\0\0\0\x10\0\0\0\0\0\0\0".to_vec();
    many.extend((1_u64 << 63).to_le_bytes());
    many.extend(b"\x03\0\x03\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0".repeat(200_000));
    says_nothing(&many).await;
}

#[tokio::test]
async fn a_jpeg_of_a_million_segments_ends() {
    says_nothing(&[b"\xff\xd8".to_vec(), b"\xff\xe0\0\x02".repeat(1_000_000)].concat()).await;
}

#[tokio::test]
async fn boxes_of_impossible_sizes_end_the_search() {
    let wide = |size: u64| [b"\0\0\0\x01free".as_slice(), &size.to_be_bytes()].concat();
    let movie = mp4_box(*b"moov", &[mvhd(1000, 5000), trak(640, 480, false)].concat());
    for size in [0, 1, 15, 1 << 63, u64::MAX] {
        says_nothing(&[ftyp(), wide(size), movie.clone()].concat()).await;
    }
    says_nothing(&[ftyp(), b"\0\0\0\x07free".to_vec(), movie.clone()].concat()).await;
    says_nothing(&[ftyp(), b"\0\0\0\0free".to_vec(), movie.clone()].concat()).await;
    // A movie that claims to be larger than the file.
    let mut cut = [ftyp(), movie].concat();
    cut.pop();
    says_nothing(&cut).await;
}

#[tokio::test]
async fn boxes_in_boxes_are_not_followed() {
    let mut deep = Vec::new();
    for depth in (1..=10_000_u32).rev() {
        let size = (10_001 - depth) * 8;
        deep.splice(0..0, [size.to_be_bytes(), *b"moov"].concat());
    }
    says_nothing(&[ftyp(), deep].concat()).await;
    says_nothing(&[ftyp(), mp4_box(*b"free", &[]).repeat(1_000_000)].concat()).await;
}

#[tokio::test]
async fn a_length_that_the_file_contradicts_is_not_believed() {
    // The bytes that are there count, not the ones that are claimed.
    assert_eq!(store(&wav(16_000, u32::MAX, 8_000)).await.metadata.duration, Some(0.5));
    says_nothing(&wav(0, 100, 100)).await;
    says_nothing(&wav(1, 100, 100)).await;
    says_nothing(&[xing_frame(u32::MAX), mp3_frame().repeat(3)].concat()).await;
    says_nothing(&[id3(0x0fff_ffff), mp3_frame().repeat(3)].concat()).await;
    says_nothing(&flac(1, 0xf_ffff_ffff)).await;
    says_nothing(&flac(0, 44_100)).await;
    says_nothing(&opus(1 << 62)).await;
    says_nothing(&opus(5)).await;
    says_nothing(&mp4(&[mvhd(1, u32::MAX - 1)])).await;
    says_nothing(&mp4(&[mvhd(0, 1000)])).await;
    for absurd in [f64::NAN, f64::INFINITY, -1.0, 1e300, 0.0] {
        says_nothing(&webm(absurd, &audio_track())).await;
    }
}

#[tokio::test]
async fn elements_of_impossible_sizes_end_the_search() {
    let header = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm");
    let segment = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff";
    for inside in [
        b"\x15\x49\xa9\x66\x01\xff\xff\xff\xff\xff\xff\xfe".as_slice(),
        b"\x16\x54\xae\x6b\xff\xae\xff\xe0\xff",
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x15\x49\xa9\x66\xff",
    ] {
        says_nothing(&[&header, segment.as_slice(), inside].concat()).await;
    }
    let empty = b"\xec\x80".repeat(1_000_000);
    says_nothing(&[&header, segment.as_slice(), &empty].concat()).await;
}

fn honest_files() -> Vec<Vec<u8>> {
    vec![
        png(640, 480),
        jpeg(640, 480, 40),
        gif(640, 480),
        webp(640, 480),
        wav(16_000, 3_200, 3_200),
        flac(44_100, 44_100),
        opus(48_000),
        [id3(0), xing_frame(3), mp3_frame().repeat(3)].concat(),
        mp4(&[mvhd(1000, 5000), trak(640, 480, true)]),
        webm(1000.0, &[audio_track(), video_track(640, 480)].concat()),
        b"II\x2a\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\x08\0\0\0\x01\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0".to_vec(),
        b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0".to_vec(),
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x28meta\0\0\0\0\0\0\0\x1ciprp\0\0\0\x14ipco\0\0\0\x14ispe".to_vec(),
    ]
}

fn assert_sane(stored: &StoredObject) {
    let MediaMetadata { width, height, duration } = stored.metadata;
    assert_eq!(width.is_some(), height.is_some());
    assert!(width != Some(0) && height != Some(0));
    if let Some(seconds) = duration {
        assert!(seconds.is_finite() && seconds > 0.0 && seconds <= 3_600_000.0, "{seconds}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_files_are_stored_and_nothing_absurd_is_said(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        kept in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let files = honest_files();
        let mut file = which.get(&files).clone();
        for (at, byte) in changes {
            // Headers are where it hurts.
            let at = at.index(file.len().min(128));
            file[at] = byte;
        }
        if cut {
            file.truncate(kept.index(file.len()) + 1);
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_sane(&runtime.block_on(store(&file)));
    }

    #[test]
    fn random_bytes_behind_a_signature_are_stored(
        signature in prop::sample::select(vec![
            b"\x89PNG\r\n\x1a\n".as_slice(), b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WAVEfmt ",
            b"fLaC", b"OggS\0", b"ID3", b"\xff\xfb\x90", b"\0\0\0\x18ftypmp42", b"\x1a\x45\xdf\xa3", b"II\x2a\0", b"BM",
            b"\0\0\x01\0", b"\0\0\0\x18ftypavif", b"\xff\x0a", b"8BPS", b"PK\x03\x04", b"<?xml", b"",
        ]),
        noise in prop::collection::vec(any::<u8>(), 1..600),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_sane(&runtime.block_on(store(&[signature, &noise].concat())));
    }
}
