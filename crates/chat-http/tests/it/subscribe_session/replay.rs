//! `since` and `after`: what was missed comes first, once and in order.

use chat_domain::model::SessionId;
use chat_domain::service::SendMessage;
use chat_testkit::fixtures;
use futures_util::future::{join_all, select};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::handshake::refusal_for;
use crate::support::{TestApp, TestSocket};

/// How far posting may be ahead of those who read: less than the 1,000 events that can be replayed.
const AHEAD: u64 = 500;

/// Reads messages and returns their contents.
async fn contents(socket: &mut TestSocket, count: usize) -> Vec<Value> {
    let mut contents = Vec::new();
    for _ in 0..count {
        let frame = socket.next().await;
        assert_eq!(frame["type"], "message", "{frame}");
        contents.push(frame["data"]["content"].clone());
    }
    contents
}

/// The position that goes with the newest page of messages.
async fn position(app: &TestApp, who: &str, session: &str) -> u64 {
    page_and_position(app, who, session).await.1
}

async fn page_and_position(app: &TestApp, who: &str, session: &str) -> (Value, u64) {
    let answer = app.get(who, &format!("/api/chat/sessions/{session}/messages")).await;
    let position = answer.header("x-chat-seq").parse().expect("a position");
    (answer.expect(200), position)
}

/// Posts the numbers from 1 on, one after the other, until it is dropped. It waits for those who read, so that they miss
/// fewer than can be replayed, however slow they are: each number comes only when `limit` has reached it.
async fn count_up(app: &TestApp, session: &str, mut limit: watch::Receiver<u64>) {
    for number in 1_u64.. {
        limit.wait_for(|limit| number <= *limit).await.expect("a reader");
        app.say("alice", session, &number.to_string()).await;
    }
}

