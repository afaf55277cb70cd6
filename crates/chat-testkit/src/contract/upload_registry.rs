//! What every `UploadRegistry` does, and what a `MessageRepository` and an `OrphanRegistry` do about uploads.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::error::{Conflict, LimitReached};
use chat_domain::model::{
    AttachmentId, DraftAttachments, MessageDraft, Principal, SessionAction, SessionId, Timestamp, UnsentUpload,
    UploadQuota, UploadUsage,
};
use chat_domain::ports::Marking;
use chat_domain::write::Appended;
use chat_domain::{ChatError, Result};

use super::checks::{ROUNDS, at_once};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{alice, attachment, attachment_id, bob, carol, draft, keyed, mallory, root, start, transfer};

contract_cases! { $ upload_registry_contract for upload_registry on crate::contract::StoreUnderTest:
    a_registered_file_is_found_as_it_was_registered,
    uploads_are_counted_for_each_person,
    an_upload_beyond_the_quota_is_refused_and_changes_nothing,
    concurrent_uploads_do_not_exceed_the_quota,
    only_the_uploader_removes_an_upload_and_once,
    expired_uploads_are_removed_the_oldest_first,
    a_message_is_sent_with_uploads_in_their_order,
    a_message_with_uploads_is_refused_for_any_that_is_not_the_authors_in_this_session,
    uploads_have_at_most_as_many_bytes_as_their_message_may_have,
    a_refused_message_leaves_its_uploads,
    a_repetition_after_its_uploads_were_sent_gets_the_first_message,
    of_concurrent_messages_with_an_upload_one_is_sent,
    of_a_message_and_a_removal_of_its_upload_one_wins,
    of_a_message_and_the_expiry_of_its_upload_one_wins,
    an_upload_is_known_until_it_is_removed,
    registering_takes_a_mark_away,
    a_condemned_file_is_not_registered,
}

/// More than any of these cases needs.
pub(crate) const QUOTA: UploadQuota = UploadQuota { files: 100, bytes: 10_000 };

fn at(seconds: u64) -> Timestamp {
    start().plus(Duration::from_secs(seconds))
}

/// File `n` of that many bytes, uploaded `n` seconds after the start.
pub(crate) fn upload(n: u64, by: &Principal, session_id: SessionId, bytes: usize) -> UnsentUpload {
    UnsentUpload {
        attachment: attachment(n, &vec![b'x'; bytes]),
        session_id,
        uploader: by.id.clone(),
        uploaded_at: at(n),
    }
}

/// Message `n` with these uploads.
pub(crate) fn draft_with(session: SessionId, author: &Principal, n: u64, files: &[u64]) -> MessageDraft {
    let ids = files.iter().copied().map(attachment_id).collect();
    MessageDraft { attachments: DraftAttachments::Uploaded { ids, max_bytes: 1_000 }, ..draft(session, author, n) }
}

async fn register(store: &StoreUnderTest, uploads: impl IntoIterator<Item = UnsentUpload>) {
    for upload in uploads {
        store.uploads.register(upload, QUOTA).await.expect("the file is registered");
    }
}

async fn usage(store: &StoreUnderTest, of: &Principal) -> (u64, u64) {
    let UploadUsage { files, bytes } = store.uploads.usage(of.id.clone()).await.unwrap();
    (files, bytes)
}

async fn is_registered(store: &StoreUnderTest, n: u64) -> bool {
    store.uploads.find(attachment_id(n)).await.unwrap().is_some()
}

async fn send(store: &StoreUnderTest, message: MessageDraft) -> Result<Appended> {
    store.messages.append(message).await
}

/// Checks that the message is refused because of this field.
pub(crate) fn assert_blames(sent: &Result<Appended>, field: &str) {
    let Err(ChatError::Invalid(invalid)) = sent else { panic!("{field} is blamed, not {sent:?}") };
    let fields: Vec<String> = invalid.fields.iter().map(|error| error.field.to_string()).collect();
    assert_eq!(fields, [field]);
}

