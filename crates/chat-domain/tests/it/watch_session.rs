//! Watching a session: where it starts, and how it ends for someone who may not see it any more.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::{LimitReached, ReplayUnavailable};
use chat_domain::model::{
    AgentId, AgentUpdate, Change, ConnectionLimits, Epoch, LiveEvent, Principal, Role, Seq, SessionAction, SessionId,
};
use chat_domain::ports::{
    AgentDirectory, ConnectionRegistry, End, MockAgentDirectory, MockSessionFeed, MockSessionRepository, Otherwise,
    Start,
};
use chat_domain::service::{Rules, SessionWatch, WatchFrom, WatchItem, WatchRequest};
use chat_testkit::fixtures::{
    agent_id, alice, assign, bob, carol, change, mallory, message_id, person, root, session_id, start, transfer,
};

use crate::support::{App, Outcome, bad, blamed, from, opening};

fn epoch() -> Epoch {
    Epoch::parse("some-epoch").unwrap()
}

/// Plays to the next watcher what happened in the session after `after`.
fn play(app: &App, id: SessionId, after: u64) {
    let events = app.notifier.events_of(id).into_iter();
    app.feed.play(events.filter(|event| match event {
        LiveEvent::Durable(event) => event.seq > Seq::new(after),
        LiveEvent::Typing(_) => true,
    }));
}

async fn watch(app: &App, who: &Principal, id: SessionId) -> SessionWatch {
    app.service.watch_session(who, id, from(WatchFrom::Now)).await.unwrap()
}

/// What kinds of things the watcher sees, until nothing new comes.
async fn seen(watch: &mut SessionWatch) -> Vec<&'static str> {
    let mut items = Vec::new();
    loop {
        match watch.next().await.unwrap() {
            WatchItem::Event(published) => items.push(match published.event() {
                LiveEvent::Typing(_) => "typing",
                LiveEvent::Durable(event) => match event.change {
                    Change::Opened(_) => "opened",
                    Change::Assigned(_) => "assigned",
                    Change::Transferred(_) => "transferred",
                    Change::Closed(_) => "closed",
                    Change::Message(_) => "message",
                    Change::Receipt(_) => "receipt",
                    Change::Unknown => "unknown",
                },
            }),
            WatchItem::AccessLost => {
                items.push("access lost");
                return items;
            }
            WatchItem::Deactivated => {
                items.push("deactivated");
                return items;
            }
            WatchItem::Gone => {
                items.push("gone");
                return items;
            }
            WatchItem::Replaced => {
                items.push("replaced");
                return items;
            }
            WatchItem::Ended => {
                items.push("ended");
                return items;
            }
        }
    }
}

#[tokio::test]
async fn a_watch_starts_where_it_is_told() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let message = app.service.send_message(&alice(), id, Ok("hello".to_owned()), None).await.unwrap().message;
    let starts = [
        (WatchFrom::Now, Start::Now),
        (WatchFrom::Position(Seq::new(2), None), Start::After { seq: Seq::new(2), epoch: None }),
        (WatchFrom::Position(Seq::new(2), Some(epoch())), Start::After { seq: Seq::new(2), epoch: Some(epoch()) }),
        (WatchFrom::Message(Some(message.id)), Start::After { seq: message.seq, epoch: None }),
    ];
    for (request, start) in starts {
        app.service.watch_session(&alice(), id, from(request)).await.unwrap();
        let follow = app.feed.follows().pop().expect("somebody follows");
        assert_eq!((follow.session, follow.viewer, follow.start), (id, alice().id, start));
    }
}

#[tokio::test]
async fn a_start_that_is_no_message_of_the_session_is_invalid() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for unknown in [Some(message_id(9)), None] {
        let answer = app.service.watch_session(&alice(), id, from(WatchFrom::Message(unknown))).await;
        assert_eq!(blamed(answer.map(drop)), ["after"]);
    }
    assert_eq!(app.feed.follows(), []);
}

#[tokio::test]
async fn everything_is_seen_until_the_node_stops_serving() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let message = app.service.send_message(&alice(), id, Ok("hello".to_owned()), None).await.unwrap().message;
    app.service.send_typing(&bob(), id, Ok(true)).await.unwrap();
    app.service.mark_read(&bob(), id, Ok(vec![message.id])).await.unwrap();
    app.service.close_session(&bob(), id, Ok(())).await.unwrap();
    for who in [alice(), bob(), root()] {
        play(&app, id, 2);
        let items = seen(&mut watch(&app, &who, id).await).await;
        assert_eq!(items, ["message", "typing", "receipt", "closed", "ended"], "a closed session may be watched");
    }
}

