//! Many followers at once, and what they saw together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_loadgen::token::TokenRole;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::follower::{Arrival, Board, Followed, Follower, Seat};
use super::traffic::Answer;
use crate::support::PATIENCE;

/// Sockets of one person: well below the most that one may have in a session, also when some are not gone yet that were
/// lost, and when all of a person's are in one session.
const SOCKETS_OF_A_PERSON: usize = 4;

/// The followers at work.
pub(super) struct Followers {
    board: Arc<Board>,
    tasks: JoinSet<Followed>,
}

impl Followers {
    /// Opens so many sockets of each session at each server, in the names of admins, and waits until all are there.
    pub(super) async fn start(cluster: &Cluster, sessions: &[String], at_each: usize) -> Self {
        let nodes = 0..cluster.count();
        let places = nodes.flat_map(|node| sessions.iter().map(move |session| (node, session)));
        let places: Vec<_> = places.flat_map(|place| vec![place; at_each]).collect();
        let token = |number: usize| cluster.token(&format!("admin-{}", number / SOCKETS_OF_A_PERSON), TokenRole::Admin);
        let seats: Vec<Seat> = places
            .into_iter()
            .enumerate()
            .map(|(number, (node, session))| Seat { session: session.clone(), node, token: token(number) })
            .collect();
        let board = Board {
            addresses: cluster.addresses(),
            started: cluster.started(),
            hellos: watch::Sender::new(0),
            finish: watch::Sender::new(None),
        };
        let (board, count) = (Arc::new(board), seats.len());
        let mut tasks = JoinSet::new();
        for (number, seat) in seats.into_iter().enumerate() {
            tasks.spawn(Follower::new(number, seat, Arc::clone(&board)).run());
        }
        let followers = Self { board, tasks };
        followers.until_hellos(count).await;
        followers
    }

    pub(super) fn count(&self) -> usize {
        self.tasks.len()
    }

    /// How many times a socket was opened.
    pub(super) fn hellos(&self) -> usize {
        *self.board.hellos.borrow()
    }

    /// Waits until sockets were opened so many times, and answers how long that took.
    pub(super) async fn until_hellos(&self, count: usize) -> Duration {
        let begun = Instant::now();
        let mut hellos = self.board.hellos.subscribe();
        let enough = timeout(2 * PATIENCE, hellos.wait_for(|hellos| *hellos >= count)).await.is_ok();
        assert!(enough, "{count} sockets were to be opened, not {}", self.hellos());
        begun.elapsed()
    }

    /// Lets all see the last event of each session.
    pub(super) async fn stop(mut self, last_seqs: HashMap<String, u64>) -> Vec<Followed> {
        self.board.finish.send_replace(Some(last_seqs));
        let mut all = Vec::new();
        while let Some(done) = timeout(3 * PATIENCE, self.tasks.join_next()).await.expect("followers finish") {
            all.push(done.unwrap());
        }
        all
    }
}

/// The way of a message from its sender to one socket.
pub(super) struct Delivery {
    /// When the request began that was acknowledged.
    pub(super) sent_us: u64,
    pub(super) arrived_us: u64,
    /// Whether the socket is on another server than the server that took the message.
    pub(super) remote: bool,
}

impl Delivery {
    pub(super) fn took(&self) -> Duration {
        Duration::from_micros(self.arrived_us.saturating_sub(self.sent_us))
    }
}

/// The ways of all messages to all sockets.
pub(super) fn deliveries(answers: &[Answer], followed: &[Followed]) -> Vec<Delivery> {
    let sent: HashMap<&str, &Answer> =
        answers.iter().filter_map(|answer| Some((answer.acknowledged_id()?, answer))).collect();
    let delivery = |Arrival { message, node, at_us }: &Arrival| {
        // One whose answer was lost has no beginning.
        let answer = sent.get(message.as_str())?;
        let (sent_us, remote) = (answer.attempt.began_us, answer.node != *node);
        Some(Delivery { sent_us, arrived_us: *at_us, remote })
    };
    followed.iter().flat_map(|seen| &seen.arrivals).filter_map(delivery).collect()
}

/// The time that so many of a hundred did not exceed (nearest rank).
pub(super) fn percentile(percent: usize, times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    assert!(!times.is_empty(), "nothing was timed");
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)]
}
