//! Files that are made to harm their reader: they are stored, and nothing that is not so is said of them.

use std::time::Instant;

use chat_domain::model::{MediaMetadata, StoredObject};
use chat_testkit::media::{
    ASF_VIDEO, asf, audio_track, element, exif_jpeg, flac, fragment, fragmented_mp4, ftyp, gif, id3, jpeg, mp3_frame,
    mp4, mp4_box, mvex, mvhd, opus, png, recorded_webm, timed_trak, trak, turned_jpeg, utf16, video_track, wav, webm,
    webp, xing_frame, zip,
};
use proptest::prelude::*;

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
async fn a_pixel_bomb_is_neither_measured_nor_unpacked() {
    let stored = store(&png(2_147_483_647, 2_147_483_647)).await;
    assert_eq!(stored.metadata.plausible(), MediaMetadata::default());
    assert!(!stored.may_have_thumbnail());
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
    // The bytes that are there count, not the number that is claimed.
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

#[tokio::test]
async fn exif_that_points_astray_turns_nothing() {
    let upright = |tiff: &'static [u8]| async move {
        let found = store(&exif_jpeg(40, 30, tiff)).await.metadata;
        assert_eq!((found.width, found.height), (Some(40), Some(30)), "{tiff:?}");
    };
    // Into itself, beyond the segment, beyond everything, and 65,535 fields.
    upright(b"II\x2a\0\0\0\0\0").await;
    upright(b"II\x2a\0\x08\0\0\0\xff\xff").await;
    upright(b"MM\0\x2a\xff\xff\xff\xff").await;
    upright(b"II\x2a\0").await;
    upright(b"IM\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0").await;
    // An orientation that is no number of 16 bits.
    upright(b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x07\0\x01\0\0\0\x06\0\0\0").await;
}

#[tokio::test]
async fn archives_that_lie_are_archives() {
    let mut file = zip(&[("[Content_Types].xml", b"x"), ("word/document.xml", b"x")]);
    let end = file.len() - 22;
    for (at, value) in [(12, u32::MAX), (12, 0), (12, 1 << 30), (16, u32::MAX)] {
        let mut file = file.clone();
        file[end + at..end + at + 4].copy_from_slice(&value.to_le_bytes());
        if at == 12 {
            assert_eq!(store(&file).await.media_type.as_str(), "application/zip", "{at} {value}");
        } else {
            store(&file).await;
        }
    }
    // A locator of the large form that points nowhere.
    let locator = [b"PK\x06\x07\0\0\0\0".as_slice(), &u64::MAX.to_le_bytes(), b"\x01\0\0\0"].concat();
    file.splice(end..end, locator);
    let end = end + 20;
    file[end + 12..end + 20].copy_from_slice(&[0xff; 8]);
    assert_eq!(store(&file).await.media_type.as_str(), "application/zip");
    // A list of a million entries, and one of names that go on behind the file.
    let many = b"PK\x01\x02".iter().copied().chain([0; 42]).collect::<Vec<u8>>().repeat(100_000);
    let size = u32::try_from(many.len()).unwrap().to_le_bytes();
    let record = [b"PK\x05\x06\0\0\0\0\0\0\0\0".as_slice(), &size, &[0; 6]].concat();
    let many = [b"PK\x03\x04".as_slice(), &many, &record].concat();
    assert_eq!(store(&many).await.media_type.as_str(), "application/zip");
    assert_eq!(store(b"PK\x03\x04 and no end \0").await.media_type.as_str(), "application/zip");
}

#[tokio::test]
async fn recordings_that_lie_have_no_duration() {
    // Nothing but beginnings of clusters, and blocks before their time.
    let webm = recorded_webm(&audio_track(), &[(5_000, &[0])]);
    says_nothing(&[&webm[..], &b"\x1f\x43\xb6\x75".repeat(1_000_000)].concat()).await;
    says_nothing(&recorded_webm(&audio_track(), &[(5_000, &[0]), (0, &[-1])])).await;
    says_nothing(&recorded_webm(&audio_track(), &[(0, &[0]), (u32::MAX, &[0])])).await;
    // More samples than the table has, and times at the end of all numbers.
    let movie = [mvhd(1000, 0), timed_trak(1, 1000, 0, 0), mvex(1, u32::MAX)];
    says_nothing(&fragmented_mp4(&movie, &[fragment(1, Some(0), Err(u32::MAX))])).await;
    says_nothing(&fragmented_mp4(&movie, &[fragment(1, Some(u64::MAX), Err(1))])).await;
    let mut cut = fragment(1, Some(0), Ok(&[1_000; 4]));
    let count = cut.windows(4).position(|bytes| bytes == b"trun").unwrap() + 8;
    cut[count..count + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    says_nothing(&fragmented_mp4(&movie, &[cut])).await;
    // More of them than are read: what is not known to be all is not said.
    let small = mp4_box(*b"moof", &[]).repeat(500_000);
    says_nothing(&fragmented_mp4(&movie, &[fragment(1, Some(0), Ok(&[1_000])), small])).await;
    says_nothing(&asf(&[])).await;
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
        turned_jpeg(640, 480, 6, true),
        recorded_webm(&audio_track(), &[(0, &[0, 60]), (100, &[0, 60])]),
        fragmented_mp4(
            &[mvhd(1000, 0), timed_trak(1, 1000, 0, 0), mvex(1, 20)],
            &[fragment(1, Some(0), Ok(&[20; 5])), fragment(1, Some(100), Err(5))],
        ),
        zip(&[("mimetype", b"application/epub+zip"), ("[Content_Types].xml", b"x"), ("xl/workbook.xml", b"x")]),
        asf(&[ASF_VIDEO]),
        utf16("text", true),
        b"II\x2a\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\x08\0\0\0\x01\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0".to_vec(),
        b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0".to_vec(),
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x28meta\0\0\0\0\0\0\0\x1ciprp\0\0\0\x14ipco\0\0\0\x14ispe".to_vec(),
    ]
}

/// Dimensions are kept as they are stated; which of them are shown is the domain's affair.
fn assert_sane(stored: &StoredObject) {
    if let Some(seconds) = stored.metadata.duration {
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
