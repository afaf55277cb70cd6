//! Subscribing to a session: where it starts, and how access that is lost closes it.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::{LimitReached, ReplayUnavailable};
use chat_domain::model::{
    AgentId, AgentUpdate, Epoch, EventChange, LiveEvent, Principal, Role, Seq, SessionAction, SessionId, SocketLimits,
};
use chat_domain::ports::{
    AgentDirectory, MockAgentDirectory, MockSessionFeed, MockSessionRepository, ReplayFallback, SocketRegistry,
    StartPosition, StreamCloseReason, StreamItem,
};
use chat_domain::service::{ReadMessages, Rules, SendMessage, SessionSubscription, SubscribeFrom, SubscribeOptions};
use chat_testkit::fixtures::{
    agent_id, alice, assign, bob, carol, change, mallory, message_id, person, root, session_id, start, transfer,
};

use crate::support::{App, Outcome, bad, blamed, from, outcome};

fn epoch() -> Epoch {
    Epoch::parse("some-epoch").unwrap()
}

/// Plays the events of the session after `after` to the next subscriber.
fn play(app: &App, id: SessionId, after: u64) {
    let events = app.notifier.events_of(id).into_iter();
    app.feed.play(events.filter(|event| match event {
        LiveEvent::Durable(event) => event.seq > Seq::new(after),
        LiveEvent::Typing(_) => true,
    }));
}

async fn watch(app: &App, who: &Principal, id: SessionId) -> SessionSubscription {
    app.service.subscribe_session(who, id, from(SubscribeFrom::Now)).await.unwrap()
}

/// The kinds of items that the subscription returns, until it is closed.
async fn seen(watch: &mut SessionSubscription) -> Vec<&'static str> {
    let mut items = Vec::new();
    loop {
        match watch.next().await.unwrap() {
            StreamItem::Event(published) => items.push(match published.event() {
                LiveEvent::Typing(_) => "typing",
                LiveEvent::Durable(event) => match event.change {
                    EventChange::Opened(_) => "opened",
                    EventChange::Assigned(_) => "assigned",
                    EventChange::Transferred(_) => "transferred",
                    EventChange::Updated(_) => "updated",
                    EventChange::Closed(_) => "closed",
                    EventChange::Message(_) => "message",
                    EventChange::Receipt(_) => "receipt",
                    EventChange::Unknown => "unknown",
                },
            }),
            StreamItem::Closed(reason) => {
                items.push(match reason {
                    StreamCloseReason::AccessLost => "access lost",
                    StreamCloseReason::AgentDeactivated => "deactivated",
                    StreamCloseReason::SignedOut => "signed out",
                    StreamCloseReason::Blocked => "blocked",
                    StreamCloseReason::SessionGone => "gone",
                    StreamCloseReason::Replaced => "replaced",
                    StreamCloseReason::NodeStopping => "ended",
                });
                return items;
            }
        }
    }
}

#[tokio::test]
async fn a_subscription_starts_at_the_requested_position() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let message = app.service.send_message(&alice(), id, SendMessage::text("hello"), None).await.unwrap().message;
    let starts = [
        (SubscribeFrom::Now, StartPosition::Now),
        (SubscribeFrom::Position(Seq::new(2), None), StartPosition::After { seq: Seq::new(2), epoch: None }),
        (
            SubscribeFrom::Position(Seq::new(2), Some(epoch())),
            StartPosition::After { seq: Seq::new(2), epoch: Some(epoch()) },
        ),
        (SubscribeFrom::Message(Some(message.id)), StartPosition::After { seq: message.seq, epoch: None }),
    ];
    for (request, start) in starts {
        app.service.subscribe_session(&alice(), id, from(request)).await.unwrap();
        let request = app.feed.requests().pop().expect("a request was recorded");
        assert_eq!((request.session, request.viewer, request.start), (id, alice().id, start));
    }
}

#[tokio::test]
async fn starting_after_an_unknown_message_is_invalid() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for unknown in [Some(message_id(9)), None] {
        let answer = app.service.subscribe_session(&alice(), id, from(SubscribeFrom::Message(unknown))).await;
        assert_eq!(blamed(answer.map(drop)), ["after"]);
    }
    assert_eq!(app.feed.requests(), []);
}

