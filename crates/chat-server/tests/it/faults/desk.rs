//! A client with an open inbox, and whether it shows what REST shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{PATIENCE, Person, Socket};

/// Without Redis, views are read every five seconds; every minute without that.
const CONVERGED_WITHIN: Duration = Duration::from_secs(20);
/// How long nothing comes before an inbox is compared with REST.
const QUIET: Duration = Duration::from_millis(100);

/// A view and a session in it.
type DeskPlace = (String, String);

/// A client with an open inbox, and what it shows.
pub(super) struct Desk {
    pub(super) person: Person,
    views: &'static [&'static str],
    socket: Socket,
    shown: BTreeMap<DeskPlace, Value>,
    counts: Value,
    pub(super) updates: u64,
    /// The highest `seq` that was shown of each session in each view.
    seqs: BTreeMap<DeskPlace, u64>,
    /// Updates with a lower one.
    pub(super) backwards: Vec<String>,
}

impl Desk {
    /// Opens the inbox and takes its snapshots.
    ///
    /// # Errors
    /// The server is gone, or goes.
    pub(super) async fn open(person: Person, views: &'static [&'static str]) -> Result<Self, Error> {
        let mut request = format!("ws://{}/ws/chat", person.addr()).into_client_request().unwrap();
        request.headers_mut().insert("Authorization", format!("Bearer {}", person.token).parse().unwrap());
        request.headers_mut().insert("Sec-WebSocket-Protocol", "chat.v1".parse().unwrap());
        let socket = connect_async(request).await?.0;
        let (shown, counts, seqs, backwards) = (BTreeMap::new(), Value::Null, BTreeMap::new(), Vec::new());
        let mut desk = Self { person, views, socket, shown, counts, updates: 0, seqs, backwards };
        let open = json!({ "type": "open_inbox", "data": { "views": views, "limit": 100 } });
        desk.socket.send(Message::text(open.to_string())).await?;
        let mut snapshots = 0;
        while snapshots < views.len() {
            snapshots += usize::from(desk.take(PATIENCE).await?.expect("a frame in time") == "inbox");
        }
        Ok(desk)
    }

    /// Takes the next frame, if one comes within this time, and returns its type.
    ///
    /// # Errors
    /// The socket has ended.
    pub(super) async fn take(&mut self, patience: Duration) -> Result<Option<String>, Error> {
        let Ok(message) = timeout(patience, self.socket.next()).await else { return Ok(None) };
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_))) | None => return Err(Error::ConnectionClosed),
            Some(Ok(_)) => return Ok(Some("ping".to_owned())),
            Some(Err(error)) => return Err(error),
        };
        let frame: Value = serde_json::from_str(&text).unwrap();
        let (kind, data) = (frame["type"].as_str().unwrap().to_owned(), &frame["data"]);
        let view = data["view"].as_str().unwrap_or_default();
        match kind.as_str() {
            "inbox" => {
                for item in data["items"].as_array().unwrap() {
                    self.show((view.to_owned(), id(item)), item);
                }
                self.counts = data["counts"].clone();
            }
            "inbox_update" => {
                let place = (view.to_owned(), frame["sessionId"].as_str().unwrap().to_owned());
                if data["item"].is_null() {
                    self.shown.remove(&place);
                } else {
                    self.show(place, &data["item"]);
                }
                self.counts = data["counts"].clone();
                self.updates += 1;
            }
            "error" => panic!("{frame}"),
            _ => {}
        }
        Ok(Some(kind))
    }

    fn show(&mut self, place: DeskPlace, item: &Value) {
        let seq = item["seq"].as_u64().unwrap();
        let highest = self.seqs.entry(place.clone()).or_insert(seq);
        if seq < *highest {
            self.backwards.push(format!("{place:?} was at {highest} and is at {seq}"));
        }
        *highest = seq.max(*highest);
        self.shown.insert(place, item.clone());
    }

    /// Takes frames until none comes for a moment.
    ///
    /// # Errors
    /// The socket has ended.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        while self.take(QUIET).await?.is_some() {}
        Ok(())
    }

    /// What REST shows otherwise; `None` when it shows the same.
    pub(super) async fn difference(&self) -> Option<String> {
        let mut truth = BTreeMap::new();
        for view in self.views {
            let answer = self.person.get(&format!("/api/chat/inbox?view={view}&limit=100")).await;
            if answer.status() == 503 {
                return Some("the service is busy".to_owned());
            }
            let page = Person::json(answer, 200).await;
            assert!(page["nextCursor"].is_null(), "a test has few sessions");
            let items = page["items"].as_array().unwrap();
            truth.extend(items.iter().map(|item| (((*view).to_owned(), id(item)), item.clone())));
            if self.counts != page["counts"] {
                return Some(format!("{} and not {}", self.counts, page["counts"]));
            }
        }
        let differs = |place: &&DeskPlace| self.shown.get(*place) != truth.get(*place);
        let place = self.shown.keys().chain(truth.keys()).find(differs)?;
        let (shown, known) = (self.shown.len(), truth.len());
        let (here, there) = (self.shown.get(place), truth.get(place));
        Some(format!("{shown} and not {known} items; {place:?}: {here:?} and not {there:?}"))
    }

    /// Takes frames until it shows what REST shows. Returns how long that took.
    ///
    /// # Errors
    /// The socket has ended.
    pub(super) async fn converge(&mut self, since: Instant) -> Result<Duration, Error> {
        loop {
            self.settle().await?;
            let Some(difference) = self.difference().await else { return Ok(since.elapsed()) };
            assert!(since.elapsed() < CONVERGED_WITHIN, "after {:?}: {difference}", since.elapsed());
        }
    }

    /// Says good-bye.
    pub(super) async fn close(mut self) {
        // It has ended otherwise if this fails.
        let _gone = self.socket.close(None).await;
    }
}

fn id(item: &Value) -> String {
    item["id"].as_str().unwrap().to_owned()
}
