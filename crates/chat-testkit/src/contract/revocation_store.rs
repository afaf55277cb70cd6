//! What every `RevocationStore` does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_domain::model::{AccessChange, Revocation, RevocationVersion, Role, Timestamp, UserId};

use super::checks::at_once;
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{alice, at, bob, mallory, person, root};

use AccessChange::{Block, SignOut, Unblock};

contract_cases! { $ revocation_store_contract for revocation_store on crate::contract::StoreUnderTest:
    a_person_without_a_change_has_no_revocation,
    a_sign_out_and_a_block_do_not_depend_on_each_other,
    the_moment_of_a_sign_out_never_goes_back,
    a_person_who_is_unblocked_is_read_once_more,
    changes_are_read_page_by_page_in_the_order_of_their_versions,
    a_version_is_at_least_the_time_of_its_change,
    any_subject_of_a_token_can_be_revoked,
    a_reader_who_goes_on_misses_no_change,
    concurrent_changes_of_one_person_are_all_kept,
    revocations_that_refuse_nothing_any_more_are_removed_and_a_block_stays,
    no_version_of_a_removed_revocation_is_used_again,
    a_person_who_is_signed_out_again_during_a_removal_stays_signed_out,
}

/// All revocations, read in pages of two.
async fn all(store: &StoreUnderTest) -> Vec<Revocation> {
    let (mut all, mut version) = (Vec::new(), RevocationVersion::ZERO);
    loop {
        let page = store.revocations.changed_since(version, 2).await.expect("the store responds");
        let Some(last) = page.last() else { return all };
        version = last.version;
        all.extend(page);
    }
}

async fn change(store: &StoreUnderTest, person: &UserId, change: AccessChange, at: Timestamp) -> Revocation {
    store.revocations.change(person.clone(), change, at).await.expect("the change is made")
}

async fn a_person_without_a_change_has_no_revocation(store: &StoreUnderTest) {
    assert_eq!(all(store).await, []);
    change(store, &alice().id, Block, at(1)).await;
    assert_eq!(all(store).await.len(), 1);
}

async fn a_sign_out_and_a_block_do_not_depend_on_each_other(store: &StoreUnderTest) {
    let alice = alice().id;
    // The change, and what holds after it.
    let steps = [
        (Unblock, 1, None, false),
        (Block, 2, None, true),
        (SignOut, 3, Some(at(3)), true),
        (Block, 4, Some(at(3)), true),
        (Unblock, 5, Some(at(3)), false),
        (SignOut, 6, Some(at(6)), false),
    ];
    let mut before = RevocationVersion::ZERO;
    for (step, second, signed_out_at, is_blocked) in steps {
        let changed = change(store, &alice, step, at(second)).await;
        assert!(changed.version > before, "{step:?} has a larger version than what was before");
        before = changed.version;
        let expected = Revocation { person: alice.clone(), signed_out_at, is_blocked, version: changed.version };
        assert_eq!(changed, expected, "after {step:?}");
        assert_eq!(all(store).await, [expected]);
    }
}

async fn the_moment_of_a_sign_out_never_goes_back(store: &StoreUnderTest) {
    change(store, &alice().id, SignOut, at(60)).await;
    let changed = change(store, &alice().id, SignOut, at(10)).await;
    assert_eq!(changed.signed_out_at, Some(at(60)), "by a node whose clock is behind");
    assert_eq!(all(store).await, [changed]);
}

async fn a_person_who_is_unblocked_is_read_once_more(store: &StoreUnderTest) {
    let blocked = change(store, &alice().id, Block, at(1)).await;
    let unblocked = change(store, &alice().id, Unblock, at(2)).await;
    let version = unblocked.version;
    assert_eq!(store.revocations.changed_since(blocked.version, 10).await.unwrap(), [unblocked]);
    assert_eq!(store.revocations.changed_since(version, 10).await.unwrap(), []);
}

