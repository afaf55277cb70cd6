//! A reader: follows a session on a socket, resumes after the last message it saw, and reads pages when the service
//! says that it has missed too much for a socket.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use crate::error::LoadError;
use crate::history::{Event, ReaderLog, Start};
use crate::http::Target;
use crate::setup::Caller;
use crate::socket::{Seen, Socket, SocketEnd};

/// The pause before a socket is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(50);
/// How often a quiet reader looks whether the run has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The end of a run, as readers need to know it: the last message of the session, and until when they may wait for it.
#[derive(Clone, Debug)]
pub(super) struct Finish {
    pub(super) last_of: Rc<std::collections::HashMap<String, String>>,
    pub(super) deadline: Instant,
}

pub(super) struct Reader {
    pub(super) target: Target,
    pub(super) token: String,
    pub(super) caller: Caller,
    pub(super) session: String,
    pub(super) name: String,
    pub(super) timeout: Duration,
    pub(super) finish: watch::Receiver<Option<Finish>>,
    pub(super) opened: Rc<tokio::sync::Semaphore>,
    /// The last message that was seen.
    pub(super) last: Option<String>,
    pub(super) logs: Vec<ReaderLog>,
}

impl Reader {
    /// Reads until the end of the run was seen or its time is over; answers a log for each connection.
    pub(super) async fn run(mut self) -> Vec<ReaderLog> {
        while !self.is_done() {
            let query = match &self.last {
                Some(last) => format!("after={last}"),
                None => "since=0".to_owned(),
            };
            match Socket::open(&self.target, &self.session, &query, &self.token, self.timeout).await {
                Ok(socket) => self.follow(socket).await,
                // Too much was missed.
                Err(SocketEnd::Refused(410)) => {
                    // What fails now is tried again with the next connection.
                    let _failed = self.catch_up().await;
                }
                Err(SocketEnd::Refused(_) | SocketEnd::Lost | SocketEnd::Malformed) => {}
            }
            sleep(REOPEN_PAUSE).await;
        }
        if self.logs.is_empty() {
            self.begin_log();
        }
        if let Some(log) = self.logs.last_mut() {
            log.complete = true;
        }
        self.logs
    }

    async fn follow(&mut self, mut socket: Socket) {
        self.begin_log();
        // Writers wait until every reader has been there once.
        self.opened.add_permits(1);
        while !self.is_done() {
            let look_at = tokio::time::Instant::now() + LOOK_EVERY;
            match timeout_at(look_at, socket.next()).await {
                Err(_) => {}
                Ok(Ok(Seen::Message { id, .. })) => self.note(id),
                Ok(Ok(Seen::SessionUpdate)) => self.push(Event { seq: None, message: None }),
                Ok(Err(_)) => return,
            }
        }
    }

    /// Reads pages up to the newest message.
    async fn catch_up(&mut self) -> Result<(), LoadError> {
        self.begin_log();
        loop {
            let Some(last) = self.last.clone() else {
                // Nothing was seen at all: the state from the beginning, which has no cursor forwards.
                let other_events = crate::history::OtherEvents::AtLeast(0);
                let state =
                    super::final_state::read(&mut self.caller, &self.session, other_events, Duration::ZERO).await?;
                state.messages.into_iter().for_each(|message| self.note(message.id));
                return Ok(());
            };
            let (_, page) = self.caller.messages(&self.session, &format!("limit=100&after={last}")).await?;
            page.messages.into_iter().for_each(|message| self.note(message.id));
            if !page.has_more {
                return Ok(());
            }
        }
    }

    fn begin_log(&mut self) {
        let start = if self.last.is_none() { Start::Beginning } else { Start::Resumed };
        self.logs.push(ReaderLog {
            reader: self.name.clone(),
            session: self.session.clone(),
            start,
            complete: false,
            events: Vec::new(),
        });
    }

    fn note(&mut self, id: String) {
        self.push(Event { seq: None, message: Some(id.clone()) });
        self.last = Some(id);
    }

    fn push(&mut self, event: Event) {
        if let Some(log) = self.logs.last_mut() {
            log.events.push(event);
        }
    }

    /// Whether the run has ended and its last message was seen, or was waited for long enough.
    fn is_done(&self) -> bool {
        let finish = self.finish.borrow();
        let Some(finish) = finish.as_ref() else { return false };
        finish.last_of.get(&self.session) == self.last.as_ref() || Instant::now() >= finish.deadline
    }
}
