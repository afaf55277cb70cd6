//! What every `AttachmentStore` does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_domain::ChatError;
use chat_domain::error::FieldPath;
use chat_domain::model::{AttachmentId, ByteRange, MediaType, StoredObject, Timestamp};
use chat_domain::ports::{ByteSource, Upload};
use sha2::{Digest, Sha256};

use super::checks::{Choices, abandon, at_once};
use super::{AttachmentStoreUnderTest, contract_cases};
use crate::fixtures::attachment_id;
use crate::source::{failing_after, from_bytes, from_chunks, read_to_end};

contract_cases! { $ attachment_store_contract for attachment_store on crate::contract::AttachmentStoreUnderTest:
    stored_bytes_are_read_back,
    chunks_become_one_object,
    size_and_hash_are_those_of_the_bytes,
    a_claimed_type_chooses_between_kinds_of_text,
    bytes_of_no_known_type_are_octets,
    as_many_bytes_as_allowed_are_stored,
    one_byte_more_than_allowed_is_invalid_and_leaves_nothing,
    an_empty_file_is_invalid_and_leaves_nothing,
    a_source_that_fails_is_passed_through_and_leaves_nothing,
    an_upload_whose_sender_went_away_leaves_no_object,
    a_range_gives_exactly_its_bytes,
    a_missing_object_is_none,
    a_deleted_object_is_gone,
    deleting_a_missing_object_succeeds,
    an_object_outlives_its_deletion_for_a_running_read,
    objects_are_listed_in_ascending_order_in_batches,
    objects_that_are_too_young_are_not_listed,
    concurrent_uploads_do_not_mix,
}

/// A moment before everything that a clock has ever told, and one after.
fn long_ago() -> Timestamp {
    Timestamp::from_unix_ms(0)
}

fn far_ahead() -> Timestamp {
    Timestamp::from_unix_ms(i64::MAX)
}

fn upload(n: u64, max_bytes: u64) -> Upload {
    Upload { id: attachment_id(n), claimed_type: None, max_bytes }
}

async fn put(store: &AttachmentStoreUnderTest, n: u64, bytes: &[u8]) -> StoredObject {
    store.store.put(upload(n, 1 << 30), from_bytes(bytes.to_vec())).await.unwrap()
}

async fn contents(store: &AttachmentStoreUnderTest, n: u64, range: Option<ByteRange>) -> Option<Bytes> {
    match store.store.open(attachment_id(n), range).await.unwrap() {
        Some(source) => Some(read_to_end(source).await.unwrap()),
        None => None,
    }
}

async fn listed(store: &AttachmentStoreUnderTest) -> Vec<AttachmentId> {
    store.store.stored_before(far_ahead(), None, 1_000).await.unwrap()
}

/// Bytes without a pattern that a mistake in chunking could hide in.
fn noise(length: u32) -> Vec<u8> {
    let mut choices = Choices::seeded(u64::from(length));
    (0..length).map(|_| u8::try_from(choices.below(256)).expect("below 256")).collect()
}

async fn assert_nothing_left(store: &AttachmentStoreUnderTest, n: u64) {
    assert_eq!(contents(store, n, None).await, None);
    assert_eq!(listed(store).await, []);
}

fn assert_invalid(error: &ChatError) {
    let ChatError::Invalid(invalid) = error else { panic!("invalid, not {error}") };
    assert_eq!(invalid.fields.iter().map(|error| &error.field).collect::<Vec<_>>(), [&FieldPath::ATTACHMENTS]);
}

async fn stored_bytes_are_read_back(store: &AttachmentStoreUnderTest) {
    for (n, bytes) in (1..).zip([noise(1), noise(1_000), noise(300_000)]) {
        put(store, n, &bytes).await;
        assert_eq!(contents(store, n, None).await, Some(bytes.into()));
    }
}

async fn chunks_become_one_object(store: &AttachmentStoreUnderTest) {
    let whole = noise(100_000);
    let chunks: Vec<Vec<u8>> =
        [&[][..]].into_iter().chain(whole.chunks(777)).chain([&[][..]]).map(<[u8]>::to_vec).collect();
    let object = store.store.put(upload(1, 1 << 30), from_chunks(chunks)).await.unwrap();
    assert_eq!(object.size, 100_000);
    assert_eq!(contents(store, 1, None).await, Some(whole.into()));
}

