//! A chat service in the test's own process: just enough of the API for the load generator, in memory, with faults on
//! demand. A thread for each connection, so that it needs no runtime beside the one under test.

mod multiplexed;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::WebSocket;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Upgrade, Response as Upgraded};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message as Frame, accept_hdr};

/// How long a message takes that stalls.
pub(crate) const STALL: Duration = Duration::from_millis(300);

/// How the service misbehaves; 0 means never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Misbehaviour {
    /// Every so many-th message is stored but its response is not sent: the connection ends instead.
    pub(crate) drop_response_every: u64,
    /// Every so many-th message is refused with 503 and not stored.
    pub(crate) busy_every: u64,
    /// Every so many-th message is acknowledged but not stored.
    pub(crate) forget_every: u64,
    /// A connection ends after each response, without a header about it.
    pub(crate) hang_up: bool,
    /// This message, counted from 1, takes 300 ms.
    pub(crate) stall_at: u64,
    /// A socket is ended after so many messages.
    pub(crate) cut_socket_after: u64,
    /// A socket skips every so many-th message.
    pub(crate) skip_on_socket_every: u64,
    /// A socket that is to resume is refused with 410; in extended mode, a socket that missed something does not
    /// resume.
    pub(crate) socket_refuses_replay: bool,
    /// A socket brings every so many-th message twice.
    pub(crate) repeat_on_socket_every: u64,
    /// A socket brings every so many-th message with another content.
    pub(crate) garble_on_socket_every: u64,
    /// A socket is closed with 1009 at the first bytes of its client.
    pub(crate) close_at_first_bytes: bool,
    /// An inbox forgets every so many-th update.
    pub(crate) forget_update_every: u64,
    /// An inbox sends an old state of a session before every so many-th update.
    pub(crate) old_update_every: u64,
    /// Every so many-th update of an inbox has wrong counts.
    pub(crate) miscount_every: u64,
    /// The socket of an inbox is ended after so many updates.
    pub(crate) cut_inbox_after: u64,
}

struct Stored {
    id: String,
    content: String,
    key: String,
}

#[derive(Default)]
struct Data {
    sessions: HashMap<String, Vec<Stored>>,
    desk: HashMap<String, multiplexed::Desk>,
    open_sockets: usize,
}

struct Inner {
    misbehaviour: Misbehaviour,
    data: Mutex<Data>,
    changed: Condvar,
    stopping: AtomicBool,
    connections: AtomicU64,
    requests: AtomicU64,
    posts: AtomicU64,
    ids: AtomicU64,
}

/// The service; ends when it is dropped.
pub(crate) struct FakeService {
    inner: Arc<Inner>,
    address: String,
    accepting: Option<thread::JoinHandle<()>>,
}

impl FakeService {
    pub(crate) fn start(misbehaviour: Misbehaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let inner = Arc::new(Inner {
            misbehaviour,
            data: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            posts: AtomicU64::new(0),
            ids: AtomicU64::new(0),
        });
        let shared = Arc::clone(&inner);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopping.load(Ordering::SeqCst) {
                    return;
                }
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        Self { inner, address, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.inner.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::SeqCst)
    }

    /// Contents of all messages.
    pub(crate) fn contents(&self) -> Vec<String> {
        let data = self.inner.data.lock().unwrap();
        data.sessions.values().flatten().map(|message| message.content.clone()).collect()
    }

    /// Blocks until so many sockets are open.
    pub(crate) fn until_sockets(&self, number: usize) {
        let mut data = self.inner.data.lock().unwrap();
        while data.open_sockets < number {
            data = self.inner.changed.wait(data).unwrap();
        }
    }
}

impl Drop for FakeService {
    fn drop(&mut self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        self.inner.changed.notify_all();
        // Wakes the thread that accepts.
        let _woken = TcpStream::connect(&self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    key: Option<String>,
    body: Vec<u8>,
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, address) = (words.next()?, words.next()?);
    let (mut length, mut key) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "idempotency-key" => key = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = address.split_once('?').unwrap_or((&address, ""));
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), key, body })
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn every(count: u64, n: u64) -> bool {
    n > 0 && count.is_multiple_of(n)
}

