//! Dimensions and durations of honest files.

use chat_domain::model::MediaMetadata;
use chat_testkit::media::{
    audio_track, flac, fragment, fragmented_mp4, gif, id3, jpeg, mp3_frame, mp4, mp4_box, mvex, mvhd, opus, png,
    recorded_webm, timed_trak, trak, turned_jpeg, video_track, wav, webm, webp, xing_frame,
};

use crate::support::TestStore;

async fn metadata(bytes: &[u8]) -> MediaMetadata {
    TestStore::open().put(1, bytes).await.metadata
}

fn picture(width: u32, height: u32) -> MediaMetadata {
    MediaMetadata { width: Some(width), height: Some(height), duration: None }
}

fn sound(seconds: f64) -> MediaMetadata {
    MediaMetadata { duration: Some(seconds), ..MediaMetadata::default() }
}

#[tokio::test]
async fn pictures_have_dimensions() {
    assert_eq!(metadata(&png(640, 480)).await, picture(640, 480));
    assert_eq!(metadata(&gif(320, 200)).await, picture(320, 200));
    assert_eq!(metadata(&jpeg(4000, 3000, 60_000)).await, picture(4000, 3000));
    assert_eq!(metadata(&webp(1920, 1080)).await, picture(1920, 1080));
}

#[tokio::test]
async fn a_photo_has_the_dimensions_at_which_it_is_shown() {
    for little_endian in [true, false] {
        for orientation in 0..=9 {
            let shown = if (5..=8).contains(&orientation) { picture(3000, 4000) } else { picture(4000, 3000) };
            let photo = turned_jpeg(4000, 3000, orientation, little_endian);
            assert_eq!(metadata(&photo).await, shown, "orientation {orientation}");
        }
    }
}

#[tokio::test]
async fn dimensions_that_no_picture_has_are_kept_as_they_are_stated() {
    for (width, height) in [(30_000, 30_000), (1 << 28, 1), (2_147_483_647, 2_147_483_647), (0, 5), (0, 0)] {
        assert_eq!(metadata(&png(width, height)).await, picture(width, height));
    }
}

#[tokio::test]
async fn durations_are_rounded_to_milliseconds() {
    assert_eq!(metadata(&mp4(&[mvhd(3, 2)])).await, sound(0.667));
    assert_eq!(metadata(&mp4(&[mvhd(3, 1)])).await, sound(0.333));
    assert_eq!(metadata(&webm(1234.5, &audio_track())).await, sound(1.235));
    assert_eq!(metadata(&webm(1234.4, &audio_track())).await, sound(1.234));
}

#[tokio::test]
async fn a_browsers_recording_lasts_until_its_last_block() {
    let store = TestStore::open();
    let voice = recorded_webm(&audio_track(), &[(0, &[0, 60]), (9_000, &[0, 60, 120]), (18_000, &[0, 60, 240])]);
    let voice = store.put(1, &voice).await;
    assert_eq!((voice.media_type.as_str(), voice.metadata), ("audio/webm", sound(18.24)));
    // A recording of the middle of something, whose last cluster is longer than what is looked through at once.
    let film = [audio_track(), video_track(640, 480)].concat();
    let many: Vec<i16> = (0..1_000).map(|block| block * 30).collect();
    let film = store.put(2, &recorded_webm(&film, &[(5_000, &[-5, 0]), (65_000, &many)])).await;
    assert_eq!(film.media_type.as_str(), "video/webm");
    assert_eq!(film.metadata, MediaMetadata { duration: Some(89.97), ..picture(640, 480) });
    // The bytes that begin a cluster also stand in the middle of a block.
    let mut odd = recorded_webm(&audio_track(), &[(0, &[0]), (1_000, &[0, 500])]);
    let end = odd.len();
    odd[end - 100..end - 96].copy_from_slice(b"\x1f\x43\xb6\x75");
    assert_eq!(metadata(&odd).await, sound(1.5));
    // Cut off in its last block.
    odd.truncate(end - 50);
    assert_eq!(metadata(&odd).await, sound(1.0));
}