#[tokio::test]
async fn the_change_that_ends_the_right_is_the_last_that_is_seen() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut watching = [watch(&app, &bob(), id).await, watch(&app, &alice(), id).await];
    app.transfer(id, Some(&carol())).await;
    app.service.send_message(&alice(), id, Ok("for Carol".to_owned()), None).await.unwrap();
    // Both watched from before the transfer, so both streams have it.
    for (who, expected) in
        [(bob(), &["transferred", "access lost"][..]), (alice(), &["transferred", "message", "ended"])]
    {
        play(&app, id, 2);
        let mut watch = watch_as_before_the_transfer(&app, &who, id).await;
        assert_eq!(seen(&mut watch).await, expected);
        if who == bob() {
            assert!(matches!(watch.next().await.unwrap(), WatchItem::AccessLost), "and it stays so");
        }
    }
    for watch in &mut watching {
        assert!(matches!(watch.next().await.unwrap(), WatchItem::Ended), "their streams were empty");
    }
}

/// A watch that began while Bob held the session: the stores say so again, the stream says what came after.
async fn watch_as_before_the_transfer(app: &App, who: &Principal, id: SessionId) -> SessionWatch {
    let held = app.notifier.changes_of(id).into_iter().nth(1).expect("the assignment");
    let Change::Assigned(session) = held.change else { panic!("the assignment, not {held:?}") };
    let mut sessions = MockSessionRepository::new();
    sessions.expect_find().returning(move |_| Ok(Some(session.clone())));
    let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
    service.watch_session(who, id, from(WatchFrom::Now)).await.unwrap()
}

#[tokio::test]
async fn an_agent_who_looks_at_a_waiting_session_learns_that_another_took_or_closed_it() {
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
        let mut watch = service.watch_session(&bob(), id, from(WatchFrom::Now)).await.unwrap();
        let change = if taken { "assigned" } else { "closed" };
        assert_eq!(seen(&mut watch).await, [change, "access lost"]);
    }
}

#[tokio::test]
async fn a_right_that_goes_while_the_watch_begins_is_noticed() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.admit(&carol()).await.unwrap();
    app.feed.change_meanwhile(&app.store, id, change(&root(), transfer(&carol()), 70));
    let answer = app.service.watch_session(&bob(), id, from(WatchFrom::Now)).await;
    assert_eq!(Outcome::of(answer), Outcome::Forbidden);
}

#[tokio::test]
async fn a_recheck_asks_the_stores_and_ends_the_watch_when_the_right_is_gone() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    play(&app, id, 0);
    let mut bobs = watch(&app, &bob(), id).await;
    assert!(bobs.recheck().await.unwrap());
    assert!(matches!(bobs.next().await.unwrap(), WatchItem::Event(_)));
    app.transfer(id, Some(&carol())).await;
    assert!(!bobs.recheck().await.unwrap());
    assert!(matches!(bobs.next().await.unwrap(), WatchItem::AccessLost), "nothing more, though the stream has more");
}

#[tokio::test]
async fn a_recheck_turns_a_deactivated_agent_away() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut bobs = watch(&app, &bob(), id).await;
    let off_duty = AgentUpdate { display_name: None, active: Some(false) };
    app.store.put(agent_id(&bob()), off_duty, start()).await.unwrap();
    assert!(!bobs.recheck().await.unwrap());
    assert!(matches!(bobs.next().await.unwrap(), WatchItem::AccessLost));
}

#[tokio::test]
async fn the_sockets_of_an_agent_who_is_deactivated_here_end_at_once() {
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
async fn the_sockets_of_an_agent_who_is_deactivated_elsewhere_end_with_the_next_look() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut bobs = [watch(&app, &bob(), id).await, watch(&app, &bob(), id).await];
    let mut alices = watch(&app, &alice(), id).await;
    assert_eq!(app.service.end_sockets_of_deactivated_agents().await.unwrap(), 0, "all are active");
    app.store.deactivate(&agent_id(&bob())).await.unwrap();
    assert_eq!(app.service.end_sockets_of_deactivated_agents().await.unwrap(), 2);
    for watch in &mut bobs {
        let end = std::future::poll_fn(|context| watch.poll_end(context)).await;
        assert!(matches!(end, WatchItem::Deactivated), "also while no events are taken");
        assert_eq!(seen(watch).await, ["deactivated"]);
    }
    assert_eq!(seen(&mut alices).await, ["ended"], "she is no agent, and her stream was empty");
    assert_eq!(app.service.end_sockets_of_deactivated_agents().await.unwrap(), 0, "each ends once");
    // Back on duty, they are not concerned by what was before.
    let on_duty = AgentUpdate { display_name: None, active: Some(true) };
    app.store.put(agent_id(&bob()), on_duty, start()).await.unwrap();
    let mut again = watch(&app, &bob(), id).await;
    assert_eq!(app.service.end_sockets_of_deactivated_agents().await.unwrap(), 0);
    assert_eq!(seen(&mut again).await, ["ended"]);
}

