//! Encrypted connections and logins, and what is said when they fail.

use chat_redis::PrivateAuthorities;
use test_redis::PrivateRedis;

use crate::support::{Node, PATIENCE, Told, event, trouble};

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
        assert!(node.fanout.wait_until_connected(PATIENCE).await, "{:?}", node.fanout.trouble());
        assert_eq!(node.fanout.trouble(), None);
    }
    nodes[0].notifier.publish(event(1, 1));
    nodes[1].sink.until_told(0, Told::Event(event(1, 1))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_certificate_that_cannot_be_believed_is_refused_in_words_that_say_why() {
    let (redis, other) = (PrivateRedis::start_encrypted(&[]).unwrap(), PrivateRedis::start_encrypted(&[]).unwrap());
    let by_address = redis.url().replace("localhost", "127.0.0.1");
    let cases = [
        (node(&redis.url(), 1, &other), "no authority that is trusted here has signed"),
        (node(&by_address, 2, &redis), "for another name"),
    ];
    for (node, part) in cases {
        let said = trouble(&node).await;
        assert!(said.contains(part) && said.contains(&redis.port().to_string()), "{said}");
        assert!(!node.fanout.is_connected());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn whoever_speaks_the_other_protocol_is_told_of_it() {
    let (encrypted, plain) = (PrivateRedis::start_encrypted(&[]).unwrap(), PrivateRedis::start(&[]).unwrap());
    let said = trouble(&Node::begin_at(&encrypted.url().replace("rediss:", "redis:"), 1, |_| ())).await;
    assert!(said.contains("begins with rediss://"), "{said}");
    let said = trouble(&node(&plain.url().replace("redis:", "rediss:"), 2, &encrypted)).await;
    assert!(said.contains("begins with redis://"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_user_needs_no_more_than_the_manual_says_and_a_wrong_password_is_told_and_not_repeated() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let manual = include_str!("../../../../docs/operations.md");
    let user = manual.lines().find(|line| line.starts_with("ACL SETUSER chat on >secret ")).unwrap();
    redis.command(&user.split(' ').collect::<Vec<_>>()).unwrap();
    redis.command(&["ACL", "SETUSER", "default", "off"]).unwrap();
    let at = |login: &str| redis.url().replace("redis://", &format!("redis://{login}@"));
    let said = trouble(&Node::begin_at(&at("chat:canary"), 1, |_| ())).await;
    assert!(said.contains("WRONGPASS") && !said.contains("canary"), "{said}");
    let nodes = [Node::start_at(&at("chat:secret"), 2).await, Node::start_at(&at("chat:secret"), 3).await];
    nodes[0].notifier.publish(event(1, 1));
    nodes[1].sink.until_told(0, Told::Event(event(1, 1))).await;
}
