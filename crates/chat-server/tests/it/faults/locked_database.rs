//! Another client holds locks in the database: requests fail in time, nothing else does, and all is well when they let go.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use test_servers::postgres::TestDatabase;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::cluster::Cluster;
use super::locker::Locker;
use super::traffic::{Answer, Spread, Traffic, assert_in_time};
use super::{REQUEST_LIMIT, median_and_max, short_or_long, verdict};
use crate::support::{PATIENCE, Person};

/// From the moment that the lock goes.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// What `/healthz` may take. If it waited for the database, it would take as long as a refused request: five seconds.
const HEALTH_MEDIAN: Duration = Duration::from_millis(500);
const HEALTH_MAX: Duration = Duration::from_secs(4);

/// Someone who asks the same thing again and again.
struct Poll {
    person: Person,
    path: String,
    pause: Duration,
}

/// What came of one request.
struct Polled {
    began: Instant,
    ended: Instant,
    status: u16,
    retry_after: bool,
}

impl Polled {
    fn took(&self) -> Duration {
        self.ended - self.began
    }
}

impl Poll {
    async fn run(self, stop: watch::Receiver<bool>) -> (String, Vec<Polled>) {
        let mut answers = Vec::new();
        while !*stop.borrow() {
            let began = Instant::now();
            let request = self.person.request(Method::GET, &self.path);
            let answer = timeout(PATIENCE, request.send()).await.expect("an answer").unwrap();
            let (status, retry_after) = (answer.status().as_u16(), answer.headers().contains_key(RETRY_AFTER));
            answer.bytes().await.unwrap();
            answers.push(Polled { began, ended: Instant::now(), status, retry_after });
            sleep(self.pause).await;
        }
        (self.path, answers)
    }
}

/// All requests of the polls, by what was asked.
struct Polls {
    stop: watch::Sender<bool>,
    running: JoinSet<(String, Vec<Polled>)>,
}

impl Polls {
    fn start(person: &Person, paths: impl IntoIterator<Item = (String, Duration)>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        for (path, pause) in paths {
            running.spawn(Poll { person: person.clone(), path, pause }.run(stopped.clone()));
        }
        Self { stop, running }
    }

    async fn stop(mut self) -> HashMap<String, Vec<Polled>> {
        self.stop.send_replace(true);
        let mut all: HashMap<String, Vec<Polled>> = HashMap::new();
        while let Some(done) = self.running.join_next().await {
            let (path, answers) = done.unwrap();
            all.entry(path).or_default().extend(answers);
        }
        all
    }
}

