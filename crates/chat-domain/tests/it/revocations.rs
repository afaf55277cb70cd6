//! Signing people out, blocking and unblocking them: what is refused from then on, on this node and on others.

use std::future::poll_fn;
use std::time::Duration;

use chat_domain::model::{
    AccessChange, AccessEnd, LiveEvent, Principal, Revocation, RevocationVersion, Seq, SessionId, Timestamp, UserId,
};
use chat_domain::ports::{Clock as _, EventLog as _, LogLimit, RevocationStore as _, StreamCloseReason, StreamItem};
use chat_domain::service::{
    ChatService, CreateSession, ReadMessages, Rules, SendMessage, SessionSubscription, SubscribeFrom,
};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{alice, at, bob, mallory, person, root};
use chat_testkit::form;

use crate::support::Outcome::{self, Done, Forbidden, Invalid, SignedOut};
use crate::support::{App, bad, from};

/// The person with a token that was issued then.
fn issued(who: &Principal, issued_at: Timestamp) -> Principal {
    Principal { token_issued_at: Some(issued_at), ..who.clone() }
}

/// The person with a token that is issued now.
fn with_new_token(app: &App, who: &Principal) -> Principal {
    issued(who, app.clock.now())
}

async fn sign_out(service: &ChatService, who: &Principal) {
    service.sign_out_person(&root(), Ok(who.id.clone())).await.unwrap();
}

async fn block(service: &ChatService, who: &Principal) {
    service.block_person(&root(), Ok(who.id.clone())).await.unwrap();
}

/// Whether a person is let in.
async fn admitted(service: &ChatService, who: &Principal) -> Outcome {
    Outcome::of(service.admit(who).await)
}

async fn watch(service: &ChatService, who: &Principal, id: SessionId) -> SessionSubscription {
    service.subscribe_session(who, id, from(SubscribeFrom::Now)).await.unwrap()
}

/// Why a subscription is closed, asked in both ways.
async fn close_reason(watch: &mut SessionSubscription) -> StreamCloseReason {
    let reason = poll_fn(|context| watch.poll_closed(context)).await;
    assert!(matches!(watch.next().await.unwrap(), StreamItem::Closed(other) if other == reason), "not {reason:?}");
    reason
}

#[tokio::test]
async fn only_admins_end_access_and_others_are_refused_before_bad_input() {
    let app = App::new();
    for (who, expected) in [(alice(), Forbidden), (bob(), Forbidden), (root(), Done)] {
        let blame = if expected == Done { Invalid } else { Forbidden };
        let (service, id) = (&app.service, || Ok(mallory().id));
        assert_eq!(Outcome::of(service.sign_out_person(&who, bad()).await), blame);
        assert_eq!(Outcome::of(service.block_person(&who, bad()).await), blame);
        assert_eq!(Outcome::of(service.unblock_person(&who, bad()).await), blame);
        assert_eq!(Outcome::of(service.sign_out_person(&who, id()).await), expected);
        assert_eq!(Outcome::of(service.block_person(&who, id()).await), expected);
        assert_eq!(Outcome::of(service.unblock_person(&who, id()).await), expected);
    }
}

#[test]
fn a_token_of_the_second_of_a_sign_out_is_refused_and_one_of_the_next_accepted() {
    let signed_out_at = at(10).plus(Duration::from_millis(400));
    let version = RevocationVersion::ZERO.next(signed_out_at);
    let revocation = Revocation::none(alice().id).changed(AccessChange::SignOut, signed_out_at, version);
    for (issued_at, is_accepted) in [
        (None, false),
        (Some(at(9)), false),
        // Whole seconds: it may have been issued before or after the sign-out.
        (Some(at(10)), false),
        (Some(signed_out_at), false),
        (Some(signed_out_at.plus(Duration::from_millis(1))), true),
        (Some(at(11)), true),
    ] {
        let outcome = revocation.check(issued_at);
        assert_eq!(outcome.is_ok(), is_accepted, "{issued_at:?}");
        assert!(is_accepted || outcome == Err(AccessEnd::SignedOut), "{issued_at:?}");
    }
}

