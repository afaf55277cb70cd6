//! People who write all the time, each message until its outcome is known, and people who follow on sockets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chat_loadgen::history::{Attempt, AttemptOutcome, ReaderLog};
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, interval_at, sleep, timeout};

use super::REQUEST_LIMIT;
use super::cluster::Cluster;
use super::reader::Reader;
use crate::support::{PATIENCE, Person};

/// Between two messages of a sender who has no rate. Without it a session would grow by more than a socket that was
/// lost can ask for.
const PAUSE: Duration = Duration::from_millis(5);
/// How many senders send at a rate. A sender that waits for an answer must not slow the others down.
const PACED_SENDERS: u32 = 16;
/// Before a message is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// When a sender stops to wait for an answer: later than any answer may come, so that a late one is seen as such.
const GIVE_UP: Duration = Duration::from_secs(45);

/// Who writes where.
#[derive(Clone, Copy)]
pub(super) enum Spread {
    /// Every sender writes to all sessions in turn.
    Everywhere,
    /// Sender 0 writes to session 0, sender 1 to session 1, and around.
    OneSessionEach,
}

/// A request and what came of it.
pub(super) struct Answer {
    pub(super) attempt: Attempt,
    /// The server that was asked.
    pub(super) node: usize,
    /// None when the connection broke or the sender gave up.
    pub(super) status: Option<u16>,
    pub(super) retry_after: bool,
}

impl Answer {
    pub(super) fn took(&self) -> Duration {
        Duration::from_micros(self.attempt.ended_us - self.attempt.began_us)
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        self.acknowledged_id().is_some()
    }

    /// The message that it became.
    pub(super) fn acknowledged_id(&self) -> Option<&str> {
        match &self.attempt.outcome {
            AttemptOutcome::Acknowledged { id, .. } => Some(id),
            AttemptOutcome::Refused { .. } | AttemptOutcome::Unknown => None,
        }
    }
}

/// Senders and readers at work.
pub(super) struct Traffic {
    pub(super) sessions: Arc<Vec<String>>,
    started: Instant,
    stop: watch::Sender<bool>,
    /// How many messages of each sender were acknowledged.
    acknowledged: Arc<watch::Sender<Vec<u64>>>,
    /// Of senders who have stopped for it, for a test that waits for one in vain.
    refusals: Arc<Mutex<Vec<String>>>,
    senders: JoinSet<Vec<Answer>>,
    readers: JoinSet<Vec<ReaderLog>>,
    last_messages: watch::Sender<Option<HashMap<String, String>>>,
}

impl Traffic {
    /// Opens the sockets, `readers` of them for each session, and then lets the senders begin. Both are spread over the
    /// servers.
    pub(super) async fn start(
        cluster: &Cluster,
        sessions: Vec<String>,
        senders: usize,
        readers: usize,
        spread: Spread,
    ) -> Self {
        let sessions = Arc::new(sessions);
        let (last_messages, finish) = watch::channel(None);
        let (addresses, people) = (cluster.addresses(), [cluster.alice(), cluster.bob()]);
        let opened = Arc::new(Semaphore::new(0));
        let mut reading = JoinSet::new();
        for session in sessions.iter() {
            for number in 0..readers {
                let (person, address) = (people[number % 2].clone(), addresses[number % addresses.len()].clone());
                let alone = cluster.count() == 1;
                let name = format!("reader {number}");
                let reader =
                    Reader::new(name, session.clone(), person, address, finish.clone(), Arc::clone(&opened), alone);
                reading.spawn(reader.run());
            }
        }
        let everyone = u32::try_from(reading.len()).unwrap();
        let _there = timeout(PATIENCE, opened.acquire_many(everyone)).await.expect("all sockets open").unwrap();

        Self { readers: reading, last_messages, ..Self::send(cluster, sessions, senders, spread, None) }
    }

    /// Sends so many messages a second in all, to all sessions in turn, spread over the servers. No socket follows.
    pub(super) fn paced(cluster: &Cluster, sessions: &[String], per_second: u32) -> Self {
        let period = Duration::from_secs(1) * PACED_SENDERS / per_second;
        let sessions = Arc::new(sessions.to_vec());
        Self::send(cluster, sessions, PACED_SENDERS as usize, Spread::Everywhere, Some(period))
    }