async fn changes_are_read_page_by_page_in_the_order_of_their_versions(store: &StoreUnderTest) {
    let people = [alice().id, mallory().id, bob().id, root().id, person("\u{1f980} x", Role::User).id];
    for (n, person) in (1..).zip(&people) {
        change(store, person, SignOut, at(n)).await;
    }
    // The first one comes last, since it has changed again.
    change(store, &people[0], Block, at(9)).await;
    let read: Vec<UserId> = all(store).await.into_iter().map(|revocation| revocation.person).collect();
    assert_eq!(read, [&people[1..], &people[..1]].concat());
    let page = store.revocations.changed_since(RevocationVersion::ZERO, 3).await.unwrap();
    assert_eq!(page.len(), 3);
}

async fn a_version_is_at_least_the_time_of_its_change(store: &StoreUnderTest) {
    let least = |moment: Timestamp| RevocationVersion::ZERO.next(moment);
    let first = change(store, &alice().id, Block, at(10)).await.version;
    assert!(first >= least(at(10)), "{first:?}");
    let behind = change(store, &mallory().id, Block, at(5)).await.version;
    assert!(behind > first, "by a node whose clock is behind");
    assert!(change(store, &bob().id, Block, at(7_000)).await.version >= least(at(7_000)));
}

async fn any_subject_of_a_token_can_be_revoked(store: &StoreUnderTest) {
    let subjects = ["auth0|5f7c8ec7c33c6c004bbafe82", "https://login.example.com/a?b=c#d", "\"'%_;--\u{202e} é", "x y"];
    for (n, subject) in (1..).zip(subjects) {
        let subject = UserId::parse(subject).expect("a valid subject");
        assert_eq!(change(store, &subject, SignOut, at(n)).await.person, subject);
    }
    let read: Vec<String> = all(store).await.into_iter().map(|it| it.person.as_str().to_owned()).collect();
    assert_eq!(read, subjects);
}

async fn a_reader_who_goes_on_misses_no_change(store: &StoreUnderTest) {
    assert_reading_on_misses_nothing(std::slice::from_ref(store)).await;
}

async fn concurrent_changes_of_one_person_are_all_kept(store: &StoreUnderTest) {
    assert_concurrent_changes_are_kept(std::slice::from_ref(store)).await;
}

async fn revocations_that_refuse_nothing_any_more_are_removed_and_a_block_stays(store: &StoreUnderTest) {
    let removed = async |last, limit| store.revocations.remove_ended(last, limit).await.expect("the store responds");
    assert_eq!(removed(RevocationVersion::new(u64::MAX >> 1), 10).await, 0, "there is none");
    let names =
        ["signed out", "unblocked", "signed out and blocked", "blocked", "signed out again", "signed out later"];
    let [signed_out, unblocked, both, blocked, again, later] = names.map(|name| person(name, Role::User).id);
    for (n, (person, step)) in (1..).zip([
        (&signed_out, SignOut),
        (&again, SignOut),
        (&unblocked, Block),
        (&unblocked, Unblock),
        (&both, SignOut),
        (&both, Block),
        (&blocked, Block),
    ]) {
        change(store, person, step, at(n)).await;
    }
    let last = change(store, &person("last", Role::User).id, SignOut, at(8)).await.version;
    change(store, &again, SignOut, at(9)).await;
    change(store, &later, SignOut, at(10)).await;
    assert_eq!(removed(last, 2).await, 2, "no more than asked for");
    assert_eq!(removed(last, 2).await, 1);
    assert_eq!(removed(last, 2).await, 0);
    let left: Vec<UserId> = all(store).await.into_iter().map(|it| it.person).collect();
    assert_eq!(left, [both, blocked, again, later]);
}

async fn no_version_of_a_removed_revocation_is_used_again(store: &StoreUnderTest) {
    let newest = change(store, &alice().id, SignOut, at(60)).await.version;
    for _twice in 0..2 {
        store.revocations.remove_ended(newest, 10).await.expect("the store responds");
    }
    // By a node whose clock is behind.
    let next = change(store, &bob().id, SignOut, at(1)).await.version;
    assert!(next > newest, "{next:?} follows {newest:?}");
    let page = store.revocations.changed_since(newest, 10).await.expect("the store responds");
    assert_eq!(page.len(), 1, "a node that has read {newest:?} sees it");
}

