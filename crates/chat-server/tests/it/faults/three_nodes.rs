//! Three servers: what happens through one is heard on the sockets of all, whatever it is.

use std::time::{Duration, Instant};

use chat_loadgen::token::TokenRole;
use reqwest::Method;
use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::support::{ExtendedSocket, Person};

/// From the answer, or from the frame that was sent, to all sockets. What has to be looked up in the database first takes
/// up to 15 s, because servers that hear each other look that often.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The session's sockets: Alice's, Bob's and an admin's, each on a server of its own.
struct Room {
    sockets: Vec<ExtendedSocket>,
    seq: u64,
}

impl Room {
    /// The next frame on each of the sockets, of this type.
    #[expect(clippy::print_stdout, reason = "the figures of a test")]
    async fn all_hear(&mut self, listeners: &[usize], kind: &str) -> Value {
        let begun = Instant::now();
        let mut heard: Option<Value> = None;
        for listener in listeners {
            let mut frame = self.sockets[*listener].next().await;
            assert_eq!(frame["type"], kind, "socket {listener}: {frame}");
            // Only the sender gets the key.
            frame.as_object_mut().unwrap().remove("idempotencyKey");
            assert_eq!(*heard.get_or_insert_with(|| frame.clone()), frame, "socket {listener}");
        }
        let took = begun.elapsed();
        println!("{kind} was heard on all after {took:?}");
        assert!(took <= AT_ONCE, "{kind} took {took:?}");
        heard.unwrap()
    }

    /// As `all_hear`, of an event that takes the next position.
    async fn all_hear_next(&mut self, kind: &str) -> Value {
        self.seq += 1;
        let frame = self.all_hear(&[0, 1, 2], kind).await;
        assert_eq!(frame["seq"], self.seq, "{frame}");
        frame["data"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn everything_that_happens_through_one_of_three_servers_is_heard_on_all() {
    let cluster = Cluster::with_redis(3).await;
    let addresses: Vec<_> = cluster.addresses().iter().map(|address| *address.borrow()).collect();
    let (alice, bob, root) = (cluster.alice(), cluster.bob(), cluster.person("root", TokenRole::Admin));
    let session = alice.open_session("three servers").await;
    let url = format!("/api/chat/sessions/{session}");
    let mut room = Room { sockets: Vec::new(), seq: 1 };
    for (person, address) in [&alice, &bob, &root].into_iter().zip(&addresses) {
        room.sockets.push(ExtendedSocket::open(*address, &person.token, &session, "?since=1").await.unwrap());
    }
    assert!(room.sockets.windows(2).all(|pair| pair[0].hello.connection_id != pair[1].hello.connection_id));
    assert!(room.sockets.windows(2).all(|pair| pair[0].hello.epoch == pair[1].hello.epoch));

    // Everything that changes the session goes through the first server.
    Person::json(bob.put(&format!("{url}/assign"), &json!({ "agentId": "bob" })).await, 200).await;
    assert_eq!(room.all_hear_next("session_update").await["agentId"], "bob");

    let request = alice.request(Method::POST, &format!("{url}/messages")).header("Idempotency-Key", "the-key");
    let sent = Person::json(request.json(&json!({ "content": "hello" })).send().await.unwrap(), 201).await;
    let message = room.all_hear_next("message").await;
    assert_eq!((&message["id"], &message["content"]), (&sent["id"], &json!("hello")));

    // Bob's socket on the second server says that it came, and then that he has read it.
    let position = json!({ "seq": room.seq });
    room.sockets[1].send("ack", position.clone()).await;
    let receipt = room.all_hear_next("receipt").await;
    let messages = json!([sent["id"]]);
    assert_eq!((&receipt["userId"], &receipt["status"]), (&json!("bob"), &json!("delivered")));
    assert_eq!((&receipt["upToSeq"], &receipt["messageIds"]), (&position["seq"], &messages));
    room.sockets[1].send("read", position.clone()).await;
    let receipt = room.all_hear_next("receipt").await;
    assert_eq!((&receipt["userId"], &receipt["status"]), (&json!("bob"), &json!("read")));
    assert_eq!((&receipt["upToSeq"], &receipt["messageIds"]), (&position["seq"], &messages));

    // Bob types on his socket, and the others see it; Alice does through the first server, and Bob sees that.
    for is_typing in [true, false] {
        room.sockets[1].send("typing", json!({ "isTyping": is_typing })).await;
        let typing = room.all_hear(&[0, 2], "typing").await;
        assert_eq!((&typing["data"]["userId"], &typing["data"]["isTyping"]), (&json!("bob"), &json!(is_typing)));
        assert!(typing.get("seq").is_none(), "{typing}");
    }
    let typing = alice.post(&format!("{url}/typing"), &json!({ "isTyping": true })).await;
    assert!(typing.status().is_success(), "{}", typing.status());
    let typing = room.all_hear(&[1, 2], "typing").await;
    assert_eq!((&typing["data"]["userId"], &typing["data"]["isTyping"]), (&json!("alice"), &json!(true)));

    // Bob answers through his own server, Alice reads that through hers, and closes the session.
    let answered = bob.at(addresses[1]).post(&format!("{url}/messages"), &json!({ "content": "hello, Alice" })).await;
    let answered = Person::json(answered, 201).await;
    assert_eq!(room.all_hear_next("message").await["id"], answered["id"]);
    let read = alice.put(&format!("{url}/read"), &json!({ "messageIds": [answered["id"]] })).await;
    assert_eq!(read.status(), 204);
    let receipt = room.all_hear_next("receipt").await;
    assert_eq!((&receipt["userId"], &receipt["status"]), (&json!("alice"), &json!("read")));
    Person::json(alice.put(&format!("{url}/close"), &json!({})).await, 200).await;
    assert_eq!(room.all_hear_next("session_update").await["status"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn typing_ends_when_the_typists_last_socket_on_any_server_goes_or_its_server_leaves() {
    let mut cluster = Cluster::with_redis(3).await;
    let addresses: Vec<_> = cluster.addresses().iter().map(|address| *address.borrow()).collect();
    let (alice, bob) = (cluster.alice(), cluster.bob());
    let session = cluster.open_sessions(1).await.remove(0);
    let mut sockets = Vec::new();
    for (person, address) in [&bob, &bob, &alice, &alice].into_iter().zip(addresses.iter().cycle()) {
        sockets.push(ExtendedSocket::open(*address, &person.token, &session, "").await.unwrap());
    }
    let [first, mut second, elsewhere, beside_first] = <[_; 4]>::try_from(sockets).ok().unwrap();
    let mut room = Room { sockets: vec![elsewhere, beside_first], seq: 0 };

    second.send("typing", json!({ "isTyping": true })).await;
    // On the first server too: a server that has not heard of the typing has nothing to say when the typist's socket
    // goes.
    assert_eq!(room.all_hear(&[0, 1], "typing").await["data"]["isTyping"], true);
    first.finish().await;
    // The second server knows better than the first, and says so before anyone is shown a stop.
    second.send("typing", json!({ "isTyping": true })).await;
    assert_eq!(room.all_hear(&[0, 1], "typing").await["data"]["isTyping"], true);
    let leaving = cluster.terminate(1);
    assert_eq!(room.all_hear(&[0, 1], "typing").await["data"]["isTyping"], false);
    second.finish().await;
    assert!(leaving.ended().await.0.success());
}
