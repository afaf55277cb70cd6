//! A reader: subscribes to a session on a socket, resumes after the last event it got, and reads pages when the service
//! refuses to replay because it has missed too much.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout_at};

use super::{CheckPlan, node};
use crate::api_client::ApiClient;
use crate::error::LoadError;
use crate::history::{OtherEvents, ReadEvent, ReaderLog, ReaderStart, content_hash};
use crate::http::{Target, header_number, stamp_of};
use crate::monotonic;
use crate::socket::{
    self, ClientCloseReason, ClientSocketMode, IncomingFrame, SeqCursor, SeqFit, Socket, SocketRequest, ack,
};

/// The pause before a socket is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(50);
/// How often a reader that gets nothing checks whether the run has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The least time between two acknowledgements.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// The longest that opening a socket may take.
const LONGEST_OPENING: Duration = Duration::from_secs(5);

/// The end of a run, as readers need to know it: the last message of each session, since when it is known, and how long
/// a reader waits for the next event on the way to it. The limit starts again with each event: a reader that is slow
/// but gets on is never cut off.
#[derive(Clone, Debug)]
pub(super) struct ReadEnd {
    pub(super) last_of: Rc<HashMap<String, String>>,
    pub(super) since: Instant,
    pub(super) patience: Duration,
}

/// What a reader returns.
#[derive(Default)]
pub(super) struct ReaderResult {
    pub(super) logs: Vec<ReaderLog>,
    /// From the first attempt of a message to receiving it, of those that were not replayed.
    pub(super) delivery_us: Vec<u64>,
    pub(super) closed: BTreeMap<ClientCloseReason, u64>,
}

pub(super) struct CheckReader {
    plan: Rc<CheckPlan>,
    /// Which of the nodes it is at: they are taken in turn.
    turn: usize,
    token: String,
    session: String,
    name: String,
    /// The last message that came.
    last: Option<String>,
    /// In extended mode, up to where it has got.
    cursor: SeqCursor,
    /// The newest sequence number when the socket began.
    head: u64,
    /// Messages of pages, which a socket may bring once more.
    paged: HashSet<String>,
    /// When the last event was noted.
    progress_at: Instant,
    result: ReaderResult,
}

impl CheckReader {
    /// `numbers` are its number among those of its session, and among all.
    pub(super) fn new(plan: &Rc<CheckPlan>, token: String, session: &str, numbers: (usize, usize)) -> Self {
        Self {
            plan: Rc::clone(plan),
            turn: numbers.1,
            token,
            session: session.to_owned(),
            name: format!("r{}", numbers.0),
            last: None,
            cursor: SeqCursor::default(),
            head: 0,
            paged: HashSet::new(),
            progress_at: Instant::now(),
            result: ReaderResult::default(),
        }
    }

    /// Reads until the last message came, or no event came for too long after the end of the run. `opened` gets a
    /// permit for each socket.
    pub(super) async fn run(mut self, end: watch::Receiver<Option<ReadEnd>>, opened: Rc<Semaphore>) -> ReaderResult {
        while !self.is_done(&end) {
            let options = &self.plan.options;
            let target = node(&options.read_url, &options.url, self.turn).clone();
            if let Err(reason) = self.one_socket(&target, &end, &opened).await {
                *self.result.closed.entry(reason).or_default() += 1;
                self.turn += 1;
            }
            sleep(REOPEN_PAUSE).await;
        }
        if self.result.logs.is_empty() {
            self.begin_log();
        }
        if let Some(log) = self.result.logs.last_mut() {
            log.complete = true;
        }
        self.result
    }

    /// From opening a socket to its end. It is `Ok` when the reader left because the run is over, or to read pages.
    async fn one_socket(
        &mut self,
        target: &Target,
        end: &watch::Receiver<Option<ReadEnd>>,
        opened: &Semaphore,
    ) -> Result<(), ClientCloseReason> {
        let mode = self.plan.options.mode;
        let query = match (mode, &self.last) {
            (ClientSocketMode::Extended, _) => self.cursor.query(),
            (ClientSocketMode::Base, Some(last)) => format!("after={last}"),
            (ClientSocketMode::Base, None) => "since=0".to_owned(),
        };
        let (path, limit) = (socket::path(&self.session, &query), self.plan.options.timeout.min(LONGEST_OPENING));
        let request = SocketRequest { target, path: &path, token: &self.token, mode, limit };
        let mut socket = match Socket::open(&request).await {
            Ok(socket) => socket,
            Err(reason) => {
                if reason == ClientCloseReason::Refused(410) {
                    // Too much was missed. What fails now is tried again with the next connection.
                    let _failed = self.catch_up(target, "").await;
                }
                return Err(reason);
            }
        };
        if mode == ClientSocketMode::Extended {
            let hello = socket.hello(limit).await?;
            if !hello.resumed {
                let _failed = self.catch_up(target, &hello.epoch).await;
                return Ok(());
            }
            self.cursor.begin(&hello);
            self.head = hello.seq;
        }
        self.begin_log();
        // Writers wait until every reader had a socket once.
        opened.add_permits(1);
        self.read_events(&mut socket, end).await
    }

