//! What every `OrphanRegistry` does, and what a `MessageRepository` does about it.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::{AttachmentId, Generation, Generations, MessageDraft, OrphanMark, SessionId, Timestamp};
use chat_domain::ports::{Marking, OrphanRound};
use chat_domain::write::Appended;
use uuid::Uuid;

use super::checks::at_once;
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{alice, attachment, attachment_id, draft, start};

contract_cases! { $ orphan_registry_contract for orphan_registry on crate::contract::StoreUnderTest:
    of_concurrent_rounds_of_collecting_one_runs,
    a_database_keeps_its_name,
    a_generation_is_announced_and_confirmed,
    files_without_a_message_are_marked_once,
    files_with_a_message_are_not_marked,
    due_files_come_in_order_and_in_batches,
    a_message_takes_the_marks_of_its_files_away,
    a_message_that_is_refused_leaves_the_marks,
    condemned_files_are_those_without_a_message,
    a_message_that_refers_to_a_condemned_file_is_refused,
    a_condemned_file_stays_condemned_until_it_is_forgotten,
    unmarking_keeps_condemned_files,
    referenced_files_come_in_order_and_in_batches,
    of_a_message_and_a_condemnation_one_wins,
}

fn at(seconds: u64) -> Timestamp {
    start().plus(Duration::from_secs(seconds))
}

fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<AttachmentId> {
    numbers.into_iter().map(attachment_id).collect()
}

async fn round(store: &StoreUnderTest) -> Box<dyn OrphanRound> {
    store.orphans.begin_round().await.unwrap().expect("no other round")
}

/// Sends message `n` with these files.
async fn send(store: &StoreUnderTest, session: SessionId, n: u64, files: &[u64]) -> chat_domain::Result<Appended> {
    let attachments: Vec<_> = files.iter().map(|file| attachment(*file, b"x")).collect();
    store.messages.append(MessageDraft { attachments: attachments.into(), ..draft(session, &alice(), n) }).await
}

async fn marked(store: &StoreUnderTest, numbers: impl IntoIterator<Item = u64>) -> Vec<AttachmentId> {
    let marks = store.orphans.marked(ids(numbers)).await.unwrap();
    let mut found: Vec<AttachmentId> = marks.into_iter().map(|mark| mark.id).collect();
    found.sort_unstable();
    found
}

fn assert_refused(sent: &chat_domain::Result<Appended>) {
    assert!(matches!(sent, Err(ChatError::Unavailable { .. })), "{sent:?}");
}