#[tokio::test]
async fn a_movie_in_fragments_lasts_as_long_as_they_do() {
    let store = TestStore::open();
    let ticks = [1024_u32; 43];
    let voice =
        |fragments: &[Vec<u8>]| fragmented_mp4(&[mvhd(1000, 0), timed_trak(1, 44_100, 0, 0), mvex(1, 1024)], fragments);
    let stated = voice(&[fragment(1, Some(0), Ok(&ticks)), fragment(1, Some(44_032), Ok(&ticks[..20]))]);
    let stated = store.put(1, &stated).await;
    assert_eq!((stated.media_type.as_str(), stated.metadata), ("audio/mp4", sound(1.463)));
    // Without times of their own, and with samples that all last as long as the track says.
    assert_eq!(metadata(&voice(&[fragment(1, None, Err(43)), fragment(1, None, Err(20))])).await, sound(1.463));
    // The end of a live stream begins late.
    let late = voice(&[fragment(1, Some(441_000), Err(43)), fragment(1, Some(485_032), Err(20))]);
    assert_eq!(metadata(&late).await, sound(1.463));
    // Of several tracks the longest counts.
    let tracks = [mvhd(1000, 0), timed_trak(1, 44_100, 0, 0), timed_trak(2, 90_000, 640, 480), mvex(2, 3_000)];
    let film = [fragment(1, Some(0), Ok(&ticks)), fragment(2, Some(0), Err(90)), fragment(3, Some(0), Err(9_000))];
    let film = metadata(&fragmented_mp4(&tracks, &film)).await;
    assert_eq!(film, MediaMetadata { duration: Some(3.0), ..picture(640, 480) });
    let many: Vec<Vec<u8>> = (0..600).map(|number| fragment(1, Some(number * 43 * 1024), Ok(&ticks))).collect();
    assert_eq!(metadata(&voice(&many)).await, sound(599.075));
}

#[tokio::test]
async fn an_index_of_all_fragments_states_the_duration() {
    let index = |durations: &[u32], last: u32| {
        let mut fields = [0, 1, 1000, 0, 0, u32::try_from(durations.len()).unwrap()].to_vec();
        for (number, ticks) in durations.iter().enumerate() {
            fields.extend([if number + 1 == durations.len() { last } else { 0 }, *ticks, 0]);
        }
        mp4_box(*b"sidx", &fields.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>())
    };
    let parts = [fragment(1, Some(0), Err(43)), fragment(1, Some(44_032), Err(20))].concat();
    let film = |index: Vec<u8>| {
        let movie = [mvhd(1000, 0), timed_trak(1, 44_100, 0, 0), mvex(1, 1024)];
        fragmented_mp4(&movie, &[index, parts.clone()])
    };
    let all = u32::try_from(parts.len()).unwrap();
    assert_eq!(metadata(&film(index(&[1_000, 500], all))).await, sound(1.5));
    // An index that covers less is not the index of the file.
    assert_eq!(metadata(&film(index(&[1_000, 500], all - 1))).await, sound(1.463));
}

#[tokio::test]
async fn sound_has_a_duration() {
    assert_eq!(metadata(&wav(16_000, 24_000, 24_000)).await, sound(1.5));
    assert_eq!(metadata(&flac(44_100, 66_150)).await, sound(1.5));
    assert_eq!(metadata(&opus(48_000 * 2 + 312)).await, sound(2.0));
    let constant_rate = mp3_frame().repeat(100);
    assert_eq!(metadata(&constant_rate).await, sound(2.606));
    let stated = [id3(300), vec![0; 300], xing_frame(50), mp3_frame().repeat(50)].concat();
    assert_eq!(metadata(&stated).await, sound(1.306));
}

#[tokio::test]
async fn video_has_both() {
    let both = MediaMetadata { duration: Some(12.5), ..picture(1280, 720) };
    assert_eq!(metadata(&mp4(&[mvhd(1000, 12_500), trak(0, 0, false), trak(1280, 720, false)])).await, both);
    assert_eq!(metadata(&mp4(&[mvhd(1000, 12_500), trak(720, 1280, true)])).await, both);
    assert_eq!(metadata(&webm(12_500.0, &[audio_track(), video_track(1280, 720)].concat())).await, both);
}

#[tokio::test]
async fn a_voice_message_in_a_video_container_is_sound() {
    let store = TestStore::open();
    let recorded = store.put(1, &webm(3000.0, &audio_track())).await;
    assert_eq!(recorded.media_type.as_str(), "audio/webm");
    assert_eq!(recorded.metadata, sound(3.0));
    let recorded = store.put(2, &mp4(&[mvhd(600, 1800), trak(0, 0, false)])).await;
    assert_eq!(recorded.media_type.as_str(), "audio/mp4");
    assert_eq!(recorded.metadata, sound(3.0));
}

#[tokio::test]
async fn facts_that_the_header_does_not_have_are_absent() {
    assert_eq!(metadata(b"just words").await, MediaMetadata::default());
    assert_eq!(metadata(b"%PDF-1.7\n\xff\x00").await, MediaMetadata::default());
    assert_eq!(metadata(&mp4(&[mvhd(1000, u32::MAX), trak(640, 480, false)])).await, picture(640, 480));
    let varying = [mp3_frame(), {
        let mut f = mp3_frame();
        f[2] = 0xa0;
        f.resize(522, 0);
        f
    }]
    .concat()
    .repeat(20);
    assert_eq!(metadata(&varying).await, MediaMetadata::default());
}