async fn a_registered_file_is_found_as_it_was_registered(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let uploads = [upload(1, &alice(), id, 5), upload(2, &root(), id, 7)];
    register(store, uploads.clone()).await;
    for upload in uploads {
        assert_eq!(store.uploads.find(upload.attachment.id).await.unwrap(), Some(upload));
    }
    assert_eq!(store.uploads.find(attachment_id(3)).await.unwrap(), None);
    assert_eq!(store.messages.find_attachment(attachment_id(1)).await.unwrap(), None, "no message has it");
}

async fn uploads_are_counted_for_each_person(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    assert_eq!(usage(store, &alice()).await, (0, 0));
    register(store, [upload(1, &alice(), id, 5), upload(2, &alice(), id, 7), upload(3, &root(), id, 11)]).await;
    assert_eq!(usage(store, &alice()).await, (2, 12));
    assert_eq!(usage(store, &root()).await, (1, 11));
    send(store, draft_with(id, &alice(), 1, &[1])).await.unwrap();
    assert_eq!(usage(store, &alice()).await, (1, 7));
}

async fn an_upload_beyond_the_quota_is_refused_and_changes_nothing(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let two = UploadQuota { files: 2, bytes: 10 };
    let refused = |answer: Result<()>| {
        let expected = LimitReached::UnsentUploads { quota: two };
        assert!(matches!(&answer, Err(ChatError::LimitReached(limit)) if *limit == expected), "{answer:?}");
    };
    let register = async |upload| store.uploads.register(upload, two).await;
    register(upload(1, &alice(), id, 6)).await.unwrap();
    refused(register(upload(2, &alice(), id, 5)).await);
    register(upload(3, &alice(), id, 4)).await.unwrap();
    assert!(store.uploads.remove(attachment_id(3), alice().id).await.unwrap());
    register(upload(4, &alice(), id, 1)).await.unwrap();
    refused(register(upload(5, &alice(), id, 1)).await);
    assert_eq!(usage(store, &alice()).await, (2, 7));
    assert!(!is_registered(store, 2).await && !is_registered(store, 5).await);
    register(upload(6, &root(), id, 10)).await.expect("each person has a quota of their own");
}

async fn concurrent_uploads_do_not_exceed_the_quota(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    for round in 1..=ROUNDS {
        let uploader = crate::fixtures::person(&format!("customer-{round}"), chat_domain::model::Role::User);
        let quota = UploadQuota { files: 6, bytes: 40 };
        let register = |n: u64| {
            let uploads = Arc::clone(&store.uploads);
            let upload = upload(round * 100 + n, &uploader, id, 10);
            async move { uploads.register(upload, quota).await.is_ok() }
        };
        let taken = at_once((0..12).map(register)).await.into_iter().filter(|taken| *taken).count();
        assert_eq!(taken, 4, "round {round}");
        assert_eq!(usage(store, &uploader).await, (4, 40));
    }
}

async fn only_the_uploader_removes_an_upload_and_once(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    register(store, [upload(1, &alice(), id, 5)]).await;
    for other in [mallory(), root()] {
        assert!(!store.uploads.remove(attachment_id(1), other.id).await.unwrap());
    }
    assert!(is_registered(store, 1).await);
    assert!(store.uploads.remove(attachment_id(1), alice().id).await.unwrap());
    assert!(!store.uploads.remove(attachment_id(1), alice().id).await.unwrap());
    assert!(!store.uploads.remove(attachment_id(2), alice().id).await.unwrap());
    assert!(!is_registered(store, 1).await);
}

async fn expired_uploads_are_removed_the_oldest_first(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    register(store, [5, 3, 1, 2, 4].map(|n| upload(n, &alice(), id, 1))).await;
    assert_eq!(store.uploads.remove_expired(at(5), 2).await.unwrap(), 2);
    assert!(!is_registered(store, 1).await && !is_registered(store, 2).await);
    assert_eq!(store.uploads.remove_expired(at(5), 10).await.unwrap(), 2);
    assert_eq!(store.uploads.remove_expired(at(5), 10).await.unwrap(), 0);
    assert!(is_registered(store, 5).await, "it is not old enough");
}