#[tokio::test]
async fn a_sign_out_refuses_tokens_of_before_and_those_that_do_not_say_when() {
    let app = App::new();
    let (before, agent) = (with_new_token(&app, &alice()), with_new_token(&app, &bob()));
    assert_eq!(admitted(&app.service, &before).await, Done);
    sign_out(&app.service, &alice()).await;
    assert_eq!(admitted(&app.service, &before).await, SignedOut);
    assert_eq!(admitted(&app.service, &alice()).await, SignedOut, "without a moment");
    assert_eq!(admitted(&app.service, &with_new_token(&app, &alice())).await, Done);
    assert_eq!(admitted(&app.service, &mallory()).await, Done, "another person");
    assert_eq!(admitted(&app.service, &agent).await, Done);
    sign_out(&app.service, &bob()).await;
    assert_eq!(admitted(&app.service, &agent).await, SignedOut, "people of every role");
    // A session of before is open to the new token.
    let id = app.waiting(&alice(), 1).await;
    assert_eq!(Outcome::of(app.service.get_session(&with_new_token(&app, &alice()), id).await), Done);
}

#[tokio::test]
async fn a_block_refuses_every_token_until_it_is_taken_back() {
    let app = App::new();
    for _twice in 0..2 {
        block(&app.service, &alice()).await;
        assert_eq!(admitted(&app.service, &alice()).await, Forbidden);
        assert_eq!(admitted(&app.service, &with_new_token(&app, &alice())).await, Forbidden);
    }
    sign_out(&app.service, &alice()).await;
    assert_eq!(admitted(&app.service, &alice()).await, SignedOut, "401 before 403");
    app.service.unblock_person(&root(), Ok(alice().id)).await.unwrap();
    assert_eq!(admitted(&app.service, &with_new_token(&app, &alice())).await, Done);
    assert_eq!(admitted(&app.service, &alice()).await, SignedOut, "the sign-out stays");
}

#[tokio::test]
async fn an_admin_signs_themself_out_and_does_not_block_themself() {
    let app = App::new();
    let admin = with_new_token(&app, &root());
    let refused = app.service.block_person(&admin, Ok(root().id)).await;
    assert!(matches!(&refused, Err(ChatError::Invalid(_))), "{refused:?}");
    assert_eq!(admitted(&app.service, &admin).await, Done);
    app.service.sign_out_person(&admin, Ok(root().id)).await.unwrap();
    assert_eq!(admitted(&app.service, &admin).await, SignedOut);
    let again = app.service.unblock_person(&admin, Ok(alice().id)).await;
    assert_eq!(Outcome::of(again), SignedOut, "the write asks again");
    assert_eq!(admitted(&app.service, &with_new_token(&app, &root())).await, Done);
}

#[tokio::test]
async fn another_node_refuses_from_its_next_refresh_on() {
    let app = App::new();
    let other = app.service_with(|_| {});
    block(&app.service, &alice()).await;
    sign_out(&app.service, &bob()).await;
    assert_eq!(admitted(&other, &alice()).await, Done, "it has not looked yet");
    assert_eq!(other.refresh_revocations().await.unwrap(), 0, "there are no sockets");
    assert_eq!(other.revocation_count(), 2);
    assert_eq!(admitted(&other, &alice()).await, Forbidden);
    assert_eq!(admitted(&other, &bob()).await, SignedOut);
    app.service.unblock_person(&root(), Ok(alice().id)).await.unwrap();
    other.refresh_revocations().await.unwrap();
    assert_eq!(admitted(&other, &alice()).await, Done);
    assert_eq!(other.revocation_count(), 1, "what refuses nothing is forgotten");
}

#[tokio::test]
async fn a_node_that_starts_reads_more_people_than_fit_in_a_page() {
    let app = App::new();
    for n in 0..2_500 {
        let person = person(&format!("person {n}"), chat_domain::model::Role::User).id;
        app.store.change(person, AccessChange::Block, at(1)).await.unwrap();
    }
    let other = app.service_with(|_| {});
    other.refresh_revocations().await.unwrap();
    assert_eq!(other.revocation_count(), 2_500);
    let last = person("person 2499", chat_domain::model::Role::User);
    assert_eq!(admitted(&other, &last).await, Forbidden);
}

#[tokio::test]
async fn a_sign_out_is_forgotten_when_no_token_of_before_can_still_live() {
    let app = App::with_rules(Rules { max_token_lifetime: Duration::from_hours(1), ..Rules::default() });
    let signed_out_at = |who: &UserId, at: Timestamp| app.store.change(who.clone(), AccessChange::SignOut, at);
    signed_out_at(&alice().id, at(1)).await.unwrap();
    app.store.change(bob().id, AccessChange::Block, at(1)).await.unwrap();
    app.service.refresh_revocations().await.unwrap();
    assert_eq!(app.service.revocation_count(), 2);
    app.clock.advance(Duration::from_hours(1));
    signed_out_at(&mallory().id, app.clock.now()).await.unwrap();
    app.service.refresh_revocations().await.unwrap();
    assert_eq!(app.service.revocation_count(), 2, "the block and the new sign-out");
    assert_eq!(admitted(&app.service, &bob()).await, Forbidden);
    assert_eq!(admitted(&app.service, &alice()).await, Done);
}