#[tokio::test]
async fn a_subscriber_sees_all_events_until_the_node_stops() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let message = app.service.send_message(&alice(), id, SendMessage::text("hello"), None).await.unwrap().message;
    app.service.send_typing(&bob(), id, Ok(true)).await.unwrap();
    app.service.mark_read(&bob(), id, Ok(ReadMessages::Named(vec![message.id]))).await.unwrap();
    app.service.close_session(&bob(), id, Ok(())).await.unwrap();
    for who in [alice(), bob(), root()] {
        play(&app, id, 2);
        let items = seen(&mut watch(&app, &who, id).await).await;
        assert_eq!(items, ["message", "typing", "receipt", "closed", "ended"], "a closed session may be watched");
    }
}

#[tokio::test]
async fn the_event_that_ends_access_is_the_last_one_returned() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut watching = [watch(&app, &bob(), id).await, watch(&app, &alice(), id).await];
    app.transfer(id, Some(&carol())).await;
    app.service.send_message(&alice(), id, SendMessage::text("for Carol"), None).await.unwrap();
    // Both watched from before the transfer, so both streams have it.
    for (who, expected) in
        [(bob(), &["transferred", "access lost"][..]), (alice(), &["transferred", "message", "ended"])]
    {
        play(&app, id, 2);
        let mut watch = watch_as_before_the_transfer(&app, &who, id).await;
        assert_eq!(seen(&mut watch).await, expected);
        if who == bob() {
            assert!(
                matches!(watch.next().await.unwrap(), StreamItem::Closed(StreamCloseReason::AccessLost)),
                "and it stays so"
            );
        }
    }
    for watch in &mut watching {
        assert!(matches!(watch.next().await.unwrap(), StreamItem::Closed(_)), "their streams were empty");
    }
}

/// A watch that began while Bob held the session: the stores say so again, the stream says what came after.
async fn watch_as_before_the_transfer(app: &App, who: &Principal, id: SessionId) -> SessionSubscription {
    let held = app.notifier.changes_of(id).into_iter().nth(1).expect("the assignment");
    let EventChange::Assigned(session) = held.change else { panic!("the assignment, not {held:?}") };
    let mut sessions = MockSessionRepository::new();
    sessions.expect_find().returning(move |_| Ok(Some(session.clone())));
    let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
    service.subscribe_session(who, id, from(SubscribeFrom::Now)).await.unwrap()
}

#[tokio::test]
async fn assigning_or_closing_a_waiting_session_ends_other_agents_access() {
    for taken in [true, false] {
        let app = App::new();
        let id = app.waiting(&alice(), 1).await;
        app.service.admit(&carol()).await.unwrap();
        let waiting = app.service.get_session(&alice(), id).await.unwrap();
        if taken {
            app.service.assign_agent(&carol(), id, Ok(agent_id(&carol()))).await.unwrap();
        } else {
            app.service.close_session(&alice(), id, Ok(())).await.unwrap();
        }
        play(&app, id, 1);
        let mut sessions = MockSessionRepository::new();
        sessions.expect_find().returning(move |_| Ok(Some(waiting.clone())));
        let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
        let mut watch = service.subscribe_session(&bob(), id, from(SubscribeFrom::Now)).await.unwrap();
        let change = if taken { "assigned" } else { "closed" };
        assert_eq!(seen(&mut watch).await, [change, "access lost"]);
    }
}

#[tokio::test]
async fn access_lost_while_subscribing_is_noticed() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.admit(&carol()).await.unwrap();
    app.feed.change_meanwhile(&app.store, id, change(&root(), transfer(&carol()), 70));
    let answer = app.service.subscribe_session(&bob(), id, from(SubscribeFrom::Now)).await;
    assert_eq!(Outcome::of(answer), Outcome::Forbidden);
}

#[tokio::test]
async fn a_recheck_reads_the_stores_and_closes_without_access() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    play(&app, id, 0);
    let mut bobs = watch(&app, &bob(), id).await;
    assert!(bobs.recheck_access().await.unwrap());
    assert!(matches!(bobs.next().await.unwrap(), StreamItem::Event(_)));
    app.transfer(id, Some(&carol())).await;
    assert!(!bobs.recheck_access().await.unwrap());
    assert!(
        matches!(bobs.next().await.unwrap(), StreamItem::Closed(StreamCloseReason::AccessLost)),
        "nothing more, though the stream has more"
    );
}