async fn a_message_is_sent_with_uploads_in_their_order(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    register(store, [1, 2, 3].map(|n| upload(n, &bob(), id, 5))).await;
    let sent = send(store, draft_with(id, &bob(), 1, &[3, 1])).await.unwrap().message;
    let files: Vec<_> = [3, 1].map(|n| upload(n, &bob(), id, 5).attachment).into();
    assert_eq!(sent.attachments, files);
    let found = store.messages.find_attachment(attachment_id(3)).await.unwrap().expect("the message has it");
    assert_eq!((found.attachment, found.session.id), (files[0].clone(), id));
    assert!(!is_registered(store, 1).await && !is_registered(store, 3).await);
    assert!(is_registered(store, 2).await, "the others stay");
    let published = store.notifier.changes_of(id);
    assert_eq!(super::checks::messages_in(&published), [sent], "it is published with them");
}

async fn a_message_with_uploads_is_refused_for_any_that_is_not_the_authors_in_this_session(store: &StoreUnderTest) {
    let (id, other) = (store.held_by_bob(1).await, store.waiting(2).await);
    register(store, [upload(1, &alice(), id, 5), upload(2, &bob(), id, 5), upload(3, &alice(), other, 5)]).await;
    register(store, [upload(4, &alice(), id, 5)]).await;
    send(store, draft_with(id, &alice(), 1, &[4])).await.unwrap();
    let before = store.session(id).await;
    // Of another person, of another session, sent before, never uploaded.
    for wrong in [2, 3, 4, 9] {
        assert_blames(&send(store, draft_with(id, &alice(), 2, &[1, wrong])).await, "attachmentIds[1]");
    }
    assert_eq!(store.session(id).await, before, "nothing has changed");
    send(store, draft_with(id, &alice(), 3, &[1])).await.expect("it is still there");
}

async fn uploads_have_at_most_as_many_bytes_as_their_message_may_have(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    register(store, [upload(1, &alice(), id, 600), upload(2, &alice(), id, 400), upload(3, &alice(), id, 1)]).await;
    assert_blames(&send(store, draft_with(id, &alice(), 1, &[1, 2, 3])).await, "attachmentIds");
    send(store, draft_with(id, &alice(), 2, &[1, 2])).await.unwrap();
}

async fn a_refused_message_leaves_its_uploads(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    register(store, [upload(1, &bob(), id, 5), upload(2, &alice(), id, 5)]).await;
    store.on_duty(&carol()).await;
    store.change(id, &root(), transfer(&carol())).await;
    let lost = send(store, draft_with(id, &bob(), 1, &[1])).await;
    assert!(matches!(lost, Err(ChatError::Forbidden(_))), "{lost:?}");
    store.change(id, &root(), SessionAction::Close).await;
    let late = send(store, draft_with(id, &alice(), 2, &[2])).await;
    assert!(matches!(late, Err(ChatError::Conflict(Conflict::SessionClosed))), "{late:?}");
    assert_blames(&send(store, draft_with(id, &alice(), 3, &[9])).await, "attachmentIds[0]");
    assert!(is_registered(store, 1).await && is_registered(store, 2).await);
}

async fn a_repetition_after_its_uploads_were_sent_gets_the_first_message(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    register(store, [upload(1, &alice(), id, 5), upload(2, &alice(), id, 5)]).await;
    let first = send(store, keyed(draft_with(id, &alice(), 1, &[1]), "k")).await.unwrap();
    let again = send(
        store,
        MessageDraft { id: crate::fixtures::message_id(7), ..keyed(draft_with(id, &alice(), 1, &[1]), "k") },
    );
    let again = again.await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message, first.message);
    let other = MessageDraft { content: crate::fixtures::content("other"), ..draft_with(id, &alice(), 2, &[2]) };
    let reused = send(store, keyed(other, "k")).await;
    assert!(matches!(reused, Err(ChatError::Conflict(Conflict::IdempotencyKeyReused(_)))), "{reused:?}");
    assert!(is_registered(store, 2).await);
}