    fn send(
        cluster: &Cluster,
        sessions: Arc<Vec<String>>,
        senders: usize,
        spread: Spread,
        period: Option<Duration>,
    ) -> Self {
        let (addresses, people) = (cluster.addresses(), [cluster.alice(), cluster.bob()]);
        let started = cluster.started();
        let (stop, stopped) = watch::channel(false);
        let acknowledged = Arc::new(watch::Sender::new(vec![0; senders]));
        let refusals = Arc::default();
        let mut sending = JoinSet::new();
        for number in 0..senders {
            // One after the other, so that they do not all send at the same moment.
            let interval = period.map(|period| {
                let offset = period * u32::try_from(number).unwrap() / u32::try_from(senders).unwrap();
                interval_at(tokio::time::Instant::now() + offset, period)
            });
            let sender = Sender {
                number,
                person: people[number % 2].clone(),
                sessions: Arc::clone(&sessions),
                spread,
                node: number / 2 % addresses.len(),
                addresses: addresses.clone(),
                acknowledged: Arc::clone(&acknowledged),
                refusals: Arc::clone(&refusals),
                stop: stopped.clone(),
                started,
                interval,
                answers: Vec::new(),
            };
            sending.spawn(sender.run());
        }
        let (readers, last_messages) = (JoinSet::new(), watch::Sender::new(None));
        Self { sessions, started, stop, acknowledged, refusals, senders: sending, readers, last_messages }
    }

    /// Now, on the clock of the answers.
    pub(super) fn now_us(&self) -> u64 {
        micros(self.started)
    }

    /// Waits for this many more acknowledged messages.
    pub(super) async fn more(&self, messages: u64) {
        let mut acknowledged = self.acknowledged.subscribe();
        let before: u64 = acknowledged.borrow_and_update().iter().sum();
        // Many messages may take long; that none comes may not.
        while acknowledged.borrow_and_update().iter().sum::<u64>() < before + messages {
            timeout(PATIENCE, acknowledged.changed()).await.expect("messages are acknowledged").unwrap();
        }
    }

    /// Waits until each of some senders has one more message acknowledged, and answers how long that took.
    pub(super) async fn one_more_of(&self, senders: impl Iterator<Item = usize>) -> Duration {
        let (begun, senders) = (Instant::now(), senders.collect::<Vec<_>>());
        let mut acknowledged = self.acknowledged.subscribe();
        let before = acknowledged.borrow_and_update().clone();
        let enough = acknowledged.wait_for(|counts| senders.iter().all(|sender| counts[*sender] > before[*sender]));
        let goes_on = timeout(PATIENCE, enough).await.is_ok();
        let counts = acknowledged.borrow().clone();
        let refusals = self.refusals.lock().unwrap().clone();
        assert!(
            goes_on,
            "of senders {senders:?} some did not go on: {before:?} messages then, {counts:?} now, refused {refusals:?}"
        );
        begun.elapsed()
    }

    /// Waits until each sender has one more message acknowledged, and answers how long that took.
    pub(super) async fn one_more_of_each(&self) -> Duration {
        let count = self.acknowledged.borrow().len();
        self.one_more_of(0..count).await
    }

    /// Lets the senders finish the messages they have begun. The sockets stay open.
    pub(super) async fn stop_sending(&mut self) -> Vec<Answer> {
        self.stop.send_replace(true);
        self.sent().await
    }

    /// Waits for senders who stop by themselves, such as those who were refused.
    pub(super) async fn sent(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(done) = timeout(2 * PATIENCE, self.senders.join_next()).await.expect("senders finish") {
            answers.extend(done.unwrap());
        }
        answers.sort_by_key(|answer| answer.attempt.ended_us);
        answers
    }

    /// Lets the readers see the last message of each session, and answers what they saw.
    pub(super) async fn stop_reading(mut self, last_messages: HashMap<String, String>) -> Vec<ReaderLog> {
        self.last_messages.send_replace(Some(last_messages));
        let mut logs = Vec::new();
        while let Some(done) = timeout(2 * PATIENCE, self.readers.join_next()).await.expect("readers finish") {
            logs.extend(done.unwrap());
        }
        logs
    }
}

/// How many of a hundred answers may be 503 after a wait, in a test where nothing that a request waits for fails: in a debug
/// build on a busy machine the database may take longer than requests wait for it. If requests waited for what does fail,
/// most answers of a long time would be.
const BUSY_PERCENT: usize = 2;
/// The shortest time after which a request gives its database up: a second for a look-up, and nearly four for a write. What
/// is refused sooner is refused for another reason.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Whether all answers came in time, and nothing but `allowed` came where a message was not acknowledged.
pub(super) fn assert_in_time(answers: &[Answer], allowed: &[Option<u16>]) {
    let slowest = answers.iter().max_by_key(|answer| answer.took()).expect("answers");
    assert!(slowest.took() <= REQUEST_LIMIT, "{:?} of {:?} took {:?}", slowest.status, slowest.attempt, slowest.took());
    let is_unexpected = |answer: &&Answer| !answer.is_acknowledged() && !allowed.contains(&answer.status);
    let (busy, wrong): (Vec<&Answer>, Vec<&Answer>) = answers
        .iter()
        .filter(is_unexpected)
        .partition(|answer| answer.status == Some(503) && answer.took() >= SHORTEST_WAIT);
    if let Some(answer) = wrong.first() {
        panic!("{:?} of {:?}", answer.status, answer.attempt);
    }
    assert!(
        busy.len() * 100 <= answers.len() * BUSY_PERCENT,
        "{} of {} answers are a late 503",
        busy.len(),
        answers.len()
    );
}

