//! What must hold when everything is over.

use std::collections::HashMap;

use chat_loadgen::history::{self, FinalState, History, OtherEvents, StoredMessage};
use chat_loadgen::token::TokenRole;

use super::cluster::Cluster;
use super::follower::Followed;
use super::followers::Followers;
use super::traffic::{Answer, Traffic};
use crate::support::Person;

/// Positions of a session that are missing or doubled, or that the session's own row does not know of.
const FAULTY_POSITIONS: &str = "
    SELECT e.session_id FROM (
        SELECT session_id, seq FROM chat_messages UNION ALL SELECT session_id, seq FROM chat_session_events
    ) AS e JOIN chat_sessions AS s ON s.id = e.session_id
    GROUP BY e.session_id, s.last_seq
    HAVING min(e.seq) <> 1 OR max(e.seq) <> count(*) OR count(DISTINCT e.seq) <> count(*) OR s.last_seq <> count(*)";

/// The statistics as the rows have them: a customer who waits has waited since the first message without a reply.
const RECOUNT: &str = "
    WITH said AS (
        SELECT session_id, sender, created_at, seq, count(*) FILTER (WHERE sender = 'support')
            OVER (PARTITION BY session_id ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS answered
        FROM chat_messages
    ), turns AS (
        SELECT min(seq) FILTER (WHERE sender = 'user') AS asked_seq,
            (array_agg(created_at ORDER BY seq) FILTER (WHERE sender = 'user'))[1] AS asked,
            max(created_at) FILTER (WHERE sender = 'support') AS answer
        FROM said GROUP BY session_id, answered
    )
    SELECT (SELECT count(*) FROM chat_sessions), (SELECT count(*) FROM chat_sessions WHERE status = 'active'),
        (SELECT count(*) FROM chat_messages), count(*), coalesce(sum(greatest(answer - asked, 0)), 0)
    FROM turns WHERE asked IS NOT NULL AND answer IS NOT NULL";

const RESPONSES: &str = "SELECT sum(responses), sum(response_time_ms) FROM chat_stats";

/// Ends the traffic and checks everything: the history, the positions, the statistics of every server. Answers
/// what the senders were told.
pub(super) async fn check(cluster: &Cluster, mut traffic: Traffic) -> Vec<Answer> {
    let answers = traffic.stop_sending().await;
    check_sent(cluster, traffic, answers).await
}

/// As [`check`], of senders who have stopped.
pub(super) async fn check_sent(cluster: &Cluster, traffic: Traffic, answers: Vec<Answer>) -> Vec<Answer> {
    let mut history = History::default();
    for session in traffic.sessions.iter() {
        history.finals.push(final_state(cluster, session).await);
    }
    let last = |state: &FinalState| Some((state.session.clone(), state.messages.last()?.id.clone()));
    let last_messages: HashMap<String, String> = history.finals.iter().filter_map(last).collect();
    history.readers = traffic.stop_reading(last_messages).await;
    history.attempts = answers.iter().map(|answer| answer.attempt.clone()).collect();
    assert_good(&history);
    check_figures(cluster).await;
    answers
}

/// As [`check`], with those who follow in extended mode: each must have had every durable event of its session once and in
/// order, from the first to the last. Answers what senders were told and what followers saw.
pub(super) async fn check_followed(
    cluster: &Cluster,
    mut traffic: Traffic,
    followers: Followers,
) -> (Vec<Answer>, Vec<Followed>) {
    let answers = traffic.stop_sending().await;
    let mut history = History::default();
    for session in traffic.sessions.iter() {
        history.finals.push(final_state(cluster, session).await);
    }
    let last = |state: &FinalState| (state.session.clone(), state.last_seq.unwrap());
    let last_seqs: HashMap<String, u64> = history.finals.iter().map(last).collect();
    let followed = followers.stop(last_seqs.clone()).await;
    history.readers = followed.iter().flat_map(|seen| seen.logs.iter().cloned()).collect();
    history.attempts = answers.iter().map(|answer| answer.attempt.clone()).collect();
    assert_good(&history);
    for seen in &followed {
        // The checker looks for the last message; this is about the last event of any kind.
        let last = seen.logs.iter().flat_map(|log| &log.events).next_back().and_then(|event| event.seq);
        assert_eq!(last, last_seqs.get(&seen.session).copied(), "the last event that a follower saw");
        let not_resumed = seen.hellos.iter().find(|hello| !hello.resumed);
        assert!(not_resumed.is_none(), "a socket was not resumed: {:?}", not_resumed.map(|hello| &hello.reason));
    }
    check_figures(cluster).await;
    (answers, followed)
}

#[expect(clippy::print_stdout, reason = "the figures of a test")]
fn assert_good(history: &History) {
    let violations = history::check(history);
    let told: Vec<String> = violations.iter().take(20).map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations, such as\n{}", violations.len(), told.join("\n"));
    println!("a good history: {:?}", history.size());
}

/// The positions of all sessions and the statistics of all servers.
pub(super) async fn check_figures(cluster: &Cluster) {
    assert_eq!(cluster.database.sql(FAULTY_POSITIONS), "", "sessions with gaps or doubled positions");
    let recount = cluster.database.sql(RECOUNT);
    let counts: Vec<u32> = recount.split('|').map(|count| count.parse().unwrap()).collect();
    let [sessions, active, messages, responses, response_time_ms] = counts[..] else { panic!("{recount}") };
    assert_eq!(cluster.database.sql(RESPONSES), format!("{responses}|{response_time_ms}"));
    let minutes = f64::from(response_time_ms) / f64::from(responses.max(1)) / 60_000.0;
    let admin = cluster.person("root", TokenRole::Admin);
    for address in cluster.addresses() {
        let told = admin.at(*address.borrow()).get("/api/chat/stats").await;
        let told = Person::json(told, 200).await;
        let figures = [&told["totalSessions"], &told["activeSessions"], &told["messagesExchanged"]];
        assert_eq!(figures, [sessions, active, messages], "{told}");
        assert!((told["averageResponseTime"].as_f64().unwrap() - minutes).abs() < 1e-9, "{told} for {minutes}");
    }
}

async fn final_state(cluster: &Cluster, session: &str) -> FinalState {
    let (listed, head) = cluster.person("root", TokenRole::Admin).all_messages(session).await;
    let rows = cluster.database.sql(&format!("SELECT id, seq FROM chat_messages WHERE session_id = '{session}'"));
    let seqs: HashMap<&str, u64> =
        rows.lines().filter_map(|row| row.split_once('|')).map(|(id, seq)| (id, seq.parse().unwrap())).collect();
    let messages: Vec<StoredMessage> = listed
        .iter()
        .map(|message| {
            let id = message["id"].as_str().unwrap();
            let content = message["content"].as_str().unwrap().to_owned();
            StoredMessage { id: id.to_owned(), content, seq: Some(seqs[id]) }
        })
        .collect();
    assert_eq!(seqs.len(), messages.len(), "what is listed is what is there");
    // Opened, claimed, perhaps closed; and receipts, since the server sees which sockets are alive. In one look, because
    // one more may be on its way.
    let row = cluster.database.sql(&format!(
        "SELECT last_seq, (SELECT count(*) FROM chat_session_events WHERE session_id = s.id)
         FROM chat_sessions AS s WHERE id = '{session}'"
    ));
    let (last_seq, others) = row.split_once('|').unwrap();
    let last_seq: u64 = last_seq.parse().unwrap();
    assert!(head <= last_seq, "the head is one that is stored");
    FinalState {
        session: session.to_owned(),
        total_count: messages.len() as u64,
        messages,
        last_seq: Some(last_seq),
        other_events: OtherEvents::Exactly(others.parse().unwrap()),
    }
}