async fn of_concurrent_messages_with_an_upload_one_is_sent(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    for round in 1..=ROUNDS {
        register(store, [upload(round, &alice(), id, 5)]).await;
        let send = |n: u64| {
            let (messages, message) = (Arc::clone(&store.messages), draft_with(id, &alice(), round * 10 + n, &[round]));
            async move { messages.append(message).await }
        };
        let answers = at_once((0..8).map(send)).await;
        let (sent, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(sent.len(), 1, "round {round}");
        for answer in &refused {
            assert_blames(answer, "attachmentIds[0]");
        }
    }
    assert_eq!(store.session(id).await.progress.message_count, ROUNDS);
}

/// Sends file after file and takes each of them away by `take_away` at the same time. Each file is sent or gone.
async fn assert_one_wins<F>(store: &StoreUnderTest, take_away: impl Fn(u64) -> F)
where
    F: Future<Output = bool> + Send + 'static,
{
    const FILES: u64 = 60;
    let id = store.waiting(1).await;
    for n in 1..=FILES {
        register(store, [upload(n, &alice(), id, 5)]).await;
        let (messages, message) = (Arc::clone(&store.messages), draft_with(id, &alice(), n, &[n]));
        let sending: std::pin::Pin<Box<dyn Future<Output = bool> + Send>> =
            Box::pin(async move { messages.append(message).await.is_ok() });
        let outcomes = at_once([sending, Box::pin(take_away(n))]).await;
        assert_eq!(outcomes.iter().filter(|won| **won).count(), 1, "file {n}");
        let found = store.messages.find_attachment(attachment_id(n)).await.unwrap();
        assert_eq!(found.is_some(), outcomes[0], "file {n}");
        assert!(!is_registered(store, n).await);
    }
}

async fn of_a_message_and_a_removal_of_its_upload_one_wins(store: &StoreUnderTest) {
    assert_one_wins(store, |n| {
        let uploads = Arc::clone(&store.uploads);
        async move { uploads.remove(attachment_id(n), alice().id).await.unwrap() }
    })
    .await;
}

async fn of_a_message_and_the_expiry_of_its_upload_one_wins(store: &StoreUnderTest) {
    assert_one_wins(store, |n| {
        let uploads = Arc::clone(&store.uploads);
        async move {
            // A store may pass over a file that a message holds at the moment.
            uploads.remove_expired(at(n + 1), 10).await.unwrap() == 1
        }
    })
    .await;
}

async fn an_upload_is_known_until_it_is_removed(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    register(store, [upload(2, &alice(), id, 5), upload(4, &alice(), id, 5)]).await;
    store
        .messages
        .append(MessageDraft { attachments: vec![attachment(3, b"x")].into(), ..draft(id, &alice(), 1) })
        .await
        .unwrap();
    let ids: Vec<AttachmentId> = (1..=4).map(attachment_id).collect();
    assert_eq!(store.messages.unknown_attachments(ids.clone()).await.unwrap(), [attachment_id(1)]);
    assert_eq!(store.orphans.referenced(None, 2).await.unwrap(), [2, 3].map(attachment_id));
    assert_eq!(store.orphans.referenced(Some(attachment_id(3)), 2).await.unwrap(), [attachment_id(4)]);
    let mut round = store.orphans.begin_round().await.unwrap().expect("no other round");
    let marking = round.mark(ids.clone(), at(9)).await.unwrap();
    assert_eq!(marking, Marking { marked: 1, condemned: Vec::new() });
    assert!(store.uploads.remove(attachment_id(2), alice().id).await.unwrap());
    assert_eq!(round.mark(ids, at(9)).await.unwrap().marked, 1);
}

async fn registering_takes_a_mark_away(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let mut round = store.orphans.begin_round().await.unwrap().expect("no other round");
    round.mark(vec![attachment_id(1)], at(1)).await.unwrap();
    register(store, [upload(1, &alice(), id, 5)]).await;
    assert_eq!(store.orphans.marked(vec![attachment_id(1)]).await.unwrap(), []);
    assert_eq!(round.condemn(vec![attachment_id(1)], at(2)).await.unwrap(), []);
    send(store, draft_with(id, &alice(), 1, &[1])).await.unwrap();
}

async fn a_condemned_file_is_not_registered(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let mut round = store.orphans.begin_round().await.unwrap().expect("no other round");
    round.mark(vec![attachment_id(1)], at(1)).await.unwrap();
    assert_eq!(round.condemn(vec![attachment_id(1)], at(2)).await.unwrap(), [attachment_id(1)]);
    let late = store.uploads.register(upload(1, &alice(), id, 5), QUOTA).await;
    assert!(matches!(late, Err(ChatError::Unavailable { .. })), "{late:?}");
    assert!(!is_registered(store, 1).await);
}