impl Inner {
    fn serve(&self, stream: TcpStream) {
        let mut first = [0; 8];
        // A client that connects and sends nothing ends the wait by leaving.
        while stream.peek(&mut first).is_ok_and(|read| read > 0 && read < first.len()) {
            thread::yield_now();
        }
        if &first == b"GET /ws/" {
            self.serve_socket(stream);
            return;
        }
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            self.requests.fetch_add(1, Ordering::SeqCst);
            // As in the real service, the position is read before the page: a message in between is then in the page
            // and comes once more, instead of being behind the position and in no page.
            let seq = self.head(&request.path);
            let Some((status, body)) = self.respond(&request) else { return };
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nX-Chat-Seq: {seq}\r\n\r\n", body.len());
            if writer.write_all((head + &body).as_bytes()).is_err() || self.misbehaviour.hang_up {
                return;
            }
        }
    }

    /// Status and body; nothing when the connection is to end.
    fn respond(&self, request: &Request) -> Option<(u16, Value)> {
        let steps: Vec<&str> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), steps.as_slice()) {
            ("POST", ["api", "chat", "sessions"]) => {
                let id = format!("s{}", self.ids.fetch_add(1, Ordering::SeqCst));
                let mut data = self.data.lock().unwrap();
                data.sessions.insert(id.clone(), Vec::new());
                data.change(&id);
                Some((201, json!({ "id": id })))
            }
            ("GET", ["api", "chat", "sessions"]) => {
                let data = self.data.lock().unwrap();
                let first = parameter(&request.query, "page").is_none_or(|page| page == "1");
                let ids: Vec<Value> = data.sessions.keys().filter(|_| first).map(|id| json!({ "id": id })).collect();
                Some((200, json!({ "sessions": ids })))
            }
            ("POST", ["api", "chat", "sessions", session, "messages"]) => self.post(session, request),
            ("GET", ["api", "chat", "sessions", session, "messages"]) => Some(self.page(session, &request.query)),
            ("GET", ["api", "chat", "inbox"]) => {
                let view = parameter(&request.query, "view").unwrap_or_default();
                Some((200, self.data.lock().unwrap().view(view)))
            }
            ("PUT", ["api", "chat", "sessions", session, what]) => {
                let body = serde_json::from_slice(&request.body).unwrap_or_default();
                self.data.lock().unwrap().put(session, what, &body);
                Some((200, json!({})))
            }
            ("GET", ["readyz" | "healthz"]) | ("PUT", _) => Some((200, json!({}))),
            _ => Some((404, json!({ "success": false }))),
        }
    }

    fn post(&self, session: &str, request: &Request) -> Option<(u16, Value)> {
        let count = self.posts.fetch_add(1, Ordering::SeqCst) + 1;
        if every(count, self.misbehaviour.busy_every) {
            return Some((503, json!({})));
        }
        if count == self.misbehaviour.stall_at {
            thread::sleep(STALL);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let content = body["content"].as_str().unwrap().to_owned();
        let mut data = self.data.lock().unwrap();
        let Some(messages) = data.sessions.get_mut(session) else { return Some((404, json!({}))) };
        let key = request.key.clone().unwrap_or_default();
        if let Some(known) = messages.iter().find(|message| !key.is_empty() && message.key == key) {
            return Some((201, json!({ "id": known.id })));
        }
        let id = format!("m{}", self.ids.fetch_add(1, Ordering::SeqCst));
        if !every(count, self.misbehaviour.forget_every) {
            messages.push(Stored { id: id.clone(), content, key });
            data.change(session);
            self.changed.notify_all();
        }
        (!every(count, self.misbehaviour.drop_response_every)).then(|| (201, json!({ "id": id })))
    }

    fn page(&self, session: &str, query: &str) -> (u16, Value) {
        let data = self.data.lock().unwrap();
        let Some(messages) = data.sessions.get(session) else { return (404, json!({})) };
        let limit: usize = parameter(query, "limit").unwrap_or("50").parse().unwrap();
        let place = |id: &str| messages.iter().position(|message| message.id == id);
        let (from, to, has_more) = if let Some(after) = parameter(query, "after") {
            let from = place(after).map_or(0, |place| place + 1);
            let to = (from + limit).min(messages.len());
            (from, to, to < messages.len())
        } else {
            let to = parameter(query, "before").and_then(place).unwrap_or(messages.len());
            let from = to.saturating_sub(limit);
            (from, to, from > 0)
        };
        let page: Vec<Value> =
            messages[from..to].iter().map(|message| json!({ "id": message.id, "content": message.content })).collect();
        (200, json!({ "messages": page, "totalCount": messages.len(), "hasMore": has_more }))
    }

    /// The newest position of the session that a path names: it was opened and assigned, and every message has one.
    fn head(&self, path: &str) -> usize {
        let session = path.split('/').nth(4).unwrap_or_default();
        self.data.lock().unwrap().sessions.get(session).map_or(0, |messages| messages.len() + 2)
    }

    fn serve_socket(&self, stream: TcpStream) {
        let (mut address, mut extended) = (String::new(), false);
        let refuse_replay = self.misbehaviour.socket_refuses_replay;
        #[expect(clippy::result_large_err, reason = "the signature is the library's")]
        let upgrade = |request: &Upgrade, mut response: Upgraded| {
            address = request.uri().to_string();
            let protocol = request.headers().get("sec-websocket-protocol");
            extended = protocol.is_some_and(|protocol| protocol == "chat.v1");
            if let Some(protocol) = protocol.filter(|_| extended) {
                response.headers_mut().insert("sec-websocket-protocol", protocol.clone());
            }
            if refuse_replay && address.contains("after=") && !self.stopping.load(Ordering::SeqCst) {
                let mut refused = tokio_tungstenite::tungstenite::http::Response::new(None);
                *refused.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::GONE;
                return Err(refused);
            }
            Ok(response)
        };
        let Ok(mut socket) = accept_hdr(stream, upgrade) else { return };
        if self.misbehaviour.close_at_first_bytes {
            close_at_first_bytes(socket);
            return;
        }
        let (path, query) = address.split_once('?').unwrap_or((&address, ""));
        if path == "/ws/chat" {
            self.serve_multiplexed(socket);
            return;
        }
        let session = path.trim_start_matches("/ws/chat/").to_owned();
        let Some(first) = self.begin(&mut socket, &session, query, extended) else { return };
        let (mut place, mut sent) = (first, 0);
        let mut data = self.data.lock().unwrap();
        data.open_sockets += 1;
        self.changed.notify_all();
        while !self.stopping.load(Ordering::SeqCst) {
            let messages = data.sessions.get(&session).map(Vec::as_slice).unwrap_or_default();
            let Some(message) = messages.get(place) else {
                data = self.changed.wait_timeout(data, Duration::from_millis(500)).unwrap().0;
                continue;
            };
            sent += 1;
            let garbled = every(sent, self.misbehaviour.garble_on_socket_every);
            let content = if garbled { "something else" } else { message.content.as_str() };
            let mut frame = json!({ "type": "message", "data": { "id": message.id, "content": content } });
            place += 1;
            if extended {
                frame["seq"] = json!(place + 2);
            }
            if every(sent, self.misbehaviour.skip_on_socket_every) {
                continue;
            }
            drop(data);
            let times = if every(sent, self.misbehaviour.repeat_on_socket_every) { 2 } else { 1 };
            let written = (0..times).try_for_each(|_| socket.send(Frame::text(frame.to_string())));
            data = self.data.lock().unwrap();
            if written.is_err() || every(sent, self.misbehaviour.cut_socket_after) {
                break;
            }
        }
        data.open_sockets -= 1;
    }

    /// Sends the hello of extended mode; returns the first message to send.
    fn begin(&self, socket: &mut WebSocket<TcpStream>, session: &str, query: &str, extended: bool) -> Option<usize> {
        let (since, after) = (parameter(query, "since"), parameter(query, "after"));
        let (newest, place) = {
            let data = self.data.lock().unwrap();
            let messages = data.sessions.get(session).map(Vec::as_slice).unwrap_or_default();
            let after =
                after.map(|id| messages.iter().position(|message| message.id == id).map_or(0, |place| place + 1));
            (messages.len(), after)
        };
        if !extended {
            return Some(place.unwrap_or(if since.is_some() { 0 } else { newest }));
        }
        let since = since.map(|since| since.parse::<usize>().unwrap());
        let refused =
            self.misbehaviour.socket_refuses_replay && since.is_some_and(|since| since > 0 && since < newest + 2);
        let resumed = since.filter(|_| !refused);
        let reason = if refused { "too_many_missed" } else { "fresh" };
        let hello = json!({ "epoch": "e", "seq": newest + 2, "resumed": resumed.is_some(), "reason": reason });
        let mut frames = vec![json!({ "type": "hello", "data": hello })];
        let from = resumed.unwrap_or(newest + 2);
        frames.extend((from + 1..=2).map(|seq| json!({ "type": "session_update", "data": {}, "seq": seq })));
        frames.into_iter().try_for_each(|frame| socket.send(Frame::text(frame.to_string()))).ok()?;
        Some(from.saturating_sub(2))
    }
}

/// Closes in the proper order: what the client still sends is read, since an unread byte would turn the end into a
/// reset, and the close frame might be lost by it.
fn close_at_first_bytes(mut socket: WebSocket<TcpStream>) {
    let mut bytes = [0; 1_024];
    let _first = socket.get_mut().read(&mut bytes);
    let frame = CloseFrame { code: CloseCode::Size, reason: "".into() };
    let _sent = socket.close(Some(frame)).and_then(|()| socket.flush());
    let _ended = socket.get_mut().shutdown(std::net::Shutdown::Write);
    while socket.get_mut().read(&mut bytes).is_ok_and(|read| read > 0) {}
}