#[tokio::test]
async fn a_token_without_a_moment_is_refused_for_as_long_as_any_token_of_before_may_live() {
    let lifetime = Duration::from_hours(48);
    let app = App::with_rules(Rules { max_token_lifetime: lifetime, ..Rules::default() });
    sign_out(&app.service, &alice()).await;
    app.service.refresh_revocations().await.unwrap();
    app.clock.advance(lifetime.saturating_sub(Duration::from_mins(1)));
    let restarted = app.service_with(|_| {});
    for service in [&app.service, &restarted] {
        assert_eq!(service.sweep_revocations().await.unwrap(), 0, "the row stays");
        service.refresh_revocations().await.unwrap();
        assert_eq!(admitted(service, &alice()).await, SignedOut);
    }
    app.clock.advance(Duration::from_mins(2));
    // Another row, since the newest one always stays.
    app.store.change(mallory().id, AccessChange::Block, app.clock.now()).await.unwrap();
    assert_eq!(app.service.sweep_revocations().await.unwrap(), 1);
    assert_eq!(admitted(&app.service, &alice()).await, Done);
    assert_eq!(app.service.revocation_count(), 0, "and no memory is kept for it");
}

#[tokio::test]
async fn a_block_stays_and_an_unblock_for_a_day_whatever_the_lifetime_of_tokens() {
    let app = App::with_rules(Rules { max_token_lifetime: Duration::from_mins(5), ..Rules::default() });
    block(&app.service, &alice()).await;
    block(&app.service, &bob()).await;
    app.service.unblock_person(&root(), Ok(bob().id)).await.unwrap();
    sign_out(&app.service, &mallory()).await;
    app.clock.advance(Duration::from_hours(23));
    assert_eq!(
        app.service.sweep_revocations().await.unwrap(),
        0,
        "a node that was unreachable may not know of the unblock"
    );
    app.clock.advance(Duration::from_hours(24 * 400));
    sign_out(&app.service, &root()).await;
    assert_eq!(app.service.sweep_revocations().await.unwrap(), 2);
    let node = app.service_with(|_| {});
    node.refresh_revocations().await.unwrap();
    assert_eq!(admitted(&node, &alice()).await, Forbidden);
}

#[tokio::test]
async fn a_refresh_that_was_overtaken_brings_nothing_back() {
    let app = App::new();
    let other = app.service_with(|_| {});
    block(&app.service, &alice()).await;
    // Read by the first node only once it has made a later change itself.
    other.unblock_person(&root(), Ok(alice().id)).await.unwrap();
    assert_eq!(admitted(&other, &alice()).await, Done);
    other.refresh_revocations().await.unwrap();
    assert_eq!(admitted(&other, &alice()).await, Done);
    app.service.refresh_revocations().await.unwrap();
    assert_eq!(admitted(&app.service, &alice()).await, Done);
}

#[tokio::test]
async fn sockets_on_this_node_close_at_once_and_those_of_later_tokens_stay() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let service = &app.service;
    let first = with_new_token(&app, &alice());
    let mut unknown = watch(service, &alice(), id).await;
    let mut early = watch(service, &first, id).await;
    let mut bobs = watch(service, &with_new_token(&app, &bob()), id).await;
    sign_out(service, &alice()).await;
    assert_eq!(close_reason(&mut unknown).await, StreamCloseReason::SignedOut);
    assert_eq!(close_reason(&mut early).await, StreamCloseReason::SignedOut);
    let mut late = watch(service, &with_new_token(&app, &alice()), id).await;
    // Its stream has nothing and ends with the node; a signal would come first.
    assert_eq!(close_reason(&mut late).await, StreamCloseReason::NodeStopping);
    block(service, &bob()).await;
    assert_eq!(close_reason(&mut bobs).await, StreamCloseReason::Blocked);
    block(service, &alice()).await;
    assert_eq!(close_reason(&mut late).await, StreamCloseReason::Blocked);
    assert_eq!(close_reason(&mut early).await, StreamCloseReason::SignedOut, "the first reason stays");
}