async fn of_concurrent_rounds_of_collecting_one_runs(store: &StoreUnderTest) {
    let mut first = round(store).await;
    first.generations().await.unwrap();
    assert!(store.orphans.begin_round().await.unwrap().is_none(), "another one goes on");
    drop(first);
    // A round on a server ends when the server has noticed it.
    while store.orphans.begin_round().await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

async fn a_database_keeps_its_name(store: &StoreUnderTest) {
    let mut round = round(store).await;
    let name = round.database().await.unwrap();
    send(store, store.waiting(1).await, 1, &[1]).await.unwrap();
    assert_eq!(round.database().await.unwrap(), name);
}

async fn a_generation_is_announced_and_confirmed(store: &StoreUnderTest) {
    let mut round = round(store).await;
    let [first, second, third] = [1, 2, 3].map(|n| Generation::new(Uuid::from_u128(n)));
    assert_eq!(round.generations().await.unwrap(), Generations::default());
    round.announce(first).await.unwrap();
    assert_eq!(round.generations().await.unwrap(), Generations { current: None, next: Some(first) });
    round.announce(second).await.unwrap();
    assert_eq!(round.generations().await.unwrap(), Generations { current: None, next: Some(second) });
    round.confirm(second).await.unwrap();
    assert_eq!(round.generations().await.unwrap(), Generations { current: Some(second), next: None });
    round.announce(third).await.unwrap();
    assert_eq!(round.generations().await.unwrap(), Generations { current: Some(second), next: Some(third) });
}

async fn files_without_a_message_are_marked_once(store: &StoreUnderTest) {
    let mut round = round(store).await;
    let first = round.mark(ids([1, 2]), at(1)).await.unwrap();
    assert_eq!(first, Marking { marked: 2, condemned: Vec::new() });
    let second = round.mark(ids([1, 2, 3]), at(9)).await.unwrap();
    assert_eq!(second, Marking { marked: 1, condemned: Vec::new() });
    let mut marks = store.orphans.marked(ids(1..=4)).await.unwrap();
    marks.sort_unstable();
    let expected = [(1, 1), (1, 2), (9, 3)].map(|(s, n)| OrphanMark { marked_at: at(s), id: attachment_id(n) });
    assert_eq!(marks, expected, "a mark keeps its time");
    assert_eq!(round.mark(Vec::new(), at(9)).await.unwrap(), Marking::default());
    assert_eq!(round.mark(ids(1_000..1_500), at(9)).await.unwrap().marked, 500);
}

async fn files_with_a_message_are_not_marked(store: &StoreUnderTest) {
    send(store, store.waiting(1).await, 1, &[1]).await.unwrap();
    let mut round = round(store).await;
    assert_eq!(round.mark(ids([1, 2]), at(1)).await.unwrap().marked, 1);
    assert_eq!(marked(store, [1, 2]).await, ids([2]));
}

async fn due_files_come_in_order_and_in_batches(store: &StoreUnderTest) {
    let mut round = round(store).await;
    for (second, numbers) in [(3, [1, 2]), (1, [3, 4]), (2, [5, 6])] {
        round.mark(ids(numbers), at(second)).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let batch = round.due(at(3), after, 3).await.unwrap();
        let Some(last) = batch.last() else { break };
        after = Some(*last);
        assert!(batch.len() <= 3);
        found.extend(batch.into_iter().map(|mark| mark.id));
    }
    assert_eq!(found, ids([3, 4, 5, 6]), "the oldest first, and none that is too young");
}

async fn a_message_takes_the_marks_of_its_files_away(store: &StoreUnderTest) {
    let session = store.waiting(1).await;
    let mut round = round(store).await;
    round.mark(ids([1, 2, 3]), at(1)).await.unwrap();
    send(store, session, 1, &[1, 3]).await.unwrap();
    assert_eq!(marked(store, 1..=3).await, ids([2]));
    let due: Vec<_> = round.due(at(9), None, 10).await.unwrap().into_iter().map(|mark| mark.id).collect();
    assert_eq!(due, ids([2]));
}

async fn a_message_that_is_refused_leaves_the_marks(store: &StoreUnderTest) {
    let session = store.waiting(1).await;
    let mut round = round(store).await;
    round.mark(ids([1]), at(1)).await.unwrap();
    let stranger = MessageDraft {
        attachments: vec![attachment(1, b"x")].into(),
        ..draft(session, &crate::fixtures::mallory(), 1)
    };
    store.messages.append(stranger).await.unwrap_err();
    assert_eq!(marked(store, [1]).await, ids([1]));
}

async fn condemned_files_are_those_without_a_message(store: &StoreUnderTest) {
    let session = store.waiting(1).await;
    let mut round = round(store).await;
    round.mark(ids([1, 2]), at(1)).await.unwrap();
    send(store, session, 1, &[1]).await.unwrap();
    let mut condemned = round.condemn(ids([1, 2, 3]), at(2)).await.unwrap();
    condemned.sort_unstable();
    assert_eq!(condemned, ids([2]), "not the one with a message, nor the one without a mark");
    assert_eq!(marked(store, 1..=3).await, []);
    assert_eq!(round.condemn(ids([1, 2]), at(3)).await.unwrap(), [], "it was condemned before");
    assert_eq!(round.condemn(Vec::new(), at(3)).await.unwrap(), []);
}

async fn a_message_that_refers_to_a_condemned_file_is_refused(store: &StoreUnderTest) {
    let session = store.waiting(1).await;
    let mut round = round(store).await;
    round.mark(ids([1, 2]), at(1)).await.unwrap();
    assert_eq!(round.condemn(ids([1]), at(2)).await.unwrap(), ids([1]));
    let before = store.session(session).await;
    assert_refused(&send(store, session, 1, &[3, 1]).await);
    assert_refused(&send(store, session, 2, &[1, 2]).await);
    assert_eq!(store.session(session).await, before, "nothing has changed");
    assert_eq!(marked(store, 1..=3).await, ids([2]));
    send(store, session, 3, &[2, 3]).await.unwrap();
}

async fn a_condemned_file_stays_condemned_until_it_is_forgotten(store: &StoreUnderTest) {
    let session = store.waiting(1).await;
    let mut round = round(store).await;
    round.mark(ids([1, 2, 3]), at(1)).await.unwrap();
    for (seconds, n) in [(2, 1), (4, 2)] {
        assert_eq!(round.condemn(ids([n]), at(seconds)).await.unwrap(), ids([n]));
    }
    let again = round.mark(ids([1, 3, 4]), at(5)).await.unwrap();
    assert_eq!(again, Marking { marked: 1, condemned: ids([1]) });
    assert_eq!(round.condemned(at(4), 10).await.unwrap(), ids([1]), "the other one is too young");
    assert_eq!(round.condemned(at(9), 1).await.unwrap().len(), 1);
    round.forget(ids([1, 3])).await.unwrap();
    assert_eq!(round.condemned(at(9), 10).await.unwrap(), ids([2]));
    assert_eq!(marked(store, 1..=4).await, ids([3, 4]), "what is not condemned is not forgotten");
    assert_refused(&send(store, session, 1, &[2]).await);
    send(store, session, 2, &[1]).await.unwrap();
}

async fn unmarking_keeps_condemned_files(store: &StoreUnderTest) {
    let mut round = round(store).await;
    round.mark(ids([1, 2]), at(1)).await.unwrap();
    round.condemn(ids([1]), at(2)).await.unwrap();
    round.unmark_all().await.unwrap();
    assert_eq!(round.due(at(9), None, 10).await.unwrap(), []);
    assert_eq!(round.condemned(at(9), 10).await.unwrap(), ids([1]));
}

async fn referenced_files_come_in_order_and_in_batches(store: &StoreUnderTest) {
    let session = store.waiting(1).await;
    for (n, files) in [(1, vec![5, 1]), (2, vec![4]), (3, vec![2, 3])] {
        send(store, session, n, &files).await.unwrap();
    }
    assert_eq!(store.orphans.referenced(None, 2).await.unwrap(), ids([1, 2]));
    assert_eq!(store.orphans.referenced(Some(attachment_id(2)), 2).await.unwrap(), ids([3, 4]));
    assert_eq!(store.orphans.referenced(Some(attachment_id(4)), 2).await.unwrap(), ids([5]));
    assert_eq!(store.orphans.referenced(Some(attachment_id(5)), 2).await.unwrap(), []);
}

/// The transaction that commits first is seen by the other: a message that is there has its file, and a file that is
/// removed has no message.
async fn of_a_message_and_a_condemnation_one_wins(store: &StoreUnderTest) {
    const FILES: u64 = 60;
    let session = store.waiting(1).await;
    let mut round = round(store).await;
    round.mark(ids(1..=FILES), at(1)).await.unwrap();
    let messages = Arc::clone(&store.messages);
    let sending = tokio::spawn(async move {
        let send = |n: u64| {
            let attachments = vec![attachment(n, b"x")].into();
            let (messages, draft) = (Arc::clone(&messages), draft(session, &alice(), n));
            async move { messages.append(MessageDraft { attachments, ..draft }).await.is_ok() }
        };
        at_once((1..=FILES).map(send)).await
    });
    let mut condemned = Vec::new();
    for n in (1..=FILES).rev() {
        condemned.extend(round.condemn(ids([n]), at(2)).await.unwrap());
    }
    let sent = sending.await.unwrap();
    for (n, sent) in (1..).zip(sent) {
        let id = attachment_id(n);
        assert_ne!(sent, condemned.contains(&id), "file {n}");
        assert_eq!(store.messages.find_attachment(id).await.unwrap().is_some(), sent, "file {n}");
    }
}
