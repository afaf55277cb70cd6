//! Two servers on one database: what holds on one holds across both, also while one of them is killed or frozen.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_loadgen::token::TokenRole;
use reqwest::Method;
use serde_json::{Value, json};
use test_servers::postgres::TestDatabase;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::traffic::{Answer, Spread, Traffic, assert_in_time};
use super::{short_or_long, verdict};
use crate::support::Person;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn messages_through_two_servers_to_the_same_sessions_are_one_history() {
    let cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(4).await;
    let traffic = Traffic::start(&cluster, sessions, 16, 2, Spread::Everywhere).await;
    traffic.more(short_or_long(2_000, 50_000)).await;
    let answers = verdict::check(&cluster, traffic).await;
    assert_in_time(&answers, &[]);
    for node in 0..2 {
        assert!(answers.iter().filter(|answer| answer.node == node).count() > 100, "both servers were written to");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn nothing_follows_a_close_through_the_other_server() {
    let cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    for round in 0..short_or_long(5, 50) {
        let sessions = cluster.open_sessions(1).await;
        let session = sessions[0].clone();
        let mut traffic = Traffic::start(&cluster, sessions, 8, 2, Spread::Everywhere).await;
        traffic.more(40).await;
        // The senders are spread over both servers, so whichever closes has four of them on the other one.
        let closer = cluster.alice().at(*cluster.addresses()[round % 2].borrow());
        let closed = closer.put(&format!("/api/chat/sessions/{session}/close"), &json!({})).await;
        assert_eq!(Person::json(closed, 200).await["status"], "closed");
        let answers = traffic.sent().await;
        assert_in_time(&answers, &[Some(409)]);
        let refused = answers.iter().filter(|answer| answer.status == Some(409)).count();
        assert_eq!(refused, 8, "every sender was refused once and stopped");
        let late = cluster.database.sql(&format!(
            "SELECT m.seq FROM chat_messages AS m JOIN chat_session_events AS e USING (session_id)
             WHERE session_id = '{session}' AND e.kind = 'closed' AND m.seq > e.seq"
        ));
        assert_eq!(late, "", "messages follow the close");
        verdict::check_sent(&cluster, traffic, answers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn of_sixteen_claims_through_two_servers_one_wins() {
    let cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    for round in 0..short_or_long(10, 100) {
        let session = cluster.alice().open_session("who is first").await;
        let mut claims = JoinSet::new();
        for number in 0..16 {
            let agent = format!("agent-{number}");
            let person = cluster.person(&agent, TokenRole::Agent).at(*cluster.addresses()[number % 2].borrow());
            let path = format!("/api/chat/sessions/{session}/assign");
            claims.spawn(async move {
                let answer = person.put(&path, &json!({ "agentId": agent })).await;
                (agent, answer.status().as_u16(), answer.json::<Value>().await.unwrap())
            });
        }
        let claims = claims.join_all().await;
        let winners: Vec<_> = claims.iter().filter(|(_, status, _)| *status == 200).collect();
        assert_eq!(winners.len(), 1, "round {round}: {claims:?}");
        for (agent, status, body) in claims.iter().filter(|(_, status, _)| *status != 200) {
            // On a busy machine a claim may wait for the lock of the session for longer than it may, and is not carried out.
            let expected = if *status == 503 { "UNAVAILABLE" } else { "ALREADY_ASSIGNED" };
            assert_eq!(body["error"]["code"], expected, "round {round}: {agent}: {status} {body}");
        }
        for address in cluster.addresses() {
            let found = cluster.alice().at(*address.borrow()).get(&format!("/api/chat/sessions/{session}")).await;
            assert_eq!(Person::json(found, 200).await["agentId"], winners[0].0.as_str());
        }
    }
    verdict::check_figures(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn of_forty_openings_through_two_servers_twenty_reach_the_limit() {
    let settings = [("CHAT_MAX_OPEN_SESSIONS", "20")];
    let cluster = Cluster::start(2, TestDatabase::empty(), &settings).await;
    for round in 0..short_or_long(5, 50) {
        let customer = cluster.person(&format!("customer-{round}"), TokenRole::User);
        let mut openings = JoinSet::new();
        for number in 0..40 {
            let customer = customer.at(*cluster.addresses()[number % 2].borrow());
            openings.spawn(async move {
                let request = customer.request(Method::POST, "/api/chat/sessions");
                let answer = request.header("Idempotency-Key", format!("key-{number}")).send().await.unwrap();
                (number, answer.status().as_u16())
            });
        }
        let openings = openings.join_all().await;
        let opened: Vec<usize> = openings.iter().filter(|(_, status)| *status == 201).map(|(key, _)| *key).collect();
        assert_eq!(opened.len(), 20, "round {round}: {openings:?}");
        assert!(openings.iter().all(|(_, status)| [201, 429].contains(status)), "{openings:?}");
        for address in cluster.addresses() {
            let customer = customer.at(*address.borrow());
            let repeated = customer.request(Method::POST, "/api/chat/sessions");
            let repeated = repeated.header("Idempotency-Key", format!("key-{}", opened[0])).send().await.unwrap();
            assert_eq!(repeated.status(), 201, "a repetition is answered at the limit");
            let listed = Person::json(customer.get("/api/chat/sessions").await, 200).await;
            assert_eq!(listed["totalCount"], 20);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn one_key_through_two_servers_is_one_message_and_one_answer() {
    let cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    let session = cluster.open_sessions(1).await.remove(0);
    let keys = short_or_long(50, 1_000);
    for number in 0..keys {
        let mut repeats = JoinSet::new();
        for repeat in 0..8 {
            let alice = cluster.alice().at(*cluster.addresses()[repeat % 2].borrow());
            let path = format!("/api/chat/sessions/{session}/messages");
            let request = alice.request(Method::POST, &path).header("Idempotency-Key", format!("key-{number}"));
            let request = request.json(&json!({ "content": format!("message {number}") }));
            repeats.spawn(async move {
                let answer = request.send().await.unwrap();
                let (status, replayed) = (answer.status(), answer.headers().contains_key("Idempotency-Replayed"));
                (status.as_u16(), replayed, answer.text().await.unwrap())
            });
        }
        let repeats = repeats.join_all().await;
        let answers: BTreeSet<(u16, &str)> = repeats.iter().map(|(status, _, body)| (*status, body.as_str())).collect();
        assert!(answers.len() == 1 && answers.iter().all(|(status, _)| *status == 201), "{repeats:?}");
        let first = repeats.iter().filter(|(_, replayed, _)| !replayed).count();
        assert_eq!(first, 1, "one request sent it, the others repeat its answer: {repeats:?}");
    }
    let (messages, _) = cluster.alice().all_messages(&session).await;
    assert_eq!(messages.len(), keys);
    verdict::check_figures(&cluster).await;
}

/// The longest time in which a server acknowledged nothing, between two moments.
fn longest_pause(answers: &[Answer], node: usize, from: u64, to: u64) -> Duration {
    let within = |answer: &&Answer| answer.node == node && answer.is_acknowledged();
    let acknowledged = answers.iter().filter(within).map(|answer| answer.attempt.ended_us);
    let moments: Vec<u64> =
        [from].into_iter().chain(acknowledged.filter(|at| (from..to).contains(at))).chain([to]).collect();
    Duration::from_micros(moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_server_goes_on_when_the_other_one_is_killed() {
    let mut cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(4).await;
    let traffic = Traffic::start(&cluster, sessions, 8, 2, Spread::Everywhere).await;
    let mut kills = Vec::new();
    for round in 0..short_or_long(5, 30) {
        traffic.more(100).await;
        let dies = round % 2;
        let from = traffic.now_us();
        cluster.kill(dies);
        // All eight senders, those of the dead server too, go on with the other one.
        let after = traffic.one_more_of_each().await;
        println!("kill {}: all senders went on after {after:?}", round + 1);
        assert!(after <= Duration::from_secs(15), "{after:?}");
        traffic.more(50).await;
        kills.push((1 - dies, from, traffic.now_us()));
        cluster.start_again(dies).await;
    }
    let answers = verdict::check(&cluster, traffic).await;
    assert_in_time(&answers, &[None, Some(503)]);
    for (survivor, from, to) in kills {
        let pause = longest_pause(&answers, survivor, from, to);
        println!("the other server acknowledged nothing for at most {pause:?}");
        // What the killed server had locked is free when its connections are gone.
        assert!(pause <= Duration::from_secs(5), "{pause:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_server_goes_on_when_the_other_one_is_frozen() {
    let frozen_for = Duration::from_secs(6);
    let cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(4).await;
    // Senders 0, 1, 4, 5 and sessions 0, 1 are the first server's, the others the second one's.
    let traffic = Traffic::start(&cluster, sessions, 8, 1, Spread::OneSessionEach).await;
    let mut freezes = Vec::new();
    for _ in 0..short_or_long(4, 20) {
        traffic.more(100).await;
        let from = traffic.now_us();
        cluster.node(0).signal("STOP");
        sleep(frozen_for).await;
        freezes.push((from, traffic.now_us()));
        cluster.node(0).signal("CONT");
        traffic.one_more_of_each().await;
    }
    let answers = verdict::check(&cluster, traffic).await;
    assert_in_time(&answers, &[Some(503)]);
    for (from, to) in freezes {
        let pause = longest_pause(&answers, 1, from, to);
        println!("the other server acknowledged nothing for at most {pause:?}");
        assert!(pause + Duration::from_secs(1) < frozen_for, "{pause:?}");
    }
    let failed = answers.iter().filter(|answer| answer.node == 1 && !answer.is_acknowledged()).count();
    assert_eq!(failed, 0, "no message to another session failed");
}
