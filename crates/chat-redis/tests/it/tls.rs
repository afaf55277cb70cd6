//! Encrypted connections and logins, and what is said when they fail.

use chat_redis::PrivateAuthorities;
use test_servers::redis::PrivateRedis;

use crate::support::{Node, PATIENCE, SinkCall, event, outage_reason};

/// A node that believes the authority of `believed`.
fn node(url: &str, n: u128, believed: &PrivateRedis) -> Node {
    let pem = believed.authority().unwrap().unwrap();
    Node::begin_at(url, n, |config| {
        config.authorities = PrivateAuthorities::from_pem(&pem).unwrap();
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn events_go_through_an_encrypted_connection() {
    let redis = PrivateRedis::start_encrypted(&[]).unwrap();
    let nodes = [node(&redis.url(), 1, &redis), node(&redis.url(), 2, &redis)];
    for node in &nodes {
        assert!(node.fanout.wait_until_connected(PATIENCE).await, "{:?}", node.fanout.outage_reason());
        assert_eq!(node.fanout.outage_reason(), None);
    }
    nodes[0].notifier.publish(event(1, 1));
    nodes[1].sink.until_called(0, SinkCall::Deliver(event(1, 1))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn an_untrusted_certificate_is_refused_with_the_reason() {
    let (redis, other) = (PrivateRedis::start_encrypted(&[]).unwrap(), PrivateRedis::start_encrypted(&[]).unwrap());
    let by_address = redis.url().replace("localhost", "127.0.0.1");
    let cases = [
        (node(&redis.url(), 1, &other), "no authority that is trusted here has signed"),
        (node(&by_address, 2, &redis), "for another name"),
    ];
    for (node, part) in cases {
        let said = outage_reason(&node).await;
        assert!(said.contains(part) && said.contains(&redis.port().to_string()), "{said}");
        assert!(!node.fanout.is_connected());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_protocol_mismatch_is_reported_with_a_hint() {
    let (encrypted, plain) = (PrivateRedis::start_encrypted(&[]).unwrap(), PrivateRedis::start(&[]).unwrap());
    let said = outage_reason(&Node::begin_at(&encrypted.url().replace("rediss:", "redis:"), 1, |_| ())).await;
    assert!(said.contains("begins with rediss://"), "{said}");
    let said = outage_reason(&node(&plain.url().replace("redis:", "rediss:"), 2, &encrypted)).await;
    assert!(said.contains("begins with redis://"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn the_documented_acl_suffices_and_a_wrong_password_is_not_repeated() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let manual = include_str!("../../../../docs/operations.md");
    let user = manual.lines().find(|line| line.starts_with("ACL SETUSER chat on >secret ")).unwrap();
    redis.command(&user.split(' ').collect::<Vec<_>>()).unwrap();
    redis.command(&["ACL", "SETUSER", "default", "off"]).unwrap();
    let at = |login: &str| redis.url().replace("redis://", &format!("redis://{login}@"));
    let said = outage_reason(&Node::begin_at(&at("chat:canary"), 1, |_| ())).await;
    assert!(said.contains("WRONGPASS") && !said.contains("canary"), "{said}");
    let nodes = [Node::start_at(&at("chat:secret"), 2).await, Node::start_at(&at("chat:secret"), 3).await];
    nodes[0].notifier.publish(event(1, 1));
    nodes[1].sink.until_called(0, SinkCall::Deliver(event(1, 1))).await;
}
