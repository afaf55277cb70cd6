//! Tickets and the limits of sockets do not know of Redis: it may be unreachable, and what a client writes there opens
//! nothing.

use std::net::SocketAddr;

use chat_loadgen::token::TokenRole;
use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;

use super::cluster::Cluster;
use crate::support::{ExtendedSocket, Person};

async fn ticket(person: &Person, session: &str) -> String {
    let issued = person.post(&format!("/api/chat/sessions/{session}/ws-ticket"), &json!(null)).await;
    Person::json(issued, 201).await["ticket"].as_str().unwrap().to_owned()
}

/// The status of a handshake with the ticket.
async fn shown(addr: SocketAddr, session: &str, ticket: &str) -> u16 {
    let stream = TcpStream::connect(addr).await.unwrap();
    match client_async(format!("ws://{addr}/ws/chat/{session}?ticket={ticket}"), stream).await {
        Ok((_socket, answer)) => answer.status().as_u16(),
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_ticket_opens_a_socket_at_another_server_while_redis_is_unreachable() {
    let cluster = Cluster::with_redis(2).await;
    let addresses: Vec<_> = cluster.addresses().iter().map(|address| *address.borrow()).collect();
    let alice = cluster.alice();
    let session = alice.open_session("tickets").await;
    block_in_place(|| cluster.redis().kill().unwrap());
    for (issuer, other) in [(addresses[0], addresses[1]), (addresses[1], addresses[0])] {
        let first = ticket(&alice.at(issuer), &session).await;
        assert_eq!(shown(other, &session, &first).await, 101);
        for addr in [issuer, other] {
            assert_eq!(shown(addr, &session, &first).await, 401, "it was used");
        }
    }
    let once = ticket(&alice, &session).await;
    let uses = join_all((0..50).map(|n| shown(addresses[n % 2], &session, &once))).await;
    assert_eq!(uses.iter().filter(|status| **status == 101).count(), 1, "{uses:?}");
    assert_eq!(uses.iter().filter(|status| **status == 401).count(), 49, "{uses:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn values_written_into_redis_by_hand_open_no_socket() {
    let cluster = Cluster::with_redis(1).await;
    let alice = cluster.alice();
    let session = alice.open_session("tickets").await;
    // SHA-256 of the ticket, and an admin, as they were kept there once.
    let handwritten = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let digest = cluster.database.sql(&format!("SELECT encode(sha256('{handwritten}'), 'hex')"));
    let value = json!({
        "user": "root", "role": "admin", "name": null, "session": session,
        "tokenExpiresAt": 4_000_000_000_000_u64, "expiresAt": 4_000_000_000_000_u64,
    });
    for key in ["{chat}:ticket:", "chat:ticket:"] {
        block_in_place(|| cluster.redis().command(&["SET", &format!("{key}{digest}"), &value.to_string()]).unwrap());
    }
    assert_eq!(shown(alice.addr(), &session, handwritten).await, 401);
    // A real one leaves nothing there, before and after its use.
    let real = ticket(&alice, &session).await;
    let keys = || block_in_place(|| cluster.redis().command(&["DBSIZE"]).unwrap());
    assert_eq!(keys(), "2", "the handwritten ones");
    assert_eq!(shown(alice.addr(), &session, &real).await, 101);
    assert_eq!(keys(), "2");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn the_limits_of_a_persons_sockets_hold_on_each_server() {
    let cluster = Cluster::with_redis(2).await;
    let addresses: Vec<_> = cluster.addresses().iter().map(|address| *address.borrow()).collect();
    let token = cluster.token("alice", TokenRole::User);
    let session = cluster.alice().open_session("many sockets").await;
    let mut sockets = Vec::new();
    for n in 0..20 {
        sockets.push(ExtendedSocket::open(addresses[n % 2], &token, &session, "").await.unwrap());
    }
    // The eleventh at a server replaces the oldest there, and none at the other one.
    let eleventh = ExtendedSocket::open(addresses[0], &token, &session, "").await.unwrap();
    assert_eq!(sockets.remove(0).next_or_end().await.unwrap_err(), Some(4409));
    let read =
        cluster.alice().post(&format!("/api/chat/sessions/{session}/messages"), &json!({ "content": "hi" })).await;
    Person::json(read, 201).await;
    for mut socket in sockets.into_iter().chain([eleventh]) {
        assert_eq!(socket.next().await["type"], "message");
    }
}