async fn size_and_hash_are_those_of_the_bytes(store: &AttachmentStoreUnderTest) {
    let object = put(store, 1, b"hello").await;
    assert_eq!(object.size, 5);
    assert_eq!(object.sha256, <[u8; 32]>::from(Sha256::digest(b"hello")));
}

async fn a_claimed_type_chooses_between_kinds_of_text(store: &AttachmentStoreUnderTest) {
    let claimed_type = MediaType::parse("text/csv");
    let claimed = Upload { claimed_type: claimed_type.clone(), ..upload(1, 100) };
    let object = store.store.put(claimed, from_bytes(&b"a,b\n1,2\n"[..])).await.unwrap();
    assert_eq!(Some(object.media_type), claimed_type);
}

async fn bytes_of_no_known_type_are_octets(store: &AttachmentStoreUnderTest) {
    let object = store.store.put(upload(1, 100), from_bytes(&[0x01, 0x02, 0x03, 0x00, 0x05][..])).await.unwrap();
    assert_eq!(object.media_type, MediaType::octet_stream());
}

async fn as_many_bytes_as_allowed_are_stored(store: &AttachmentStoreUnderTest) {
    for (n, length) in [(1, 1), (2, 70_000)] {
        let bytes = noise(length);
        let chunks: Vec<Vec<u8>> = bytes.chunks(1_000).map(<[u8]>::to_vec).collect();
        let object = store.store.put(upload(n, u64::from(length)), from_chunks(chunks)).await.unwrap();
        assert_eq!(object.size, u64::from(length));
    }
}

async fn one_byte_more_than_allowed_is_invalid_and_leaves_nothing(store: &AttachmentStoreUnderTest) {
    let bytes = noise(70_001);
    let chunks: Vec<Vec<u8>> = bytes.chunks(1_000).map(<[u8]>::to_vec).collect();
    for source in [from_bytes(bytes), from_chunks(chunks)] {
        assert_invalid(&store.store.put(upload(1, 70_000), source).await.unwrap_err());
        assert_nothing_left(store, 1).await;
    }
    assert_invalid(&store.store.put(upload(1, 0), from_bytes("x")).await.unwrap_err());
    assert_nothing_left(store, 1).await;
}

async fn an_empty_file_is_invalid_and_leaves_nothing(store: &AttachmentStoreUnderTest) {
    let empty: [Box<dyn ByteSource>; 3] =
        [from_chunks(Vec::<Bytes>::new()), from_bytes(""), from_chunks(vec![Bytes::new(); 3])];
    for source in empty {
        assert_invalid(&store.store.put(upload(1, 100), source).await.unwrap_err());
        assert_nothing_left(store, 1).await;
    }
}

async fn a_source_that_fails_is_passed_through_and_leaves_nothing(store: &AttachmentStoreUnderTest) {
    for length in [1, 200_000] {
        let broken = failing_after(noise(length), ChatError::unavailable("the line broke"));
        let error = store.store.put(upload(1, 1 << 30), broken).await.unwrap_err();
        assert!(matches!(&error, ChatError::Unavailable { reason, .. } if reason == "the line broke"), "{error}");
        assert_nothing_left(store, 1).await;
    }
}

async fn an_upload_whose_sender_went_away_leaves_no_object(store: &AttachmentStoreUnderTest) {
    struct Stalled(Option<Bytes>);

    #[async_trait::async_trait]
    impl ByteSource for Stalled {
        async fn next_chunk(&mut self) -> chat_domain::Result<Option<Bytes>> {
            match self.0.take() {
                Some(bytes) => Ok(Some(bytes)),
                None => std::future::pending().await,
            }
        }
    }
    abandon(store.store.put(upload(1, 1 << 30), Box::new(Stalled(Some(noise(1_000).into())))), 20).await;
    assert_nothing_left(store, 1).await;
}