/// A span of the clock, in microseconds.
pub(super) type Span = std::ops::Range<u64>;

/// Whether at least a quarter of the rate was kept, on a machine that may be busy: messages that were not sent prove
/// nothing.
pub(super) fn assert_rate(answers: &[Answer], span: &Span, per_second: u32) {
    let sent = answers.iter().filter(|answer| answer.is_acknowledged() && span.contains(&answer.attempt.began_us));
    let (sent, due) = (sent.count() as u64, (span.end - span.start) * u64::from(per_second) / 1_000_000);
    assert!(sent * 4 >= due, "{sent} messages were sent of {due}");
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap()
}

/// Someone who sends one message after the other and repeats each under its key until it is acknowledged.
struct Sender {
    number: usize,
    person: Person,
    sessions: Arc<Vec<String>>,
    spread: Spread,
    node: usize,
    addresses: Vec<watch::Receiver<SocketAddr>>,
    acknowledged: Arc<watch::Sender<Vec<u64>>>,
    refusals: Arc<Mutex<Vec<String>>>,
    stop: watch::Receiver<bool>,
    started: Instant,
    /// Of one who sends at a rate. What was late is made up for.
    interval: Option<Interval>,
    answers: Vec<Answer>,
}

impl Sender {
    async fn run(mut self) -> Vec<Answer> {
        let mut sent = 0;
        loop {
            match &mut self.interval {
                Some(interval) => drop(interval.tick().await),
                None => sleep(PAUSE).await,
            }
            if *self.stop.borrow() {
                break;
            }
            let session = match self.spread {
                Spread::Everywhere => self.number + sent,
                Spread::OneSessionEach => self.number,
            };
            let session = self.sessions[session % self.sessions.len()].clone();
            let key = format!("sender-{}-message-{sent:06}", self.number);
            if !self.send_until_decided(&session, &key).await {
                break;
            }
            sent += 1;
        }
        self.answers
    }

    /// Whether it was acknowledged in the end.
    async fn send_until_decided(&mut self, session: &str, key: &str) -> bool {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let answer = self.send(session, key).await;
            let status = answer.status;
            let outcome = answer.attempt.outcome.clone();
            self.answers.push(answer);
            match outcome {
                AttemptOutcome::Acknowledged { .. } => {
                    self.acknowledged.send_modify(|counts| counts[self.number] += 1);
                    return true;
                }
                AttemptOutcome::Refused { status } => {
                    let address = *self.addresses[self.node].borrow();
                    self.refusals.lock().unwrap().push(format!("{key}: {status} by {address}"));
                    return false;
                }
                AttemptOutcome::Unknown => assert!(Instant::now() < deadline, "{key} has no answer but {status:?}"),
            }
            if status.is_none() {
                // Where one server is gone, another may be there.
                self.node = (self.node + 1) % self.addresses.len();
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// The text of a message is its key, so that a doubled message shows.
    async fn send(&self, session: &str, key: &str) -> Answer {
        let addr = *self.addresses[self.node].borrow();
        let path = format!("/api/chat/sessions/{session}/messages");
        let request = self.person.at(addr).request(Method::POST, &path).timeout(GIVE_UP);
        let began_us = micros(self.started);
        let answer = request.header("Idempotency-Key", key).json(&json!({ "content": key })).send().await;
        let (mut status, mut retry_after, mut outcome) = (None, false, AttemptOutcome::Unknown);
        if let Ok(answer) = answer {
            let code = answer.status().as_u16();
            retry_after = answer.headers().contains_key(RETRY_AFTER);
            // Without its whole body an answer is none: the connection broke.
            if let Ok(body) = answer.json::<Value>().await {
                status = Some(code);
                outcome = match code {
                    201 => AttemptOutcome::Acknowledged { id: body["id"].as_str().unwrap().to_owned(), seq: None },
                    400..500 => AttemptOutcome::Refused { status: code },
                    _ => AttemptOutcome::Unknown,
                };
            }
        }
        let attempt = Attempt {
            session: session.to_owned(),
            writer: format!("sender {}", self.number),
            key: key.to_owned(),
            content: key.to_owned(),
            began_us,
            ended_us: micros(self.started),
            outcome,
        };
        Answer { attempt, node: self.node, status, retry_after }
    }
}