    async fn read_events(
        &mut self,
        socket: &mut Socket,
        end: &watch::Receiver<Option<ReadEnd>>,
    ) -> Result<(), ClientCloseReason> {
        let (mut acknowledged, mut next_ack) = (self.cursor.seq(), Instant::now());
        while !self.is_done(end) {
            let look_at = tokio::time::Instant::now() + LOOK_EVERY;
            if let Ok(received) = timeout_at(look_at, socket.next()).await {
                match received? {
                    IncomingFrame::Message { id, content, seq } => self.message(id, &content, seq),
                    IncomingFrame::Other { seq } => drop(self.event(seq, None, None)),
                    // An event of a kind that the service does not know holds its sequence number.
                    IncomingFrame::Heartbeat(Some(seq)) if self.cursor.passes(seq) => {
                        self.push(ReadEvent { seq: Some(seq), ..ReadEvent::default() });
                    }
                    _ => {}
                }
            }
            if self.cursor.seq() > acknowledged && Instant::now() >= next_ack {
                acknowledged = self.cursor.seq();
                next_ack = Instant::now() + ACK_EVERY;
                socket.queue(ack(acknowledged));
            }
        }
        Ok(())
    }

    fn message(&mut self, id: String, content: &str, seq: Option<u64>) {
        let replayed = seq.is_some_and(|seq| seq <= self.head);
        if self.event(seq, Some(id), Some(content_hash(content)))
            && !replayed
            && let Some(sent_us) = stamp_of(content)
        {
            self.result.delivery_us.push(monotonic::now_us().saturating_sub(sent_us));
        }
    }

    /// Notes an event unless it is known; returns whether a message was noted.
    fn event(&mut self, seq: Option<u64>, message: Option<String>, content_hash: Option<u64>) -> bool {
        if seq.is_some_and(|seq| self.cursor.take(seq) == SeqFit::Known) {
            return false;
        }
        // A page had it: it holds its sequence number, and does not count twice.
        let message = message.filter(|id| !self.paged.contains(id));
        let noted = message.is_some();
        if noted {
            self.last.clone_from(&message);
        }
        let content_hash = content_hash.filter(|_| noted);
        self.push(ReadEvent { seq, message, content_hash });
        noted
    }

    /// Reads pages up to the newest message; in extended mode the next socket begins at the sequence number of the last
    /// page.
    async fn catch_up(&mut self, target: &Target, epoch: &str) -> Result<(), LoadError> {
        let mut client = ApiClient::new(target.clone(), self.token.clone(), self.plan.options.timeout);
        self.begin_log();
        // Messages of pages have no sequence numbers: the checker must not expect the next one after the last.
        self.push(ReadEvent::default());
        let reached = loop {
            let Some(last) = self.last.clone() else {
                // Nothing came yet: the state from the beginning, which has no cursor forwards.
                let others = OtherEvents::AtLeast(0);
                let state = super::final_state::read(&mut client, &self.session, others, Duration::ZERO).await?;
                state.messages.into_iter().for_each(|message| self.page_message(message.id, &message.content));
                break state.last_seq;
            };
            let (response, page) = client.messages(&self.session, &format!("limit=100&after={last}")).await?;
            let is_last = !page.has_more;
            page.messages.into_iter().for_each(|message| self.page_message(message.id, &message.content));
            if is_last {
                break header_number(response.headers(), "x-chat-seq");
            }
        };
        if let (ClientSocketMode::Extended, Some(seq)) = (self.plan.options.mode, reached) {
            self.cursor.reach(seq, epoch);
        }
        Ok(())
    }

    fn page_message(&mut self, id: String, content: &str) {
        self.paged.insert(id.clone());
        self.push(ReadEvent { seq: None, message: Some(id.clone()), content_hash: Some(content_hash(content)) });
        self.last = Some(id);
    }

    fn begin_log(&mut self) {
        let is_first = self.result.logs.is_empty();
        let begins = is_first || (self.last.is_none() && self.plan.options.mode == ClientSocketMode::Base);
        self.result.logs.push(ReaderLog {
            reader: self.name.clone(),
            session: self.session.clone(),
            start: if begins { ReaderStart::Beginning } else { ReaderStart::Resumed },
            complete: false,
            events: Vec::new(),
        });
    }

    fn push(&mut self, event: ReadEvent) {
        self.progress_at = Instant::now();
        if let Some(log) = self.result.logs.last_mut() {
            log.events.push(event);
        }
    }

    /// Whether the run has ended and its last message came, or no event came for too long.
    fn is_done(&self, end: &watch::Receiver<Option<ReadEnd>>) -> bool {
        let end = end.borrow();
        let Some(end) = end.as_ref() else { return false };
        end.last_of.get(&self.session) == self.last.as_ref()
            || self.progress_at.max(end.since).elapsed() >= end.patience
    }
}
