//! What every `ThumbnailStore` does.

use std::sync::Arc;

use chat_domain::model::{Thumbnail, ThumbnailFormat, ThumbnailOutcome, ThumbnailSize, Timestamp};
use chat_domain::ports::Upload;

use super::checks::at_once;
use super::{ThumbnailStoreUnderTest, contract_cases};
use crate::fixtures::attachment_id;
use crate::source::from_bytes;

contract_cases! { $ thumbnail_store_contract for thumbnail_store on crate::contract::ThumbnailStoreUnderTest:
    nothing_is_found_before_it_is_saved,
    an_outcome_is_read_back_as_it_was_saved,
    sizes_and_objects_are_kept_apart,
    a_later_outcome_replaces_an_earlier_one,
    a_reader_sees_one_outcome_whole_while_they_replace_each_other,
    the_thumbnails_of_a_deleted_object_are_gone,
    nothing_is_kept_of_an_object_that_is_not_stored,
    thumbnails_are_not_listed_among_the_objects,
}

fn made(format: ThumbnailFormat, byte: u8, length: usize) -> ThumbnailOutcome {
    ThumbnailOutcome::Made(Thumbnail { format, bytes: vec![byte; length].into() })
}

async fn put(subject: &ThumbnailStoreUnderTest, n: u64) {
    let upload = Upload { id: attachment_id(n), claimed_type: None, max_bytes: 1_000 };
    subject.store.put(upload, from_bytes("an object")).await.unwrap();
}

async fn save(subject: &ThumbnailStoreUnderTest, n: u64, size: ThumbnailSize, outcome: &ThumbnailOutcome) {
    subject.thumbnails.save(attachment_id(n), size, outcome.clone()).await.unwrap();
}

async fn found(subject: &ThumbnailStoreUnderTest, n: u64, size: ThumbnailSize) -> Option<ThumbnailOutcome> {
    subject.thumbnails.find(attachment_id(n), size).await.unwrap()
}

async fn nothing_is_found_before_it_is_saved(subject: &ThumbnailStoreUnderTest) {
    put(subject, 1).await;
    for n in [1, 2] {
        for size in ThumbnailSize::ALL {
            assert_eq!(found(subject, n, size).await, None, "{n} {size:?}");
        }
    }
}

async fn an_outcome_is_read_back_as_it_was_saved(subject: &ThumbnailStoreUnderTest) {
    let outcomes = [
        made(ThumbnailFormat::Jpeg, 0xff, 3),
        made(ThumbnailFormat::WebP, 0, 300_000),
        made(ThumbnailFormat::WebP, b'\n', 5),
        ThumbnailOutcome::Impossible,
    ];
    for (n, outcome) in (1..).zip(outcomes) {
        put(subject, n).await;
        save(subject, n, ThumbnailSize::Large, &outcome).await;
        assert_eq!(found(subject, n, ThumbnailSize::Large).await, Some(outcome));
    }
}

async fn sizes_and_objects_are_kept_apart(subject: &ThumbnailStoreUnderTest) {
    put(subject, 1).await;
    put(subject, 2).await;
    save(subject, 1, ThumbnailSize::Small, &made(ThumbnailFormat::Jpeg, 1, 10)).await;
    assert_eq!(found(subject, 1, ThumbnailSize::Large).await, None);
    save(subject, 1, ThumbnailSize::Large, &ThumbnailOutcome::Impossible).await;
    save(subject, 2, ThumbnailSize::Small, &made(ThumbnailFormat::WebP, 2, 20)).await;
    assert_eq!(found(subject, 1, ThumbnailSize::Small).await, Some(made(ThumbnailFormat::Jpeg, 1, 10)));
    assert_eq!(found(subject, 1, ThumbnailSize::Large).await, Some(ThumbnailOutcome::Impossible));
    assert_eq!(found(subject, 2, ThumbnailSize::Small).await, Some(made(ThumbnailFormat::WebP, 2, 20)));
    assert_eq!(found(subject, 2, ThumbnailSize::Large).await, None);
}

async fn a_later_outcome_replaces_an_earlier_one(subject: &ThumbnailStoreUnderTest) {
    put(subject, 1).await;
    let outcomes = [
        made(ThumbnailFormat::Jpeg, 1, 100),
        made(ThumbnailFormat::WebP, 2, 10),
        ThumbnailOutcome::Impossible,
        made(ThumbnailFormat::Jpeg, 3, 50),
    ];
    for outcome in outcomes {
        save(subject, 1, ThumbnailSize::Small, &outcome).await;
        assert_eq!(found(subject, 1, ThumbnailSize::Small).await, Some(outcome));
    }
}

async fn a_reader_sees_one_outcome_whole_while_they_replace_each_other(subject: &ThumbnailStoreUnderTest) {
    const LENGTH: usize = 100_000;
    put(subject, 1).await;
    let outcome = |byte| made(if byte % 2 == 0 { ThumbnailFormat::Jpeg } else { ThumbnailFormat::WebP }, byte, LENGTH);
    save(subject, 1, ThumbnailSize::Small, &outcome(0)).await;
    let work = |task: u8| {
        let thumbnails = Arc::clone(&subject.thumbnails);
        async move {
            for _ in 0..25 {
                if task < 4 {
                    thumbnails.save(attachment_id(1), ThumbnailSize::Small, outcome(task)).await.unwrap();
                    continue;
                }
                let seen = thumbnails.find(attachment_id(1), ThumbnailSize::Small).await.unwrap();
                let Some(ThumbnailOutcome::Made(seen)) = seen else { panic!("there always is one, not {seen:?}") };
                let byte = seen.bytes[0];
                assert!(ThumbnailOutcome::Made(seen) == outcome(byte), "a mixture of several");
                // A store that never waits would let one reader look 25 times before anything is written.
                tokio::task::yield_now().await;
            }
        }
    };
    at_once((0..8).map(work)).await;
}

async fn the_thumbnails_of_a_deleted_object_are_gone(subject: &ThumbnailStoreUnderTest) {
    for n in [1, 2] {
        put(subject, n).await;
        save(subject, n, ThumbnailSize::Small, &made(ThumbnailFormat::Jpeg, 1, 10)).await;
        save(subject, n, ThumbnailSize::Large, &ThumbnailOutcome::Impossible).await;
    }
    subject.store.delete(attachment_id(1)).await.unwrap();
    for size in ThumbnailSize::ALL {
        assert_eq!(found(subject, 1, size).await, None, "{size:?}");
        assert!(found(subject, 2, size).await.is_some(), "{size:?}");
    }
}

async fn nothing_is_kept_of_an_object_that_is_not_stored(subject: &ThumbnailStoreUnderTest) {
    put(subject, 2).await;
    subject.store.delete(attachment_id(2)).await.unwrap();
    for n in [1, 2] {
        save(subject, n, ThumbnailSize::Small, &made(ThumbnailFormat::Jpeg, 1, 10)).await;
        assert_eq!(found(subject, n, ThumbnailSize::Small).await, None);
    }
}

async fn thumbnails_are_not_listed_among_the_objects(subject: &ThumbnailStoreUnderTest) {
    put(subject, 1).await;
    save(subject, 1, ThumbnailSize::Small, &made(ThumbnailFormat::Jpeg, 1, 10)).await;
    save(subject, 1, ThumbnailSize::Large, &ThumbnailOutcome::Impossible).await;
    let end_of_time = Timestamp::from_unix_ms(i64::MAX);
    let listed = subject.store.stored_before(end_of_time, None, 10).await.unwrap();
    assert_eq!(listed, [attachment_id(1)]);
}