#[tokio::test]
async fn the_directory_is_asked_only_about_agents_with_sockets() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut agents = MockAgentDirectory::new();
    let asked_for_bob = |ids: &Vec<AgentId>| *ids == [agent_id(&bob())];
    agents.expect_deactivated_among().times(2).withf(asked_for_bob).returning(|_| Ok(Vec::new()));
    let service = app.service_with(|ports| ports.agents = Arc::new(agents));
    let watch_as = async |who: &Principal| service.watch_session(who, id, from(WatchFrom::Now)).await.unwrap();
    let none_ends = async || assert_eq!(service.end_sockets_of_deactivated_agents().await.unwrap(), 0);
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
    assert!(roots.lower_to(Role::User) && !roots.lower_to(Role::Admin));
    none_ends().await;
}

#[tokio::test]
async fn a_recheck_that_cannot_ask_says_so_and_ends_nothing() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.transfer(id, None).await;
    let session = app.service.get_session(&alice(), id).await.unwrap();
    let mut sessions = MockSessionRepository::new();
    sessions.expect_find().times(2).returning(move |_| Ok(Some(session.clone())));
    sessions.expect_find().returning(|_| Err(ChatError::unavailable("the database went away")));
    let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
    let mut watch = service.watch_session(&alice(), id, from(WatchFrom::Now)).await.unwrap();
    assert!(matches!(watch.recheck().await, Err(ChatError::Unavailable { .. })));
    assert!(matches!(watch.next().await.unwrap(), WatchItem::Ended), "the watch goes on");
}

#[tokio::test]
async fn an_agent_who_claims_the_session_they_watch_keeps_watching() {
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
async fn what_happened_before_the_right_was_checked_does_not_end_the_watch() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.transfer(id, Some(&carol())).await;
    app.service.send_message(&alice(), id, Ok("hello".to_owned()), None).await.unwrap();
    play(&app, id, 0);
    let start = from(WatchFrom::Position(Seq::ZERO, None));
    let mut watch = app.service.watch_session(&carol(), id, start).await.unwrap();
    assert_eq!(seen(&mut watch).await, ["opened", "assigned", "transferred", "message", "ended"]);
}

#[tokio::test]
async fn a_watch_says_how_it_began_and_who_it_is() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let watch = watch(&app, &bob(), id).await;
    let follow = app.feed.follows().pop().expect("somebody follows");
    assert_eq!(watch.opening(), &opening());
    assert_eq!((watch.session_id(), watch.viewer()), (id, &bob()));
    assert_eq!((watch.connection_id(), Otherwise::Refuse), (follow.connection, follow.otherwise));
}

#[tokio::test]
async fn what_becomes_of_a_start_that_cannot_be_replayed_is_the_watchers_choice() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let request = WatchRequest { from: Ok(WatchFrom::Now), otherwise: Otherwise::StartNow };
    app.service.watch_session(&alice(), id, request).await.unwrap();
    assert_eq!(app.feed.follows().pop().expect("somebody follows").otherwise, Otherwise::StartNow);
}

#[tokio::test]
async fn a_watch_has_a_place_in_the_registry_for_as_long_as_it_lives() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let watches = [watch(&app, &alice(), id).await, watch(&app, &bob(), id).await];
    let entered: Vec<_> = app.door.connections().into_iter().map(|connection| connection.id).collect();
    assert_eq!(entered, watches.each_ref().map(SessionWatch::connection_id));
    let [alices, bobs] = watches;
    drop(alices);
    let [left] = &app.door.connections()[..] else { panic!("one is left") };
    assert_eq!((left.id, left.session_id, &left.user_id), (bobs.connection_id(), id, &bob().id));
    drop(bobs);
    assert_eq!(app.door.connections(), []);
}