#[tokio::test]
async fn a_recheck_closes_the_subscription_of_a_deactivated_agent() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut bobs = watch(&app, &bob(), id).await;
    let off_duty = AgentUpdate { display_name: None, active: Some(false) };
    app.store.put(agent_id(&bob()), off_duty, start()).await.unwrap();
    assert!(!bobs.recheck_access().await.unwrap());
    assert!(matches!(bobs.next().await.unwrap(), StreamItem::Closed(StreamCloseReason::AgentDeactivated)));
}

#[tokio::test]
async fn deactivation_on_this_node_closes_the_agents_sockets_at_once() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.admit(&carol()).await.unwrap();
    let off_duty = AgentUpdate { display_name: None, active: Some(false) };
    for by_update in [true, false] {
        let mut bobs = watch(&app, &bob(), id).await;
        if by_update {
            app.service.put_agent(&root(), Ok(agent_id(&bob())), Ok(off_duty.clone())).await.unwrap();
        } else {
            app.service.deactivate_agent(&root(), Some(agent_id(&bob())), Ok(())).await.unwrap();
        }
        assert_eq!(seen(&mut bobs).await, ["deactivated"]);
        assert_eq!(seen(&mut bobs).await, ["deactivated"], "and it stays so");
    }
}

#[tokio::test]
async fn deactivation_on_another_node_closes_sockets_at_the_next_query() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut bobs = [watch(&app, &bob(), id).await, watch(&app, &bob(), id).await];
    let mut alices = watch(&app, &alice(), id).await;
    assert_eq!(app.service.close_sockets_of_deactivated_agents().await.unwrap(), 0, "all are active");
    app.store.deactivate(&agent_id(&bob())).await.unwrap();
    assert_eq!(app.service.close_sockets_of_deactivated_agents().await.unwrap(), 2);
    for watch in &mut bobs {
        let end = std::future::poll_fn(|context| watch.poll_closed(context)).await;
        assert!(matches!(end, StreamCloseReason::AgentDeactivated), "also while no events are taken");
        assert_eq!(seen(watch).await, ["deactivated"]);
    }
    assert_eq!(seen(&mut alices).await, ["ended"], "she is no agent, and her stream was empty");
    assert_eq!(app.service.close_sockets_of_deactivated_agents().await.unwrap(), 0, "each ends once");
    // Back on duty, they are not concerned by what was before.
    let on_duty = AgentUpdate { display_name: None, active: Some(true) };
    app.store.put(agent_id(&bob()), on_duty, start()).await.unwrap();
    let mut again = watch(&app, &bob(), id).await;
    assert_eq!(app.service.close_sockets_of_deactivated_agents().await.unwrap(), 0);
    assert_eq!(seen(&mut again).await, ["ended"]);
}

#[tokio::test]
async fn the_directory_is_queried_only_for_agents_with_sockets() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut agents = MockAgentDirectory::new();
    let asked_for_bob = |ids: &Vec<AgentId>| *ids == [agent_id(&bob())];
    agents.expect_deactivated_among().times(2).withf(asked_for_bob).returning(|_| Ok(Vec::new()));
    let service = app.service_with(|ports| ports.agents = Arc::new(agents));
    let watch_as = async |who: &Principal| service.subscribe_session(who, id, from(SubscribeFrom::Now)).await.unwrap();
    let none_ends = async || assert_eq!(service.close_sockets_of_deactivated_agents().await.unwrap(), 0);
    none_ends().await;
    let (alices, mut roots) = (watch_as(&alice()).await, watch_as(&root()).await);
    none_ends().await;
    let (first, second) = (watch_as(&bob()).await, watch_as(&bob()).await);
    none_ends().await;
    drop(first);
    none_ends().await;
    drop((second, alices));
    none_ends().await;
    // Who stops being an agent, or never was one, is not asked about.
    assert!(roots.restrict_role(Role::User) && !roots.restrict_role(Role::Admin));
    none_ends().await;
}