#[expect(clippy::print_stdout, reason = "the figures of a test")]
fn assert_healthy(answers: &[Polled]) {
    let (median, max) = median_and_max(answers.iter().map(Polled::took).collect());
    println!("{} times /healthz: median {median:?}, at most {max:?}", answers.len());
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(median <= HEALTH_MEDIAN && max <= HEALTH_MAX, "/healthz: median {median:?}, at most {max:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_locked_table_fails_requests_in_time_and_nothing_else() {
    let hold = short_or_long(Duration::from_secs(8), Duration::from_secs(20));
    let cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(4).await;
    let traffic = Traffic::start(&cluster, sessions, 8, 2, Spread::Everywhere).await;
    let mut answers_while_locked = Vec::new();
    for table in ["chat_sessions", "chat_messages"] {
        traffic.more(100).await;
        let alice = cluster.alice();
        let often = Duration::from_millis(20);
        let (list, healthz) = ("/api/chat/sessions".to_owned(), "/healthz".to_owned());
        let page = format!("/api/chat/sessions/{}/messages", traffic.sessions[0]);
        let deep_page = format!("{page}?limit=7");
        let lock = Locker::table(&cluster.database, table);
        let (locked_at, locked_us) = (Instant::now(), traffic.now_us());
        // Many more than there are connections that read.
        let polls = [(&list, 4), (&page, 4), (&deep_page, 40), (&healthz, 1)];
        let polls = polls.iter().flat_map(|(path, times)| vec![((*path).clone(), often); *times]);
        let polls = Polls::start(&alice, polls);
        sleep(hold).await;
        let (free_at, free_us) = (Instant::now(), traffic.now_us());
        drop(lock);
        let back = tokio::join!(traffic.one_more_of_each(), timeout(PATIENCE, alice.get(&list)), alice.get(&page));
        let reads_after = free_at.elapsed();
        println!("{table} was locked for {hold:?}: all senders were served again after {:?}", back.0);
        assert!(back.0 <= BACK_WITHIN, "writes were back after {:?}", back.0);
        assert_eq!((back.1.unwrap().status(), back.2.status()), (200.try_into().unwrap(), 200.try_into().unwrap()));
        assert!(reads_after <= BACK_WITHIN, "reads were back after {reads_after:?}");

        let mut polled = polls.stop().await;
        assert_healthy(&polled.remove(&healthz).unwrap());
        for (path, answers) in &polled {
            // What began before the lock went, and ended before it went.
            let meanwhile = || answers.iter().filter(|answer| answer.began > locked_at && answer.ended < free_at);
            let slowest = answers.iter().map(Polled::took).max().unwrap();
            println!("{path}: {} answers while {table} was locked, the slowest after {slowest:?}", meanwhile().count());
            assert!(slowest <= REQUEST_LIMIT, "{path} took {slowest:?}");
            // A list needs no messages, and a page that is kept in memory needs the session only.
            let may_succeed = table == "chat_messages";
            assert!(meanwhile().all(|answer| answer.status == 503 || may_succeed && answer.status == 200), "{path}");
            assert!(meanwhile().all(|answer| answer.status == 200 || answer.retry_after), "{path}: no Retry-After");
            assert!(may_succeed || meanwhile().count() > 0, "{path} was not answered at all");
        }
        answers_while_locked.push((table, locked_us, free_us));
    }
    let answers = verdict::check(&cluster, traffic).await;
    assert_in_time(&answers, &[Some(503)]);
    assert!(answers.iter().all(|answer| answer.is_acknowledged() || answer.retry_after));
    for (table, from, to) in answers_while_locked {
        let meanwhile: Vec<&Answer> =
            answers.iter().filter(|answer| answer.attempt.began_us > from && answer.attempt.ended_us < to).collect();
        assert!(!meanwhile.is_empty() && meanwhile.iter().all(|answer| answer.status == Some(503)), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_locked_session_fails_its_own_messages_and_no_others() {
    let hold = short_or_long(Duration::from_secs(6), Duration::from_secs(20));
    let settings = [("CHAT_DATABASE_WRITERS", "1")];
    let cluster = Cluster::start(1, TestDatabase::empty(), &settings).await;
    let sessions = cluster.open_sessions(4).await;
    let traffic = Traffic::start(&cluster, sessions, 8, 1, Spread::OneSessionEach).await;
    traffic.more(100).await;
    let locked = traffic.sessions[0].clone();
    let lock = Locker::session(&cluster.database, &locked);
    let from = traffic.now_us();
    sleep(hold).await;
    let to = traffic.now_us();
    drop(lock);
    let after = traffic.one_more_of_each().await;
    let answers = verdict::check(&cluster, traffic).await;

    assert!(after <= BACK_WITHIN, "writes were back after {after:?}");
    let (its_own, others): (Vec<&Answer>, Vec<&Answer>) = answers
        .iter()
        .filter(|answer| answer.attempt.began_us > from && answer.attempt.ended_us < to)
        .partition(|answer| answer.attempt.session == locked);
    assert!(its_own.iter().all(|answer| answer.status == Some(503) && answer.retry_after));
    assert_in_time(&answers, &[Some(503)]);
    let (median, max) = median_and_max(others.iter().map(|answer| answer.took()).collect());
    let failed = others.iter().filter(|answer| !answer.is_acknowledged()).count();
    println!("{} answers of other sessions, {failed} failed; median {median:?}, at most {max:?}", others.len());
    assert_eq!(failed, 0, "messages to other sessions failed");
    assert!(max <= Duration::from_secs(4), "messages to other sessions took up to {max:?}");
}