async fn a_range_gives_exactly_its_bytes(store: &AttachmentStoreUnderTest) {
    let bytes = noise(200_000);
    put(store, 1, &bytes).await;
    for (first, last) in [(0, 0), (0, 199_999), (199_999, 199_999), (1, 65_536), (65_535, 131_073)] {
        let range = ByteRange::new(first as u64, last as u64).expect("a range");
        let expected = bytes.get(first..=last).expect("inside").to_vec();
        assert_eq!(contents(store, 1, Some(range)).await, Some(expected.into()), "{first} to {last}");
    }
}

async fn a_missing_object_is_none(store: &AttachmentStoreUnderTest) {
    put(store, 1, b"other").await;
    assert_eq!(contents(store, 2, None).await, None);
    assert_eq!(contents(store, 2, ByteRange::new(0, 1)).await, None);
}

async fn a_deleted_object_is_gone(store: &AttachmentStoreUnderTest) {
    put(store, 1, b"one").await;
    put(store, 2, b"two").await;
    store.store.delete(attachment_id(1)).await.unwrap();
    assert_eq!(contents(store, 1, None).await, None);
    assert_eq!(listed(store).await, [attachment_id(2)]);
    assert_eq!(contents(store, 2, None).await, Some(Bytes::from_static(b"two")));
}

async fn deleting_a_missing_object_succeeds(store: &AttachmentStoreUnderTest) {
    store.store.delete(attachment_id(1)).await.unwrap();
    put(store, 1, b"one").await;
    for _ in 0..2 {
        store.store.delete(attachment_id(1)).await.unwrap();
    }
}

async fn an_object_outlives_its_deletion_for_a_running_read(store: &AttachmentStoreUnderTest) {
    let bytes = noise(500_000);
    put(store, 1, &bytes).await;
    let mut source = store.store.open(attachment_id(1), None).await.unwrap().expect("it is there");
    let first = source.next_chunk().await.unwrap().expect("a chunk");
    store.store.delete(attachment_id(1)).await.unwrap();
    let rest = read_to_end(source).await.unwrap();
    assert_eq!([first, rest].concat(), bytes);
}

async fn objects_are_listed_in_ascending_order_in_batches(store: &AttachmentStoreUnderTest) {
    for n in [5, 3, 1, 4, 2] {
        put(store, n, b"x").await;
    }
    assert_eq!(listed(store).await, [1, 2, 3, 4, 5].map(attachment_id));
    for limit in [1, 2, 3, 5] {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let batch = store.store.stored_before(far_ahead(), after, limit).await.unwrap();
            assert!(batch.len() <= limit);
            let Some(last) = batch.last() else { break };
            after = Some(*last);
            all.extend(batch);
        }
        assert_eq!(all, [1, 2, 3, 4, 5].map(attachment_id), "batches of {limit}");
    }
    // The start need not be there: it may have been removed since it was listed.
    store.store.delete(attachment_id(3)).await.unwrap();
    let rest = store.store.stored_before(far_ahead(), Some(attachment_id(3)), 10).await.unwrap();
    assert_eq!(rest, [4, 5].map(attachment_id));
}

async fn objects_that_are_too_young_are_not_listed(store: &AttachmentStoreUnderTest) {
    put(store, 1, b"x").await;
    for before in [long_ago(), long_ago().plus(Duration::from_secs(1))] {
        assert_eq!(store.store.stored_before(before, None, 10).await.unwrap(), []);
    }
    assert_eq!(listed(store).await, [attachment_id(1)]);
}

async fn concurrent_uploads_do_not_mix(store: &AttachmentStoreUnderTest) {
    let bytes_of = |n: u64| noise(50_000 + u32::try_from(n).expect("small"));
    let send = |n: u64| {
        let store = Arc::clone(&store.store);
        let chunks: Vec<Vec<u8>> = bytes_of(n).chunks(4_096).map(<[u8]>::to_vec).collect();
        async move { store.put(upload(n, 1 << 20), from_chunks(chunks)).await.unwrap() }
    };
    let objects = at_once((1..=16).map(send)).await;
    for (n, object) in (1..).zip(objects) {
        let expected = bytes_of(n);
        assert_eq!(object.sha256, <[u8; 32]>::from(Sha256::digest(&expected)));
        assert_eq!(contents(store, n, None).await, Some(expected.into()));
    }
}
