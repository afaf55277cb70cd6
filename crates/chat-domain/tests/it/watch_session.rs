//! Watching a session: where it starts, and how it ends for someone who may not see it any more.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::model::{AgentUpdate, Change, LiveEvent, Principal, Seq, SessionAction, SessionId};
use chat_domain::ports::{AgentDirectory, MockSessionRepository, Start};
use chat_domain::service::{SessionWatch, WatchFrom, WatchItem};
use chat_testkit::fixtures::{agent_id, alice, assign, bob, carol, change, message_id, root, start, transfer};

use crate::support::{App, Outcome, blamed};

/// Plays to the next watcher what happened in the session after `after`.
fn play(app: &App, id: SessionId, after: u64) {
    let events = app.notifier.events_of(id).into_iter();
    app.feed.play(events.filter(|event| match event {
        LiveEvent::Durable(event) => event.seq > Seq::new(after),
        LiveEvent::Typing(_) => true,
    }));
}

async fn watch(app: &App, who: &Principal, id: SessionId) -> SessionWatch {
    app.service.watch_session(who, id, Ok(WatchFrom::Now)).await.unwrap()
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
                },
            }),
            WatchItem::AccessLost => {
                items.push("access lost");
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
        (WatchFrom::Position(Seq::new(2)), Start::After(Seq::new(2))),
        (WatchFrom::Message(Some(message.id)), Start::After(message.seq)),
    ];
    for (from, start) in starts {
        app.service.watch_session(&alice(), id, Ok(from)).await.unwrap();
        let follow = app.feed.follows().pop().expect("somebody follows");
        assert_eq!((follow.session, follow.viewer, follow.start), (id, alice().id, start));
    }
}

#[tokio::test]
async fn a_start_that_is_no_message_of_the_session_is_invalid() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for unknown in [Some(message_id(9)), None] {
        let answer = app.service.watch_session(&alice(), id, Ok(WatchFrom::Message(unknown))).await;
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
    app.service.close_session(&bob(), id).await.unwrap();
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
    service.watch_session(who, id, Ok(WatchFrom::Now)).await.unwrap()
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
            app.service.close_session(&alice(), id).await.unwrap();
        }
        play(&app, id, 1);
        let mut sessions = MockSessionRepository::new();
        sessions.expect_find().returning(move |_| Ok(Some(waiting.clone())));
        let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
        let mut watch = service.watch_session(&bob(), id, Ok(WatchFrom::Now)).await.unwrap();
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
    let answer = app.service.watch_session(&bob(), id, Ok(WatchFrom::Now)).await;
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
async fn a_recheck_that_cannot_ask_says_so_and_ends_nothing() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.transfer(id, None).await;
    let session = app.service.get_session(&alice(), id).await.unwrap();
    let mut sessions = MockSessionRepository::new();
    sessions.expect_find().times(2).returning(move |_| Ok(Some(session.clone())));
    sessions.expect_find().returning(|_| Err(ChatError::unavailable("the database went away")));
    let service = app.service_with(|ports| ports.sessions = Arc::new(sessions));
    let mut watch = service.watch_session(&alice(), id, Ok(WatchFrom::Now)).await.unwrap();
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
    let from = Ok(WatchFrom::Position(Seq::ZERO));
    let mut watch = app.service.watch_session(&carol(), id, from).await.unwrap();
    assert_eq!(seen(&mut watch).await, ["opened", "assigned", "transferred", "message", "ended"]);
}