#[tokio::test]
async fn a_failed_recheck_returns_the_error_and_closes_nothing() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.transfer(id, None).await;
    let session = app.service.get_session(&alice(), id).await.unwrap();
    let mut sessions = MockSessionRepository::new();
    sessions.expect_find().times(2).returning(move |_| Ok(Some(session.clone())));
    sessions.expect_find().returning(|_| Err(ChatError::unavailable("the database went away")));
    let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
    let mut watch = service.subscribe_session(&alice(), id, from(SubscribeFrom::Now)).await.unwrap();
    assert!(matches!(watch.recheck_access().await, Err(ChatError::Unavailable { .. })));
    assert!(matches!(watch.next().await.unwrap(), StreamItem::Closed(_)), "the watch goes on");
}

#[tokio::test]
async fn an_agent_who_claims_the_session_stays_subscribed() {
    let app = App::new();
    let id = app.waiting(&alice(), 1).await;
    app.service.admit(&bob()).await.unwrap();
    for action in [assign(&bob()), SessionAction::Transfer(None)] {
        app.ports.sessions.change(id, change(&root(), action, 60)).await.unwrap();
    }
    play(&app, id, 1);
    assert_eq!(seen(&mut watch(&app, &bob(), id).await).await, ["assigned", "transferred", "ended"]);
}

#[tokio::test]
async fn events_before_the_access_check_do_not_end_the_subscription() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.transfer(id, Some(&carol())).await;
    app.service.send_message(&alice(), id, SendMessage::text("hello"), None).await.unwrap();
    play(&app, id, 0);
    let start = from(SubscribeFrom::Position(Seq::ZERO, None));
    let mut watch = app.service.subscribe_session(&carol(), id, start).await.unwrap();
    assert_eq!(seen(&mut watch).await, ["opened", "assigned", "transferred", "message", "ended"]);
}

#[tokio::test]
async fn a_subscription_returns_its_outcome_and_its_ids() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let watch = watch(&app, &bob(), id).await;
    let request = app.feed.requests().pop().expect("a request was recorded");
    assert_eq!(watch.outcome(), &outcome());
    assert_eq!((watch.session_id(), watch.viewer()), (id, &bob()));
    assert_eq!((watch.socket_id(), ReplayFallback::Refuse), (request.socket, request.fallback));
}

#[tokio::test]
async fn the_replay_fallback_is_the_subscribers_choice() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let request = SubscribeOptions { from: Ok(SubscribeFrom::Now), fallback: ReplayFallback::StartNow };
    app.service.subscribe_session(&alice(), id, request).await.unwrap();
    assert_eq!(app.feed.requests().pop().expect("a request was recorded").fallback, ReplayFallback::StartNow);
}

#[tokio::test]
async fn a_subscription_holds_a_registry_place_while_it_lives() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let watches = [watch(&app, &alice(), id).await, watch(&app, &bob(), id).await];
    let entered: Vec<_> = app.door.sockets().into_iter().map(|socket| socket.id).collect();
    assert_eq!(entered, watches.each_ref().map(SessionSubscription::socket_id));
    let [alices, bobs] = watches;
    drop(alices);
    let [left] = &app.door.sockets()[..] else { panic!("one is left") };
    assert_eq!((left.id, left.session_id, &left.user_id), (bobs.socket_id(), Some(id), &bob().id));
    drop(bobs);
    assert_eq!(app.door.sockets(), []);
}

#[tokio::test]
async fn a_failed_subscription_frees_its_place() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut feed = MockSessionFeed::new();
    feed.expect_subscribe().times(1).returning(|_| Err(ReplayUnavailable::AheadOfSession.into()));
    let service = app.service_with(|ports| ports.feed = Arc::new(feed));
    let answer = service.subscribe_session(&alice(), id, from(SubscribeFrom::Now)).await;
    assert!(matches!(answer.map(drop), Err(ChatError::ReplayUnavailable(ReplayUnavailable::AheadOfSession))));
    assert_eq!(app.door.sockets(), []);
    app.service.admit(&carol()).await.unwrap();
    app.feed.change_meanwhile(&app.store, id, change(&root(), transfer(&carol()), 70));
    let answer = app.service.subscribe_session(&bob(), id, from(SubscribeFrom::Now)).await;
    assert_eq!(Outcome::of(answer), Outcome::Forbidden);
    assert_eq!(app.door.sockets(), []);
}

