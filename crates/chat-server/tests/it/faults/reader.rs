//! Someone who follows a session on a socket, and after a loss goes on where the last socket ended.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_loadgen::history::{ReadEvent, ReaderLog, ReaderStart};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{PATIENCE, Person, Socket, try_connect};

/// Before a lost socket is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(50);
/// How often a reader of a silent socket looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a socket may take to open.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Reader {
    name: String,
    session: String,
    person: Person,
    address: watch::Receiver<SocketAddr>,
    /// The last message of each session, once it is known.
    finish: watch::Receiver<Option<HashMap<String, String>>>,
    opened: Arc<Semaphore>,
    /// Whether the server hears of every message by itself. Without Redis it learns of others when something happens on
    /// it, when it looks (every 15 s), or when the socket is opened again.
    alone: bool,
    /// The last message that was seen. The base mode tells no positions, and receipts take some.
    last: Option<String>,
    give_up_at: Option<Instant>,
    logs: Vec<ReaderLog>,
}

impl Reader {
    pub(super) fn new(
        name: String,
        session: String,
        person: Person,
        address: watch::Receiver<SocketAddr>,
        finish: watch::Receiver<Option<HashMap<String, String>>>,
        opened: Arc<Semaphore>,
        alone: bool,
    ) -> Self {
        let (last, give_up_at, logs) = (None, None, Vec::new());
        Self { name, session, person, address, finish, opened, alone, last, give_up_at, logs }
    }

    /// Reads until the last message was seen, or was waited for in vain; answers a log for each socket.
    pub(super) async fn run(mut self) -> Vec<ReaderLog> {
        while !self.is_done() {
            let person = self.person.at(*self.address.borrow());
            let query = self.last.as_ref().map_or("?since=0".to_owned(), |last| format!("?after={last}"));
            match timeout(OPEN_LIMIT, try_connect(&person, &self.session, &query)).await {
                Ok(Ok(socket)) => self.follow(socket).await,
                Ok(Err(Error::Http(refused))) if refused.status() == 410 => self.catch_up(&person).await,
                Ok(Err(_)) | Err(_) => {}
            }
            sleep(REOPEN_PAUSE).await;
        }
        if let Some(log) = self.logs.last_mut() {
            log.complete = true;
        }
        self.logs
    }

    async fn follow(&mut self, mut socket: Socket) {
        self.begin_log();
        // The senders wait until every reader has been there once.
        self.opened.add_permits(1);
        while !self.is_done() {
            match timeout(LOOK_EVERY, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    match event["type"].as_str().unwrap() {
                        "message" => self.note(Some(event["data"]["id"].as_str().unwrap())),
                        "session_update" => self.note(None),
                        other => panic!("an event of the type {other}"),
                    }
                }
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(_) => return,
                Err(_silent) if !self.alone && self.finish.borrow().is_some() => return,
                Err(_silent) => {}
            }
        }
    }

    /// Too much was missed for a socket: reads pages up to the newest message.
    async fn catch_up(&mut self, person: &Person) {
        self.begin_log();
        let mut more = true;
        while more {
            let Some(last) = self.last.clone() else {
                // Of a server on which nothing has happened. There is no page that begins with the first message.
                let (messages, _) = person.all_messages(&self.session).await;
                return messages.iter().for_each(|message| self.note(Some(message["id"].as_str().unwrap())));
            };
            let path = format!("/api/chat/sessions/{}/messages?limit=100&after={last}", self.session);
            let Ok(answer) = person.request(reqwest::Method::GET, &path).send().await else { return };
            let Ok(page) = answer.error_for_status() else { return };
            let Ok(page) = page.json::<Value>().await else { return };
            for message in page["messages"].as_array().unwrap() {
                self.note(Some(message["id"].as_str().unwrap()));
            }
            more = page["hasMore"] == json!(true);
        }
    }

    fn begin_log(&mut self) {
        let start = if self.last.is_none() { ReaderStart::Beginning } else { ReaderStart::Resumed };
        let (reader, session) = (self.name.clone(), self.session.clone());
        self.logs.push(ReaderLog { reader, session, start, complete: false, events: Vec::new() });
    }

    fn note(&mut self, message: Option<&str>) {
        let message = message.map(str::to_owned);
        let log = self.logs.last_mut().expect("a log was begun");
        log.events.push(ReadEvent { seq: None, message: message.clone(), ..ReadEvent::default() });
        self.last = message.or_else(|| self.last.take());
    }

    fn is_done(&mut self) -> bool {
        let finish = self.finish.borrow();
        let Some(last_messages) = finish.as_ref() else { return false };
        let give_up_at = *self.give_up_at.get_or_insert_with(|| Instant::now() + PATIENCE);
        last_messages.get(&self.session) == self.last.as_ref() || Instant::now() >= give_up_at
    }
}