#[tokio::test]
async fn sockets_on_another_node_close_at_its_next_refresh() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let other = app.service_with(|_| {});
    let mut alices = [watch(&other, &alice(), id).await, watch(&other, &alice(), id).await];
    let mut bobs = watch(&other, &bob(), id).await;
    sign_out(&app.service, &alice()).await;
    block(&app.service, &bob()).await;
    assert_eq!(other.refresh_revocations().await.unwrap(), 3);
    for socket in &mut alices {
        assert_eq!(close_reason(socket).await, StreamCloseReason::SignedOut);
    }
    assert_eq!(close_reason(&mut bobs).await, StreamCloseReason::Blocked);
    assert_eq!(other.refresh_revocations().await.unwrap(), 0, "each closes once");
}

#[tokio::test]
async fn a_socket_goes_by_the_newest_token_that_it_was_given() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let other = app.service_with(|_| {});
    let first = with_new_token(&app, &alice());
    let mut renewed = watch(&other, &first, id).await;
    let mut stale = watch(&other, &first, id).await;
    sign_out(&app.service, &alice()).await;
    // Before this node knows of the sign-out, one socket gets a token from after it.
    renewed.set_viewer(with_new_token(&app, &alice())).unwrap();
    assert_eq!(other.refresh_revocations().await.unwrap(), 1);
    assert_eq!(close_reason(&mut stale).await, StreamCloseReason::SignedOut);
    assert_eq!(close_reason(&mut renewed).await, StreamCloseReason::NodeStopping);
    // A token of before does not go on, although the socket had a better one.
    renewed.set_viewer(first).unwrap();
    assert_eq!(close_reason(&mut renewed).await, StreamCloseReason::SignedOut);
}

#[tokio::test]
async fn a_socket_that_is_opened_during_a_sign_out_closes() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let before = with_new_token(&app, &alice());
    sign_out(&app.service, &alice()).await;
    // Its token was checked just before.
    let mut socket = watch(&app.service, &before, id).await;
    assert_eq!(close_reason(&mut socket).await, StreamCloseReason::SignedOut);
    assert!(!socket.recheck_access().await.unwrap());
}

/// What is done with a session in these tests.
async fn write_all(app: &App, who: &Principal, id: SessionId) -> Vec<Result<()>> {
    let service = &app.service;
    vec![
        service.send_message(who, id, SendMessage::text("after"), None).await.map(drop),
        service.mark_read_up_to(who, id, Seq::new(99)).await,
        service.mark_delivered(who, id, Seq::new(99)).await,
        service.create_session(who, None, Ok(CreateSession::default()), None).await.map(drop),
        service.close_session(who, id, Ok(())).await.map(drop),
    ]
}

#[tokio::test]
async fn writes_that_began_before_a_block_are_not_recorded_after_it() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let message = app.service.send_message(&bob(), id, SendMessage::text("hello"), None).await.unwrap().message;
    let before = app.store.head(id).await.unwrap();
    let service = app.service.clone();
    let steps = [form::content("with files"), form::meanwhile(async move { block(&service, &alice()).await })];
    let form = SendMessage::Form(form::form(steps));
    assert_eq!(Outcome::of(app.service.send_message(&alice(), id, form, None).await), Forbidden);
    let upload = app.service.upload_attachment(&alice(), id, Ok(form::upload_of("hello"))).await;
    assert_eq!(Outcome::of(upload), Forbidden);
    assert_eq!(app.attachments.ids(), []);
    for outcome in write_all(&app, &alice(), id).await {
        assert_eq!(Outcome::of(outcome), Forbidden);
    }
    assert_eq!(
        Outcome::of(app.service.mark_read(&alice(), id, Ok(ReadMessages::Named(vec![message.id]))).await),
        Forbidden
    );
    sign_out(&app.service, &bob()).await;
    let by_agent = app.service.transfer_session(&bob(), id, Ok(None)).await;
    assert_eq!(Outcome::of(by_agent), SignedOut);
    assert_eq!(app.store.head(id).await.unwrap(), before, "nothing was recorded");
    let log = app.store.read(id, Seq::ZERO, LogLimit::events(100)).await.unwrap().events;
    let published = app.notifier.events();
    let durable = published.iter().filter(|event| matches!(event, LiveEvent::Durable(_))).count();
    assert_eq!(durable, log.len(), "and nothing was published");
}
