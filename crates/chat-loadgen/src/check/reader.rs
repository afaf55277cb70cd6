//! A reader: follows a session on a socket, resumes after the last event it saw, and reads pages when the service says that
//! it has missed too much for a socket.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout_at};

use super::CheckPlan;
use super::run::Clock;
use crate::error::LoadError;
use crate::history::{Event, OtherEvents, ReaderLog, Start, content_hash};
use crate::http::{Target, stamp_of};
use crate::monotonic;
use crate::net::Targets;
use crate::setup::Caller;
use crate::socket::{self, Cursor, Fit, Hello, Mode, Opening, Seen, Socket, SocketEnd};

/// The pause before a socket is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(50);
/// How often a quiet reader looks whether the run has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The least time between two acknowledgements.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// The longest that opening a socket may take.
const LONGEST_OPENING: Duration = Duration::from_secs(5);

/// The end of a run, as readers need to know it: the last message of each session, since when it is known, and how long a
/// reader waits for the next event on the way to it. The limit starts again with each event: a reader that is slow but
/// gets on is never cut off.
#[derive(Clone, Debug)]
pub(super) struct Finish {
    pub(super) last_of: Rc<HashMap<String, String>>,
    pub(super) since: Instant,
    pub(super) patience: Duration,
}

/// A message that a reader got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Microseconds after the start of the run.
    pub received_us: u64,
    /// Microseconds after its first attempt was begun.
    pub took_us: u64,
    /// Whether it was brought by a socket that began after it.
    pub replayed: bool,
}

/// What a reader brings home.
pub(super) struct Read {
    pub(super) logs: Vec<ReaderLog>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) ends: BTreeMap<SocketEnd, u64>,
}

pub(super) struct Reader {
    targets: Targets,
    /// Which of the nodes it is at.
    turn: usize,
    token: String,
    session: String,
    name: String,
    mode: Mode,
    opening_limit: Duration,
    timeout: Duration,
    clock: Rc<Clock>,
    /// The last message that was seen.
    last: Option<String>,
    /// In extended mode, the position of the last event.
    cursor: Cursor,
    /// The newest position when the socket began.
    head: u64,
    /// Messages of pages, which a socket may bring once more.
    paged: HashSet<String>,
    /// When the last event was noted.
    progress_at: Instant,
    read: Read,
}

impl Reader {
    /// `numbers` are its number among those of its session, and among all.
    pub(super) fn new(
        plan: &CheckPlan,
        clock: &Rc<Clock>,
        token: String,
        session: &str,
        numbers: (usize, usize),
    ) -> Self {
        Self {
            targets: plan.read_from.clone(),
            turn: numbers.1,
            token,
            session: session.to_owned(),
            name: format!("r{}", numbers.0),
            mode: plan.mode,
            opening_limit: plan.timeout.min(LONGEST_OPENING),
            timeout: plan.timeout,
            clock: Rc::clone(clock),
            last: None,
            cursor: Cursor::default(),
            head: 0,
            paged: HashSet::new(),
            progress_at: Instant::now(),
            read: Read { logs: Vec::new(), deliveries: Vec::new(), ends: BTreeMap::new() },
        }
    }

    /// Reads until the end of the run was seen, or no event came for too long after it. `opened` gets a permit for each socket.
    pub(super) async fn run(mut self, finish: watch::Receiver<Option<Finish>>, opened: Rc<Semaphore>) -> Read {
        while !self.is_done(&finish) {
            if let Some(target) = self.targets.get(self.turn) {
                let end = self.one_socket(&target, &finish, &opened).await;
                if let Some(end) = end {
                    *self.read.ends.entry(end).or_default() += 1;
                    self.turn += 1;
                }
            }
            sleep(REOPEN_PAUSE).await;
        }
        if self.read.logs.is_empty() {
            self.begin_log();
        }
        if let Some(log) = self.read.logs.last_mut() {
            log.complete = true;
        }
        self.read
    }

    /// From opening a socket to its end; nothing when it was left because the run is over, or to read pages.
    async fn one_socket(
        &mut self,
        target: &Target,
        finish: &watch::Receiver<Option<Finish>>,
        opened: &Semaphore,
    ) -> Option<SocketEnd> {
        let query = match (self.mode, &self.last) {
            (Mode::Extended, _) => self.cursor.query(),
            (Mode::Base, Some(last)) => format!("after={last}"),
            (Mode::Base, None) => "since=0".to_owned(),
        };
        let path = socket::path(&self.session, &query);
        let opening = Opening { target, path: &path, token: &self.token, mode: self.mode, limit: self.opening_limit };
        let mut socket = match Socket::open(&opening).await {
            Ok(socket) => socket,
            Err(end) => {
                if end == SocketEnd::Refused(410) {
                    // Too much was missed. What fails now is tried again with the next connection.
                    let _failed = self.catch_up(target, "").await;
                }
                return Some(end);
            }
        };
        if self.mode == Mode::Extended {
            match self.hello(&mut socket).await {
                Ok(hello) if hello.resumed => {
                    self.cursor.begin(&hello);
                    self.head = hello.seq;
                }
                Ok(hello) => {
                    let _failed = self.catch_up(target, &hello.epoch).await;
                    return None;
                }
                Err(end) => return Some(end),
            }
        }
        self.begin_log();
        // Writers wait until every reader has been there once.
        opened.add_permits(1);
        self.follow(&mut socket, finish).await
    }