#[tokio::test]
async fn a_watch_that_does_not_begin_gives_its_place_back() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut feed = MockSessionFeed::new();
    feed.expect_follow().times(1).returning(|_| Err(ReplayUnavailable::AheadOfSession.into()));
    let service = app.service_with(|ports| ports.feed = Arc::new(feed));
    let answer = service.watch_session(&alice(), id, from(WatchFrom::Now)).await;
    assert!(matches!(answer.map(drop), Err(ChatError::ReplayUnavailable(ReplayUnavailable::AheadOfSession))));
    assert_eq!(app.door.connections(), []);
    app.service.admit(&carol()).await.unwrap();
    app.feed.change_meanwhile(&app.store, id, change(&root(), transfer(&carol()), 70));
    let answer = app.service.watch_session(&bob(), id, from(WatchFrom::Now)).await;
    assert_eq!(Outcome::of(answer), Outcome::Forbidden);
    assert_eq!(app.door.connections(), []);
}

#[tokio::test]
async fn someone_with_too_many_sockets_is_told_so_after_everything_about_the_session() {
    let limits = ConnectionLimits { per_session: 10, per_user: 2 };
    let app = App::with_rules(Rules { connections: limits, ..Rules::default() });
    let id = app.held_by_bob(1).await;
    let _two = [watch(&app, &alice(), id).await, watch(&app, &alice(), id).await];
    let answer = app.service.watch_session(&alice(), id, from(WatchFrom::Now)).await;
    let limit = LimitReached::Connections { limit: 2 };
    assert!(matches!(answer.map(drop), Err(ChatError::LimitReached(reached)) if reached == limit));
    let wrong = WatchRequest { from: bad(), otherwise: Otherwise::Refuse };
    assert_eq!(Outcome::of(app.service.watch_session(&alice(), id, wrong).await), Outcome::Invalid);
    let unknown = app.service.watch_session(&alice(), session_id(9), from(WatchFrom::Now)).await;
    assert_eq!(Outcome::of(unknown), Outcome::NotFound);
    watch(&app, &bob(), id).await;
}

#[tokio::test]
async fn those_who_may_not_see_the_session_take_no_place() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    // A connection that entered would leave again, so the registry must not even be asked.
    let mut registry = chat_domain::ports::MockConnectionRegistry::new();
    registry.expect_enter().never();
    registry.expect_leave().never();
    let service = app.service_with(|ports| ports.connections = Arc::new(registry) as Arc<dyn ConnectionRegistry>);
    let answer = service.watch_session(&mallory(), id, from(WatchFrom::Now)).await;
    assert_eq!(Outcome::of(answer), Outcome::Forbidden);
}

#[tokio::test]
async fn a_connection_that_a_newer_one_replaces_learns_so() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.feed.end_with(End::Replaced);
    play(&app, id, 1);
    assert_eq!(seen(&mut watch(&app, &alice(), id).await).await, ["assigned", "replaced"]);
}

#[tokio::test]
async fn a_session_that_is_gone_is_told_as_that() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    play(&app, id, 0);
    let session = app.service.get_session(&alice(), id).await.unwrap();
    let mut sessions = MockSessionRepository::new();
    sessions.expect_find().times(2).returning(move |_| Ok(Some(session.clone())));
    sessions.expect_find().returning(|_| Ok(None));
    let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
    let mut watch = service.watch_session(&alice(), id, from(WatchFrom::Now)).await.unwrap();
    assert!(!watch.recheck().await.unwrap());
    assert_eq!(seen(&mut watch).await, ["gone"], "nothing more, though the stream has more");
    assert_eq!(seen(&mut watch).await, ["gone"], "and it stays so");
}

#[tokio::test]
async fn a_watch_goes_on_with_a_newer_token_of_the_same_person() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    play(&app, id, 0);
    let mut bobs = watch(&app, &bob(), id).await;
    let as_admin = person("bob", Role::Admin);
    assert!(bobs.renew(as_admin.clone()).await.unwrap());
    assert_eq!(bobs.viewer(), &as_admin);
    app.transfer(id, Some(&carol())).await;
    assert!(bobs.recheck().await.unwrap(), "an admin sees every session");
    assert!(matches!(bobs.next().await.unwrap(), WatchItem::Event(_)));
    assert!(!bobs.renew(bob()).await.unwrap(), "the newest token says that he is an agent, who lost the session");
    assert!(matches!(bobs.next().await.unwrap(), WatchItem::AccessLost));
}

#[tokio::test]
async fn a_watch_does_not_go_on_with_the_token_of_another_person() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut alices = watch(&app, &alice(), id).await;
    for other in [mallory(), bob(), root()] {
        assert_eq!(Outcome::of(alices.renew(other).await), Outcome::Forbidden);
        assert_eq!(alices.viewer(), &alice());
    }
    assert_eq!(seen(&mut alices).await, ["ended"], "the watch goes on as it was");
}
