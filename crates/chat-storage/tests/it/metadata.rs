//! Dimensions and durations of honest files.

use chat_domain::model::MediaMetadata;

use crate::media::{
    audio_track, flac, gif, id3, jpeg, mp3_frame, mp4, mvhd, opus, png, trak, video_track, wav, webm, webp, xing_frame,
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
async fn what_the_header_does_not_say_is_absent() {
    assert_eq!(metadata(b"just words").await, MediaMetadata::default());
    assert_eq!(metadata(b"%PDF-1.7\n\xff\x00").await, MediaMetadata::default());
    assert_eq!(metadata(&png(0, 5)).await, MediaMetadata::default());
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
