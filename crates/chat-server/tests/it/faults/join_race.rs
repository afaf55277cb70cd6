//! People who come while others write: a snapshot and the events after its position are the session, whenever they come.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_loadgen::token::TokenRole;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::cluster::Cluster;
use super::traffic::{Traffic, assert_in_time, assert_rate};
use super::verdict;
use crate::support::{ExtendedSocket, Person};

const JOINS: usize = 1_000;
const MESSAGES_PER_SECOND: u32 = 50;
/// At the same time.
const AT_ONCE: usize = 25;
/// Durable events that everyone waits for after the hello, so that the seam between what was read and what came is passed.
const EVENTS_AFTER: u64 = 3;
/// Sockets that one person may have in a session at a time.
const SOCKETS_OF_A_PERSON: usize = 10;

/// What is known when the socket opens.
#[derive(Clone, Copy, Debug)]
enum Join {
    /// Nothing: the events begin after the position of the hello.
    Fresh,
    /// The newest page and its position.
    Snapshot,
    /// A position further back.
    Behind,
}

const KINDS: [Join; 3] = [Join::Fresh, Join::Snapshot, Join::Behind];

/// What someone has after they came: positions with messages, none for other events, without those before the first.
struct Joined {
    from: u64,
    events: Vec<(u64, Option<String>)>,
    /// The newest messages, oldest first, read after the position that the socket began with.
    page: Option<Vec<String>>,
}

/// The newest messages of a session and its position, which was read before them.
async fn snapshot(person: &Person, session: &str) -> (Vec<String>, u64) {
    let answer = person.get(&format!("/api/chat/sessions/{session}/messages?limit=100")).await;
    let seq = answer.headers()["X-Chat-Seq"].to_str().unwrap().parse().unwrap();
    let page = Person::json(answer, 200).await;
    let ids = page["messages"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap().to_owned());
    (ids.collect(), seq)
}

async fn join(person: Person, session: String, kind: Join, number: u64) -> Joined {
    let (page, query) = match kind {
        Join::Fresh => (None, String::new()),
        Join::Snapshot => {
            let (page, seq) = snapshot(&person, &session).await;
            (Some(page), format!("?since={seq}"))
        }
        Join::Behind => {
            let (_, seq) = snapshot(&person, &session).await;
            (None, format!("?since={}", seq.saturating_sub(1 + number % 300)))
        }
    };
    let mut socket = ExtendedSocket::open(person.addr(), &person.token, &session, &query).await.unwrap();
    let hello = socket.hello.clone();
    let from = if let Some((_, since)) = query.split_once('=') {
        assert!(hello.resumed, "{kind:?}: {:?}", hello.reason);
        let since = since.parse().unwrap();
        assert_eq!(hello.replayed, hello.seq - since, "{kind:?}: the events up to the head are replayed");
        since
    } else {
        assert_eq!((hello.resumed, hello.reason.as_deref()), (false, Some("fresh")));
        hello.seq
    };
    let mut events = Vec::new();
    while events.last().is_none_or(|(seq, _)| *seq < hello.seq + EVENTS_AFTER) {
        let frame = socket.next().await;
        let seq = frame["seq"].as_u64().expect("only durable events happen here");
        let message = (frame["type"] == "message").then(|| frame["data"]["id"].as_str().unwrap().to_owned());
        events.push((seq, message));
    }
    socket.finish().await;
    Joined { from, events, page }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn of_a_thousand_who_join_while_others_write_everyone_has_everything() {
    let cluster = Cluster::with_redis(2).await;
    let session = cluster.open_sessions(1).await.remove(0);
    let sessions = [session.clone()];
    let mut traffic = Traffic::paced(&cluster, &sessions, MESSAGES_PER_SECOND);
    traffic.more(100).await;
    let begun = traffic.now_us();
    let (door, mut joining) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    let people: Vec<Person> = (0..AT_ONCE.div_ceil(SOCKETS_OF_A_PERSON) * 4)
        .map(|number| cluster.person(&format!("admin-{number}"), TokenRole::Admin))
        .collect();
    for number in 0..JOINS {
        let addresses = cluster.addresses();
        let person = people[number % people.len()].at(*addresses[number / KINDS.len() % addresses.len()].borrow());
        let (session, kind, door) = (session.clone(), KINDS[number % KINDS.len()], Arc::clone(&door));
        joining.spawn(async move {
            let _inside = door.acquire_owned().await.unwrap();
            join(person, session, kind, number as u64).await
        });
    }
    let joined = joining.join_all().await;
    let end = traffic.now_us();
    let answers = traffic.stop_sending().await;
    assert_in_time(&answers, &[]);
    assert_rate(&answers, &(begun..end), MESSAGES_PER_SECOND);

    let rows = cluster.database.sql(&format!("SELECT seq, id FROM chat_messages WHERE session_id = '{session}'"));
    let stored: BTreeMap<u64, &str> =
        rows.lines().filter_map(|row| row.split_once('|')).map(|(seq, id)| (seq.parse().unwrap(), id)).collect();
    let exact = joined.iter().filter(|joined| is_exact(joined, &stored)).count();
    println!("{exact} of {JOINS} joins were exact, while {} messages were written", stored.len());
    assert_eq!(exact, JOINS);
    verdict::check_sent(&cluster, traffic, answers).await;
}

/// Whether the events are those that are stored, from the first position on and without a gap, and the page is what is
/// stored before it.
fn is_exact(joined: &Joined, stored: &BTreeMap<u64, &str>) -> bool {
    let mut due = joined.from + 1..;
    let events = joined
        .events
        .iter()
        .all(|(seq, message)| Some(*seq) == due.next() && message.as_deref() == stored.get(seq).copied());
    let page = joined.page.as_ref().is_none_or(|page| {
        let before: Vec<&str> = stored.range(..=joined.from).rev().map(|(_, id)| *id).collect();
        // The page may have messages that came after its position was read; what it must not have is a hole.
        let newer = page.iter().rev().position(|id| before.first().is_some_and(|newest| newest == id));
        newer.is_some_and(|newer| page.iter().rev().skip(newer).zip(before).all(|(listed, stored)| listed == stored))
    });
    events && page
}

#[test]
fn a_join_with_a_gap_a_repetition_or_another_message_is_not_exact() {
    let stored = [(2, "a"), (3, "b"), (5, "c")].into_iter().collect();
    let joined = |events: &[(u64, Option<&str>)]| Joined {
        from: 2,
        events: events.iter().map(|(seq, id)| (*seq, id.map(str::to_owned))).collect(),
        page: None,
    };
    assert!(is_exact(&joined(&[(3, Some("b")), (4, None), (5, Some("c"))]), &stored));
    for wrong in [
        &[(3, Some("b")), (5, Some("c"))][..],
        &[(3, Some("b")), (3, Some("b")), (4, None)],
        &[(3, Some("c"))],
        &[(2, Some("a")), (3, Some("b"))],
        &[(3, None)],
    ] {
        assert!(!is_exact(&joined(wrong), &stored), "{wrong:?}");
    }
    for (page, exact) in [(vec!["a", "b"], true), (vec!["a"], true), (vec!["b"], false), (vec!["x", "a"], true)] {
        let page = Some(page.into_iter().map(str::to_owned).collect());
        assert_eq!(is_exact(&Joined { page, ..joined(&[(3, Some("b"))]) }, &stored), exact);
    }
}
