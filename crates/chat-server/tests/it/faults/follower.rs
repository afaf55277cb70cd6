//! Someone who follows a session in extended mode, and after a loss goes on, at whichever server is there, right after
//! the last event that came.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_loadgen::history::{ReadEvent, ReaderLog, ReaderStart, content_hash};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use crate::support::{ExtendedSocket, PATIENCE, SocketItem};

/// How long a socket may take to open.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// Sockets that were lost together come again within this time, each at a moment of its own.
const JITTER_MS: u64 = 500;

/// The place of a reader: the session that it follows, and the server that it connects to first.
pub(super) struct Seat {
    pub(super) session: String,
    pub(super) node: usize,
    pub(super) token: String,
}

/// What a follower saw.
pub(super) struct Followed {
    pub(super) session: String,
    /// For each socket, the durable events in the order in which they came.
    pub(super) logs: Vec<ReaderLog>,
    /// When messages came.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) hellos: Vec<Greeting>,
    pub(super) ends: Vec<End>,
}

/// A message on a socket.
pub(super) struct Arrival {
    pub(super) message: String,
    pub(super) node: usize,
    pub(super) at_us: u64,
}

/// The first frame of a socket.
pub(super) struct Greeting {
    pub(super) node: usize,
    pub(super) at_us: u64,
    pub(super) resumed: bool,
    pub(super) reason: Option<String>,
}

/// How a socket ended that the follower did not leave.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: usize,
    pub(super) at_us: u64,
    /// Of the close frame, if there was one.
    pub(super) code: Option<u16>,
}

/// What followers and the test tell each other.
pub(super) struct Board {
    pub(super) addresses: Vec<watch::Receiver<SocketAddr>>,
    pub(super) started: Instant,
    /// How many times a socket was opened.
    pub(super) hellos: watch::Sender<usize>,
    /// The last position of each session, once it is known.
    pub(super) finish: watch::Sender<Option<HashMap<String, u64>>>,
}

impl Board {
    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap()
    }
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    seq: Option<u64>,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    id: String,
    #[serde(default)]
    content: String,
}

pub(super) struct Follower {
    name: String,
    token: String,
    node: usize,
    jitter: Duration,
    board: Arc<Board>,
    epoch: Option<String>,
    seq: u64,
    give_up_at: Option<tokio::time::Instant>,
    seen: Followed,
}

impl Follower {
    pub(super) fn new(number: usize, seat: Seat, board: Arc<Board>) -> Self {
        // Any numbers that differ between neighbours.
        let jitter = Duration::from_millis(number as u64 * 7_919 % JITTER_MS);
        let Seat { session, node, token } = seat;
        let seen = Followed { session, logs: Vec::new(), arrivals: Vec::new(), hellos: Vec::new(), ends: Vec::new() };
        let name = format!("follower {number}");
        Self { name, token, node, jitter, board, epoch: None, seq: 0, give_up_at: None, seen }
    }

    /// Follows until the last position was seen, or was waited for in vain.
    pub(super) async fn run(mut self) -> Followed {
        let mut finish = self.board.finish.subscribe();
        while !self.is_done(&finish) {
            let address = *self.board.addresses[self.node].borrow();
            let query = match &self.epoch {
                Some(epoch) => format!("?since={}&epoch={epoch}", self.seq),
                None => "?since=0".to_owned(),
            };
            let opening = ExtendedSocket::open(address, &self.token, &self.seen.session, &query);
            if let Ok(Ok(socket)) = timeout(OPEN_LIMIT, opening).await {
                self.follow(socket, &mut finish).await;
            } else {
                // Where one server is gone, another may be there.
                self.node = (self.node + 1) % self.board.addresses.len();
            }
            sleep(self.jitter).await;
        }
        if let Some(log) = self.seen.logs.last_mut() {
            log.complete = true;
        }
        self.seen
    }

    async fn follow(&mut self, mut socket: ExtendedSocket, finish: &mut watch::Receiver<Option<HashMap<String, u64>>>) {
        self.greeted(&socket);
        while !self.is_done(finish) {
            let give_up_at = self.give_up_at;
            let heard = tokio::select! {
                heard = socket.heard() => heard,
                Ok(()) = finish.changed() => continue,
                () = sleep_until(give_up_at.unwrap_or_else(tokio::time::Instant::now)), if give_up_at.is_some() => continue,
            };
            match heard {
                SocketItem::Text(text) => self.note(&text),
                SocketItem::End(code) => {
                    self.seen.ends.push(End { node: self.node, at_us: self.board.now_us(), code });
                    if code.is_some() {
                        socket.finish().await;
                        // A server that said good-bye is not there for now.
                        self.node = (self.node + 1) % self.board.addresses.len();
                    }
                    return;
                }
            }
        }
    }

    fn greeted(&mut self, socket: &ExtendedSocket) {
        let hello = &socket.hello;
        self.epoch = Some(hello.epoch.clone());
        self.seen.hellos.push(Greeting {
            node: self.node,
            at_us: self.board.now_us(),
            resumed: hello.resumed,
            reason: hello.reason.clone(),
        });
        let start = if self.seen.logs.is_empty() { ReaderStart::Beginning } else { ReaderStart::Resumed };
        let (reader, session) = (self.name.clone(), self.seen.session.clone());
        self.seen.logs.push(ReaderLog { reader, session, start, complete: false, events: Vec::new() });
        self.board.hellos.send_modify(|hellos| *hellos += 1);
    }

    fn note(&mut self, text: &str) {
        let frame: Frame = serde_json::from_str(text).unwrap();
        let event = match frame.kind.as_str() {
            "message" => {
                let message = frame.data.id;
                let arrival = Arrival { message: message.clone(), node: self.node, at_us: self.board.now_us() };
                self.seen.arrivals.push(arrival);
                let content_hash = Some(content_hash(&frame.data.content));
                ReadEvent { seq: frame.seq, message: Some(message), content_hash }
            }
            "session_update" | "receipt" => ReadEvent { seq: frame.seq, message: None, content_hash: None },
            "typing" | "heartbeat" => return,
            other => panic!("a frame of the type {other}: {text}"),
        };
        self.seq = event.seq.expect("a durable event has its position");
        self.seen.logs.last_mut().expect("a log was begun").events.push(event);
    }

    fn is_done(&mut self, finish: &watch::Receiver<Option<HashMap<String, u64>>>) -> bool {
        let finish = finish.borrow();
        let Some(last_seqs) = finish.as_ref() else { return false };
        let give_up_at = *self.give_up_at.get_or_insert_with(|| tokio::time::Instant::now() + PATIENCE);
        self.seq >= last_seqs[&self.seen.session] || tokio::time::Instant::now() >= give_up_at
    }
}