on_every_store! {
    async fn since_0_replays_from_the_opening_and_continues_live(app) {
        let session = app.open_assigned("alice", "bob").await;
        app.say("alice", &session, "one").await;
        app.say("bob", &session, "two").await;
        let mut socket = app.watch("alice", &session, "?since=0").await;
        let opened = socket.next().await;
        assert_eq!((&opened["type"], &opened["data"]["agentId"]), (&json!("session_update"), &json!(null)));
        let assigned = socket.next().await;
        assert_eq!((&assigned["type"], &assigned["data"]["agentId"]), (&json!("session_update"), &json!("bob")));
        assert_eq!(contents(&mut socket, 2).await, ["one", "two"]);
        app.say("bob", &session, "three").await;
        assert_eq!(contents(&mut socket, 1).await, ["three"]);
    }

    async fn messages_that_do_not_fit_into_one_page_of_the_log_are_all_replayed(app) {
        let session = app.open_session("alice").await;
        // A page of the log has 256 KiB, of which each of these takes 40 KB.
        let long: Vec<String> = ('a'..='o').map(|first| format!("{first}{}", "🙂".repeat(9_999))).collect();
        for content in &long {
            app.say("alice", &session, content).await;
        }
        let mut socket = app.watch("alice", &session, "?since=1").await;
        assert_eq!(contents(&mut socket, long.len()).await, long);
        app.say("alice", &session, "live").await;
        assert_eq!(contents(&mut socket, 1).await, ["live"]);
    }

    async fn a_transferred_session_is_replayed_whole_to_its_new_agent(app) {
        let session = app.open_assigned("alice", "bob").await;
        app.say("alice", &session, "one").await;
        app.get("carol", "/api/chat/sessions").await.expect(200);
        let transfer = format!("/api/chat/sessions/{session}/transfer");
        app.put("bob", &transfer, json!({ "agentId": "carol" })).await.expect(200);
        let mut socket = app.watch("carol", &session, "?since=0").await;
        assert_eq!(socket.next().await["type"], "session_update");
        assert_eq!(socket.next().await["data"]["agentId"], "bob");
        assert_eq!(contents(&mut socket, 1).await, ["one"]);
        assert_eq!(socket.next().await["data"]["agentId"], "carol");
        app.say("alice", &session, "two").await;
        assert_eq!(contents(&mut socket, 1).await, ["two"]);
    }

    async fn without_since_the_past_stays_away(app) {
        let session = app.open_session("alice").await;
        app.say("alice", &session, "before").await;
        let mut socket = app.watch("alice", &session, "").await;
        app.say("alice", &session, "after").await;
        assert_eq!(contents(&mut socket, 1).await, ["after"]);
    }

    async fn since_a_position_replays_the_events_behind_it(app) {
        let session = app.open_session("alice").await;
        app.say("alice", &session, "seen").await;
        let seen = position(app, "alice", &session).await;
        assert_eq!(seen, 2, "the opening and one message");
        app.say("alice", &session, "missed").await;
        let mut socket = app.watch("alice", &session, &format!("?since={seen}")).await;
        app.say("alice", &session, "live").await;
        assert_eq!(contents(&mut socket, 2).await, ["missed", "live"]);
        let head = position(app, "alice", &session).await;
        let mut socket = app.watch("alice", &session, &format!("?since={head}")).await;
        app.say("alice", &session, "live again").await;
        assert_eq!(contents(&mut socket, 1).await, ["live again"]);
    }

    async fn after_a_message_replays_the_events_behind_it(app) {
        let session = app.open_assigned("alice", "bob").await;
        let first = app.say("alice", &session, "one").await;
        app.say("bob", &session, "two").await;
        app.say("alice", &session, "three").await;
        let after = format!("?after={}", first["id"].as_str().unwrap());
        let mut socket = app.watch("alice", &session, &after).await;
        app.say("bob", &session, "four").await;
        assert_eq!(contents(&mut socket, 3).await, ["two", "three", "four"]);
    }

    async fn a_replayed_frame_is_the_frame_that_went_out_live(app) {
        let session = app.open_session("alice").await;
        let mut live = app.watch("alice", &session, "").await;
        app.put("bob", &format!("/api/chat/sessions/{session}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        app.say("bob", &session, "hello").await;
        app.put("bob", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        let live = [live.next().await, live.next().await, live.next().await];
        let mut replayed = app.watch("alice", &session, "?since=1").await;
        assert_eq!([replayed.next().await, replayed.next().await, replayed.next().await], live);
    }

    async fn joining_while_others_post_misses_and_repeats_nothing(app) {
        let session = app.open_session("alice").await;
        let (limit, posted) = watch::channel(AHEAD);
        let joins = async {
            for _ in 0..200 {
                // The opening is position 1, so position n + 1 belongs to the message n.
                let (page, seen) = page_and_position(app, "alice", &session).await;
                limit.send_replace(seen + AHEAD);
                let newest = page["messages"].as_array().unwrap().last();
                let newest: u64 = newest.map_or(0, |message| message["content"].as_str().unwrap().parse().unwrap());
                assert!(newest + 1 >= seen, "the page ends with {newest}, the frames begin after position {seen}");
                let mut socket = app.watch("alice", &session, &format!("?since={seen}")).await;
                let expected: Vec<_> = (seen..seen + 5).map(|number| json!(number.to_string())).collect();
                assert_eq!(contents(&mut socket, 5).await, expected);
            }
        };
        select(Box::pin(joins), Box::pin(count_up(app, &session, posted))).await;
    }

    async fn a_long_replay_meets_the_live_events_without_a_seam(app) {
        let session = app.open_session("alice").await;
        let (limit, posted) = watch::channel(AHEAD);
        let poster = count_up(app, &session, posted);
        let joins = async {
            // Each join replays from the beginning what has been posted so far, while more is posted.
            for join in 1..=20_u64 {
                limit.send_replace(join * 20 + AHEAD);
                let mut socket = app.watch("alice", &session, "?since=1").await;
                let expected: Vec<_> = (1..=join * 20).map(|number| json!(number.to_string())).collect();
                assert_eq!(contents(&mut socket, expected.len()).await, expected);
            }
        };
        select(Box::pin(joins), Box::pin(poster)).await;
    }

    async fn a_position_ahead_of_the_session_cannot_be_replayed(app) {
        let session = app.open_session("alice").await;
        for since in ["2", "9223372036854775807"] {
            refusal_for(app, "alice", &session, &format!("?since={since}")).await.expect_error(410, "REPLAY_UNAVAILABLE");
            let token = format!("Bearer {}", app.token_of("alice"));
            let refused =
                TestSocket::try_open(&app.base, &session, &format!("?since={since}"), &[("authorization", &token)]).await;
            assert_eq!(refused.err(), Some(410));
        }
        app.until_no_session_is_watched().await;
    }

    async fn a_thousand_missed_events_are_replayed_and_one_more_is_not(app) {
        let session = app.open_session("alice").await;
        let (id, alice) = (SessionId::parse(&session).unwrap(), fixtures::alice());
        let posts = (1..=1_000).map(|number: u32| app.service.send_message(&alice, id, SendMessage::text(number.to_string()), None));
        for posted in join_all(posts).await {
            posted.unwrap();
        }
        refusal_for(app, "alice", &session, "?since=0").await.expect_error(410, "REPLAY_UNAVAILABLE");
        let mut socket = app.watch("alice", &session, "?since=1").await;
        let mut numbers: Vec<u32> = Vec::new();
        for content in contents(&mut socket, 1_000).await {
            numbers.push(content.as_str().unwrap().parse().unwrap());
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(1..=1_000));
    }
}