async fn a_person_who_is_signed_out_again_during_a_removal_stays_signed_out(store: &StoreUnderTest) {
    let people: Vec<UserId> = (0..40).map(|n| person(&format!("person {n}"), Role::User).id).collect();
    let mut last = RevocationVersion::ZERO;
    for person in &people {
        last = change(store, person, SignOut, at(1)).await.version;
    }
    let sweeping = tokio::spawn({
        let revocations = Arc::clone(&store.revocations);
        async move { while revocations.remove_ended(last, 3).await.expect("the store responds") > 0 {} }
    });
    let changed = at_once(people.iter().cloned().map(|person| {
        let revocations = Arc::clone(&store.revocations);
        async move { revocations.change(person, SignOut, at(100)).await.expect("the change is made") }
    }))
    .await;
    sweeping.await.expect("the removal ends");
    store.revocations.remove_ended(last, 100).await.expect("the store responds");
    let left: HashMap<UserId, Revocation> = all(store).await.into_iter().map(|it| (it.person.clone(), it)).collect();
    for revocation in changed {
        assert_eq!(left.get(&revocation.person), Some(&revocation));
    }
}

/// Checks that a reader who goes on from the newest version that it has seen ends with every change, while people are
/// blocked at the same time on all nodes.
pub(super) async fn assert_reading_on_misses_nothing(nodes: &[StoreUnderTest]) {
    const PEOPLE: usize = 200;
    let is_done = Arc::new(AtomicBool::new(false));
    let reader = nodes.first().expect("there is a node").revocations.clone();
    let reading = tokio::spawn({
        let is_done = Arc::clone(&is_done);
        async move {
            let (mut read, mut version) = (HashMap::new(), RevocationVersion::ZERO);
            loop {
                // Asked before reading, so that the last reading comes after the last change.
                let is_last = is_done.load(Ordering::SeqCst);
                let page = reader.changed_since(version, 7).await.expect("the store responds");
                version = page.last().map_or(version, |last| last.version);
                let is_end = page.is_empty();
                read.extend(page.into_iter().map(|revocation| (revocation.person.clone(), revocation)));
                if is_last && is_end {
                    return read;
                }
            }
        }
    });
    let block = |n: usize| {
        let revocations = nodes[n % nodes.len()].revocations.clone();
        let person = person(&format!("person {n}"), Role::User).id;
        // The clocks of the nodes differ.
        let now = at(100).minus(Duration::from_millis(n as u64 * 37 % 5_000));
        async move { revocations.change(person, Block, now).await.expect("the change is made") }
    };
    let changed = at_once((0..PEOPLE).map(block)).await;
    is_done.store(true, Ordering::SeqCst);
    let read = reading.await.expect("the reader ends");
    let mut versions: Vec<RevocationVersion> = changed.iter().map(|revocation| revocation.version).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), PEOPLE, "each change has a version of its own");
    for revocation in changed {
        assert_eq!(read.get(&revocation.person), Some(&revocation), "the reader has missed a change");
    }
}

/// Checks that sign-outs and blocks of one person that are made at the same time on all nodes are all kept.
pub(super) async fn assert_concurrent_changes_are_kept(nodes: &[StoreUnderTest]) {
    let alice = alice().id;
    let end = |n: usize| {
        let (revocations, person) = (nodes[n % nodes.len()].revocations.clone(), alice.clone());
        let change = if n.is_multiple_of(3) { Block } else { SignOut };
        async move { revocations.change(person, change, at(n as u64)).await.expect("the change is made") }
    };
    let changed = at_once((0..30).map(end)).await;
    let newest = changed.into_iter().max_by_key(|revocation| revocation.version).expect("there are changes");
    let expected = Revocation { person: alice, signed_out_at: Some(at(29)), is_blocked: true, version: newest.version };
    assert_eq!(newest, expected, "the last change has kept all before it");
    for node in nodes {
        assert_eq!(all(node).await, std::slice::from_ref(&expected));
    }
}
