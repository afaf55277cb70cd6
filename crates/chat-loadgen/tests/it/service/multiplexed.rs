//! Multiplexed sockets and inboxes of the service in this process: one agent has every session that is assigned.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message as Frame, WebSocket};

use super::{Data, Inner, every};

/// How long a socket waits for its client before it looks for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is known of a session besides its messages.
#[derive(Default)]
pub(super) struct Desk {
    assigned: bool,
    closed: bool,
    changes: u64,
}

type Shown = BTreeMap<(String, String), u64>;

impl Data {
    /// Something happened in a session.
    pub(super) fn change(&mut self, session: &str) {
        self.desk.entry(session.to_owned()).or_default().changes += 1;
    }

    /// A session is assigned, handed back or closed.
    pub(super) fn put(&mut self, session: &str, what: &str, body: &Value) {
        let desk = self.desk.entry(session.to_owned()).or_default();
        match what {
            "assign" | "transfer" => desk.assigned = body["agentId"].is_string(),
            "close" => desk.closed = true,
            _ => {}
        }
        self.change(session);
    }

    fn in_view(&self, view: &str) -> impl Iterator<Item = &String> {
        let is_in = move |desk: &Desk| match view {
            "closed" => desk.closed,
            "waiting" => !desk.closed && !desk.assigned,
            _ => !desk.closed && desk.assigned,
        };
        self.sessions.keys().filter(move |session| self.desk.get(*session).is_some_and(is_in))
    }

    fn changes_of(&self, session: &str) -> u64 {
        self.desk.get(session).map_or(0, |desk| desk.changes)
    }

    fn item(&self, session: &str) -> Value {
        let newest = self.sessions.get(session).and_then(|messages| messages.last());
        let newest = newest.map(|message| json!({ "id": message.id, "preview": message.content }));
        json!({ "id": session, "seq": self.changes_of(session), "lastMessage": newest })
    }

    fn counts(&self) -> Value {
        json!({ "mine": self.in_view("mine").count(), "waiting": self.in_view("waiting").count() })
    }

    /// A view as REST shows it, all at once.
    pub(super) fn view(&self, view: &str) -> Value {
        let items: Vec<Value> = self.in_view(view).map(|session| self.item(session)).collect();
        json!({ "view": view, "items": items, "counts": self.counts(), "nextCursor": null })
    }
}

struct MultiplexedSocket<'a> {
    service: &'a Inner,
    socket: WebSocket<TcpStream>,
    views: Vec<String>,
    shown: Shown,
    updates: u64,
    /// How many messages of each session were sent.
    subscribed: HashMap<String, usize>,
}

impl Inner {
    pub(super) fn serve_multiplexed(&self, socket: WebSocket<TcpStream>) {
        socket.get_ref().set_read_timeout(Some(LOOK_EVERY)).unwrap();
        let (views, shown, subscribed) = (Vec::new(), Shown::new(), HashMap::new());
        let mut socket = MultiplexedSocket { service: self, socket, views, shown, updates: 0, subscribed };
        self.data.lock().unwrap().open_sockets += 1;
        self.changed.notify_all();
        let _lost = socket.serve();
        self.data.lock().unwrap().open_sockets -= 1;
    }
}

impl MultiplexedSocket<'_> {
    fn serve(&mut self) -> Result<(), Error> {
        self.send(&json!({ "type": "hello", "data": { "userId": "u", "maxSubscriptions": 100 } }))?;
        while !self.service.stopping.load(Ordering::SeqCst) {
            match self.socket.read() {
                Ok(Frame::Text(text)) => self.take(&serde_json::from_str(&text).unwrap())?,
                Ok(_) => {}
                Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.bring_messages()?;
                    if self.update_inbox()? {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send(&mut self, frame: &Value) -> Result<(), Error> {
        self.socket.send(Frame::text(frame.to_string()))
    }

    fn take(&mut self, frame: &Value) -> Result<(), Error> {
        let service = self.service;
        match frame["type"].as_str().unwrap() {
            "open_inbox" => {
                let views = frame["data"]["views"].as_array().unwrap();
                self.views = views.iter().map(|view| view.as_str().unwrap().to_owned()).collect();
                self.shown.clear();
                for view in self.views.clone() {
                    let data = service.data.lock().unwrap();
                    let snapshot = data.view(&view);
                    let named = |session: &String| ((view.clone(), session.clone()), data.changes_of(session));
                    self.shown.extend(data.in_view(&view).map(named));
                    drop(data);
                    self.send(&json!({ "type": "inbox", "data": snapshot }))?;
                }
            }
            "subscribe" => {
                let session = frame["sessionId"].as_str().unwrap();
                let since = frame["data"]["since"].as_u64();
                let messages = service.data.lock().unwrap().sessions.get(session).map_or(0, Vec::len);
                let from = since.map_or(messages, |since| usize::try_from(since).unwrap().saturating_sub(2));
                self.subscribed.insert(session.to_owned(), from);
                let data = json!({ "seq": messages + 2, "epoch": "e", "resumed": since.is_some(), "reason": "fresh" });
                self.send(&json!({ "type": "subscribed", "sessionId": session, "data": data }))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn bring_messages(&mut self) -> Result<(), Error> {
        let mut frames = Vec::new();
        let data = self.service.data.lock().unwrap();
        for (session, sent) in &mut self.subscribed {
            for message in data.sessions.get(session).into_iter().flatten().skip(*sent) {
                *sent += 1;
                let content = json!({ "id": message.id, "content": message.content });
                frames.push(json!({ "type": "message", "sessionId": session, "seq": *sent + 2, "data": content }));
            }
        }
        drop(data);
        frames.iter().try_for_each(|frame| self.send(frame))
    }

    /// Sends what differs from what is shown; returns whether the socket is to be cut.
    fn update_inbox(&mut self) -> Result<bool, Error> {
        let misbehaviour = self.service.misbehaviour;
        let data = self.service.data.lock().unwrap();
        let named = |view: &String, session: &String| ((view.clone(), session.clone()), data.changes_of(session));
        let now: Shown = self
            .views
            .iter()
            .flat_map(|view| data.in_view(view).map(move |session| (view, session)))
            .map(|(view, session)| named(view, session))
            .collect();
        let gone = self.shown.keys().filter(|place| !now.contains_key(*place)).map(|place| (place.clone(), None));
        let changed = now.iter().filter(|(place, changes)| self.shown.get(*place) != Some(*changes));
        let changed = changed.map(|(place, changes)| (place.clone(), Some(*changes)));
        let (counts, mut frames, mut cut) = (data.counts(), Vec::new(), false);
        for ((view, session), changes) in gone.chain(changed) {
            self.updates += 1;
            if every(self.updates, misbehaviour.forget_update_every) {
                continue;
            }
            let item = changes.map(|_| data.item(&session));
            let mut update = json!({ "view": view, "item": item, "counts": counts });
            if every(self.updates, misbehaviour.old_update_every) && changes.is_some() {
                let mut old = update.clone();
                old["item"]["seq"] = json!(0);
                frames.push(json!({ "type": "inbox_update", "sessionId": session, "data": old }));
            }
            if every(self.updates, misbehaviour.miscount_every) {
                update["counts"]["mine"] = json!(-1);
            }
            frames.push(json!({ "type": "inbox_update", "sessionId": session, "data": update }));
            cut |= every(self.updates, misbehaviour.cut_inbox_after);
        }
        drop(data);
        self.shown = now;
        frames.iter().try_for_each(|frame| self.send(frame))?;
        Ok(cut)
    }
}
