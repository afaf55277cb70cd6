//! A socket without a session of its own, and its subscriptions.

use std::task::{Context, Poll, Waker};

use chat_domain::error::LimitReached;
use chat_domain::model::{Role, Seq, SocketLimits};
use chat_domain::ports::{ReplayFallback, StreamCloseReason};
use chat_domain::service::{AccessState, PersonalSocket, Rules, SessionSubscription, SubscribeFrom, SubscribeOptions};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{agent_id, alice, bob, mallory, root, session_id};

use crate::support::{App, Outcome};

fn from_now() -> SubscribeOptions {
    SubscribeOptions { from: Ok(SubscribeFrom::Now), fallback: ReplayFallback::StartNow }
}

async fn subscribe(socket: &PersonalSocket, n: u64) -> Result<SessionSubscription> {
    socket.subscribe(session_id(n), from_now()).await
}

/// Why the socket must close, if it must.
fn closed(socket: &PersonalSocket) -> Option<StreamCloseReason> {
    match socket.poll_closed(&Context::from_waker(Waker::noop())) {
        Poll::Ready(reason) => Some(reason),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_socket_and_its_subscriptions_have_places_of_their_own() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let socket = app.service.open_socket(&bob()).await.unwrap();
    let subscription = socket.subscribe(id, from_now()).await.unwrap();
    let request = app.feed.requests().pop().expect("a request was recorded");
    assert_eq!((request.part_of, request.socket), (Some(socket.socket_id()), subscription.socket_id()));
    let places: Vec<_> =
        app.door.sockets().into_iter().map(|place| (place.id, place.session_id, place.is_subscription)).collect();
    assert_eq!(places, [(socket.socket_id(), None, false), (subscription.socket_id(), Some(id), true)]);
    drop(socket);
    assert_eq!(app.door.sockets().len(), 1);
    drop(subscription);
    assert_eq!(app.door.sockets(), []);
}

#[tokio::test]
async fn a_subscription_is_refused_as_a_socket_of_the_session_is() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let socket = app.service.open_socket(&mallory()).await.unwrap();
    assert_eq!(Outcome::of(socket.subscribe(id, from_now()).await), Outcome::Forbidden);
    assert_eq!(Outcome::of(subscribe(&socket, 404).await), Outcome::NotFound);
    assert_eq!(app.door.sockets().len(), 1, "the socket alone");
}

#[tokio::test]
async fn the_limit_of_a_person_counts_sockets_and_not_subscriptions() {
    let limits = SocketLimits { per_session: 10, per_user: 1 };
    let app = App::with_rules(Rules { sockets: limits, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let socket = app.service.open_socket(&alice()).await.unwrap();
    let _both = [socket.subscribe(id, from_now()).await.unwrap(), socket.subscribe(id, from_now()).await.unwrap()];
    let refused = app.service.open_socket(&alice()).await;
    let limit = LimitReached::Sockets { limit: 1 };
    assert!(matches!(refused.map(drop), Err(ChatError::LimitReached(reached)) if reached == limit));
}

#[tokio::test]
async fn the_end_of_a_persons_access_closes_the_socket() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let [signed_out, blocked] = [app.service.open_socket(&alice()).await, app.service.open_socket(&mallory()).await];
    let (signed_out, blocked) = (signed_out.unwrap(), blocked.unwrap());
    let mut subscription = signed_out.subscribe(id, from_now()).await.unwrap();
    assert_eq!((closed(&signed_out), closed(&blocked)), (None, None));
    app.service.sign_out_person(&root(), Ok(alice().id)).await.unwrap();
    app.service.block_person(&root(), Ok(mallory().id)).await.unwrap();
    assert_eq!(closed(&signed_out), Some(StreamCloseReason::SignedOut));
    assert_eq!(closed(&blocked), Some(StreamCloseReason::Blocked));
    let ended = subscription.poll_closed(&mut Context::from_waker(Waker::noop()));
    assert_eq!(ended, Poll::Ready(StreamCloseReason::NodeStopping), "as its stream ends, which knows of no person");
}

#[tokio::test]
async fn a_node_that_stops_closes_sockets_of_now_and_of_later() {
    let app = App::new();
    let early = app.service.open_socket(&alice()).await.unwrap();
    app.service.close_sockets();
    let late = app.service.open_socket(&bob()).await.unwrap();
    for socket in [early, late] {
        assert_eq!(closed(&socket), Some(StreamCloseReason::NodeStopping));
    }
}

#[tokio::test]
async fn a_newer_token_is_of_the_same_person_and_its_role_is_checked() {
    let app = App::new();
    let mut socket = app.service.open_socket(&bob()).await.unwrap();
    assert_eq!(Outcome::of(socket.set_viewer(alice())), Outcome::Forbidden);
    let mut as_customer = bob();
    as_customer.role = Role::User;
    assert!(!socket.restrict_role(Role::Admin), "it is no lower one");
    assert!(socket.restrict_role(Role::User));
    assert_eq!(socket.viewer().role, Role::User);
    assert_eq!(socket.check_access(as_customer.clone()).await.unwrap(), AccessState::Granted);
    socket.set_viewer(as_customer).unwrap();
    app.service.admit(&bob()).await.unwrap();
    app.service.deactivate_agent(&root(), Some(agent_id(&bob())), Ok(())).await.unwrap();
    assert_eq!(socket.check_access(bob()).await.unwrap(), AccessState::AgentDeactivated);
    assert_eq!(closed(&socket), None, "it is a customer's now");
}

#[tokio::test]
async fn subscriptions_share_the_viewer_of_their_socket() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let socket = app.service.open_socket(&bob()).await.unwrap();
    let mut subscription = socket.subscribe(id, from_now()).await.unwrap();
    subscription.set_viewer(socket.shared_viewer()).unwrap();
    assert!(std::ptr::eq(subscription.viewer(), socket.viewer()));
    assert!(subscription.was_granted_before(Seq::new(9)));
}