#[tokio::test]
async fn the_socket_limit_is_reported_after_all_session_errors() {
    let limits = SocketLimits { per_session: 10, per_user: 2 };
    let app = App::with_rules(Rules { sockets: limits, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let _two = [watch(&app, &alice(), id).await, watch(&app, &alice(), id).await];
    let answer = app.service.subscribe_session(&alice(), id, from(SubscribeFrom::Now)).await;
    let limit = LimitReached::Sockets { limit: 2 };
    assert!(matches!(answer.map(drop), Err(ChatError::LimitReached(reached)) if reached == limit));
    let wrong = SubscribeOptions { from: bad(), fallback: ReplayFallback::Refuse };
    assert_eq!(Outcome::of(app.service.subscribe_session(&alice(), id, wrong).await), Outcome::Invalid);
    let unknown = app.service.subscribe_session(&alice(), session_id(9), from(SubscribeFrom::Now)).await;
    assert_eq!(Outcome::of(unknown), Outcome::NotFound);
    watch(&app, &bob(), id).await;
}

#[tokio::test]
async fn a_forbidden_subscription_takes_no_place() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    // A socket that entered would leave again, so the registry must not even be asked.
    let mut registry = chat_domain::ports::MockSocketRegistry::new();
    registry.expect_enter().never();
    registry.expect_leave().never();
    let service = app.service_with(|ports| ports.sockets = Arc::new(registry) as Arc<dyn SocketRegistry>);
    let answer = service.subscribe_session(&mallory(), id, from(SubscribeFrom::Now)).await;
    assert_eq!(Outcome::of(answer), Outcome::Forbidden);
}

#[tokio::test]
async fn a_replaced_socket_is_closed_with_that_reason() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.feed.end_with(StreamCloseReason::Replaced);
    play(&app, id, 1);
    assert_eq!(seen(&mut watch(&app, &alice(), id).await).await, ["assigned", "replaced"]);
}

#[tokio::test]
async fn a_deleted_session_closes_the_subscription() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    play(&app, id, 0);
    let session = app.service.get_session(&alice(), id).await.unwrap();
    let mut sessions = MockSessionRepository::new();
    sessions.expect_find().times(2).returning(move |_| Ok(Some(session.clone())));
    sessions.expect_find().returning(|_| Ok(None));
    let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
    let mut watch = service.subscribe_session(&alice(), id, from(SubscribeFrom::Now)).await.unwrap();
    assert!(!watch.recheck_access().await.unwrap());
    assert_eq!(seen(&mut watch).await, ["gone"], "nothing more, though the stream has more");
    assert_eq!(seen(&mut watch).await, ["gone"], "and it stays so");
}

#[tokio::test]
async fn a_newer_token_of_the_same_person_renews_the_subscription() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    play(&app, id, 0);
    let mut bobs = watch(&app, &bob(), id).await;
    let as_admin = person("bob", Role::Admin);
    assert!(bobs.renew(as_admin.clone()).await.unwrap());
    assert_eq!(bobs.viewer(), &as_admin);
    app.transfer(id, Some(&carol())).await;
    assert!(bobs.recheck_access().await.unwrap(), "an admin sees every session");
    assert!(matches!(bobs.next().await.unwrap(), StreamItem::Event(_)));
    assert!(!bobs.renew(bob()).await.unwrap(), "the newest token says that he is an agent, who lost the session");
    assert!(matches!(bobs.next().await.unwrap(), StreamItem::Closed(StreamCloseReason::AccessLost)));
}

#[tokio::test]
async fn a_token_of_another_person_does_not_renew_the_subscription() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut alices = watch(&app, &alice(), id).await;
    for other in [mallory(), bob(), root()] {
        assert_eq!(Outcome::of(alices.renew(other).await), Outcome::Forbidden);
        assert_eq!(alices.viewer(), &alice());
    }
    assert_eq!(seen(&mut alices).await, ["ended"], "the watch goes on as it was");
}