    async fn hello(&self, socket: &mut Socket) -> Result<Hello, SocketEnd> {
        match tokio::time::timeout(self.opening_limit, socket.next()).await {
            Ok(Ok(Seen::Hello(hello))) => Ok(hello),
            Ok(Ok(_)) => Err(SocketEnd::Malformed),
            Ok(Err(end)) => Err(end),
            Err(_) => Err(SocketEnd::Lost),
        }
    }

    async fn follow(&mut self, socket: &mut Socket, finish: &watch::Receiver<Option<Finish>>) -> Option<SocketEnd> {
        let (mut acknowledged, mut next_ack) = (self.cursor.seq(), Instant::now());
        while !self.is_done(finish) {
            let look_at = tokio::time::Instant::now() + LOOK_EVERY;
            match timeout_at(look_at, socket.next()).await {
                Ok(Ok(Seen::Message { id, content, seq })) => self.message(id, &content, seq),
                Ok(Ok(Seen::Other { seq })) => drop(self.event(seq, None, None)),
                // An event of a kind that the service does not know holds its position.
                Ok(Ok(Seen::Heartbeat(Some(seq)))) if self.cursor.passes(seq) => {
                    self.push(Event { seq: Some(seq), ..Event::default() });
                }
                Ok(Err(end)) => return Some(end),
                Ok(Ok(_)) | Err(_) => {}
            }
            if self.cursor.seq() > acknowledged && Instant::now() >= next_ack {
                acknowledged = self.cursor.seq();
                next_ack = Instant::now() + ACK_EVERY;
                socket.acknowledge(acknowledged);
            }
        }
        None
    }

    fn message(&mut self, id: String, content: &str, seq: Option<u64>) {
        let replayed = seq.is_some_and(|seq| seq <= self.head);
        if !self.event(seq, Some(id), Some(content_hash(content))) {
            return;
        }
        if let Some(sent_us) = stamp_of(content) {
            let took_us = monotonic::now_us().saturating_sub(sent_us);
            self.read.deliveries.push(Delivery { received_us: self.clock.now_us(), took_us, replayed });
        }
    }

    /// Notes an event unless it is known; whether a message was noted.
    fn event(&mut self, seq: Option<u64>, message: Option<String>, content_hash: Option<u64>) -> bool {
        if seq.is_some_and(|seq| self.cursor.take(seq) == Fit::Known) {
            return false;
        }
        // A page had it: it holds its position, and is not seen twice.
        let message = message.filter(|id| !self.paged.contains(id));
        let noted = message.is_some();
        if noted {
            self.last.clone_from(&message);
        }
        let content_hash = content_hash.filter(|_| noted);
        self.push(Event { seq, message, content_hash });
        noted
    }

    /// Reads pages up to the newest message; in extended mode the next socket begins at the position they were read at.
    async fn catch_up(&mut self, target: &Target, epoch: &str) -> Result<(), LoadError> {
        let mut caller = Caller::new(target.clone(), self.token.clone(), self.timeout);
        self.begin_log();
        // Pages have no positions: the checker must not expect the next one after the last.
        self.push(Event::default());
        let reached = loop {
            let Some(last) = self.last.clone() else {
                // Nothing was seen at all: the state from the beginning, which has no cursor forwards.
                let others = OtherEvents::AtLeast(0);
                let state = super::final_state::read(&mut caller, &self.session, others, Duration::ZERO).await?;
                state.messages.into_iter().for_each(|message| self.page_message(message.id, &message.content));
                break state.last_seq;
            };
            let (head, page) = caller.messages(&self.session, &format!("limit=100&after={last}")).await?;
            let is_last = !page.has_more;
            page.messages.into_iter().for_each(|message| self.page_message(message.id, &message.content));
            if is_last {
                break head.chat_seq;
            }
        };
        if let (Mode::Extended, Some(seq)) = (self.mode, reached) {
            self.cursor.reach(seq, epoch);
        }
        Ok(())
    }

    fn page_message(&mut self, id: String, content: &str) {
        self.paged.insert(id.clone());
        self.push(Event { seq: None, message: Some(id.clone()), content_hash: Some(content_hash(content)) });
        self.last = Some(id);
    }

    fn begin_log(&mut self) {
        let begins = self.read.logs.is_empty() || (self.last.is_none() && self.mode == Mode::Base);
        self.read.logs.push(ReaderLog {
            reader: self.name.clone(),
            session: self.session.clone(),
            start: if begins { Start::Beginning } else { Start::Resumed },
            complete: false,
            events: Vec::new(),
        });
    }

    fn push(&mut self, event: Event) {
        self.progress_at = Instant::now();
        if let Some(log) = self.read.logs.last_mut() {
            log.events.push(event);
        }
    }

    /// Whether the run has ended and its last message was seen, or no event came for too long.
    fn is_done(&self, finish: &watch::Receiver<Option<Finish>>) -> bool {
        let finish = finish.borrow();
        let Some(finish) = finish.as_ref() else { return false };
        finish.last_of.get(&self.session) == self.last.as_ref()
            || self.progress_at.max(finish.since).elapsed() >= finish.patience
    }
}
