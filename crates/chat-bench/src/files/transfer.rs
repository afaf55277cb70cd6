//! Uploads and downloads over connections that stay open, by threads.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use serde_json::Value;

use super::TransferLoad;
use crate::chat::Chat;

const PATIENCE: Duration = Duration::from_mins(2);
const BOUNDARY: &str = "a boundary that is in no file";

/// What takes and serves files over HTTP.
pub(super) trait TransferTarget: Sync {
    fn address(&self) -> &str;

    /// Sends a file and returns the path at which it is served.
    fn send(&self, connection: &mut Connection, bytes: &[u8]) -> anyhow::Result<String>;

    /// Header lines of a download.
    fn headers(&self) -> String;
}

/// nginx, which takes files by `PUT` and does not sync them.
pub(super) struct WebServer {
    address: String,
    sent: AtomicUsize,
}

impl WebServer {
    pub(super) fn at(port: u16) -> Self {
        Self { address: format!("127.0.0.1:{port}"), sent: AtomicUsize::new(0) }
    }
}

impl TransferTarget for WebServer {
    fn address(&self) -> &str {
        &self.address
    }

    fn send(&self, connection: &mut Connection, bytes: &[u8]) -> anyhow::Result<String> {
        let path = format!("/{}", self.sent.fetch_add(1, Ordering::Relaxed));
        connection.call("PUT", &path, "", &[bytes])?;
        Ok(path)
    }

    fn headers(&self) -> String {
        String::new()
    }
}

/// The service, which takes each file as the attachment of a message, hashes and syncs it.
pub(super) struct Service {
    address: String,
    token: String,
    session: String,
}

impl Service {
    /// With a session of the admin's own.
    pub(super) fn of(chat: &Chat) -> anyhow::Result<Self> {
        let session = chat.open_sessions(1)?.pop().context("no session")?;
        Ok(Self { address: chat.address.clone(), token: chat.token.clone(), session })
    }

    /// With the token and the session of another person.
    pub(super) fn of_person(chat: &Chat, token: String) -> anyhow::Result<Self> {
        let mut connection = Connection::to(&chat.address)?;
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let answer = connection.call("POST", "/api/chat/sessions", &headers, &[b"{}"])?;
        Ok(Self { address: chat.address.clone(), token, session: text(&answer, "/id")? })
    }
}

impl TransferTarget for Service {
    fn address(&self) -> &str {
        &self.address
    }

    fn send(&self, connection: &mut Connection, bytes: &[u8]) -> anyhow::Result<String> {
        let headers = format!("{}Content-Type: multipart/form-data; boundary=\"{BOUNDARY}\"\r\n", self.headers());
        let before = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"attachments[0]\"; filename=\"file\"\r\n\r\n"
        );
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let path = format!("/api/chat/sessions/{}/messages", self.session);
        let answer = connection.call("POST", &path, &headers, &[before.as_bytes(), bytes, after.as_bytes()])?;
        Ok(format!("/api/chat/attachments/{}", text(&answer, "/attachments/0/id")?))
    }

    fn headers(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }
}

/// The text at a place of a JSON document.
fn text(json: &[u8], place: &str) -> anyhow::Result<String> {
    let document: Value = serde_json::from_slice(json)?;
    let text = document.pointer(place).and_then(Value::as_str);
    Ok(text.with_context(|| format!("no text at {place} in {document}"))?.to_owned())
}

/// A connection that stays open.
pub(super) struct Connection {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) fn to(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { address: address.to_owned(), stream: BufReader::with_capacity(1 << 17, stream) })
    }

    /// Sends a request whose body has these parts; the body of its 2xx answer.
    pub(super) fn call(&mut self, method: &str, path: &str, headers: &str, body: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
        let length: usize = body.iter().map(|part| part.len()).sum();
        let address = &self.address;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        for part in body {
            stream.write_all(part)?;
        }
        let mut answer = Vec::new();
        let status = self.receive(|bytes| answer.extend_from_slice(bytes))?;
        ensure!(status.starts_with('2'), "{path} is refused: {status} {}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }

    /// Downloads a path and returns how many bytes it has.
    pub(super) fn download(&mut self, path: &str, headers: &str) -> anyhow::Result<usize> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        self.stream.get_mut().write_all(head.as_bytes())?;
        let mut received = 0;
        let status = self.receive(|bytes| received += bytes.len())?;
        ensure!(status.starts_with('2'), "{path} is refused: {status}");
        Ok(received)
    }

    /// Reads a response with a `Content-Length`, passes its body on in pieces, and returns its status line from the status.
    fn receive(&mut self, mut take: impl FnMut(&[u8])) -> anyhow::Result<String> {
        let (mut status, mut left) = (String::new(), 0);
        loop {
            let mut line = String::new();
            ensure!(self.stream.read_line(&mut line)? > 0, "the connection was closed");
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if status.is_empty() {
                line.split_once(' ').context("no status")?.1.clone_into(&mut status);
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                left = value.trim().parse()?;
            }
        }
        let mut piece = vec![0; 1 << 17];
        while left > 0 {
            let room = left.min(piece.len());
            let read = self.stream.read(piece.get_mut(..room).unwrap_or_default())?;
            ensure!(read > 0, "the body was cut off");
            take(piece.get(..read).unwrap_or_default());
            left -= read;
        }
        Ok(status)
    }
}

/// Sends the files of a load; the paths at which they are served, and MB/s.
pub(super) fn upload(target: &dyn TransferTarget, load: TransferLoad) -> anyhow::Result<(Vec<String>, f64)> {
    // Bytes of no known type: what is recognised is looked at more closely.
    let bytes = vec![7; load.bytes];
    let paths = Mutex::new(Vec::new());
    let rate = transfer(target, load, |connection, _| {
        let path = target.send(connection, &bytes)?;
        paths.lock().map_err(|_| anyhow!("a transfer has panicked"))?.push(path);
        Ok(())
    })?;
    Ok((paths.into_inner()?, rate))
}

/// Downloads files of a load; MB/s.
pub(super) fn download(target: &dyn TransferTarget, load: TransferLoad, paths: &[String]) -> anyhow::Result<f64> {
    let headers = target.headers();
    transfer(target, load, |connection, number| {
        let path = paths.get(number).context("not so many files were sent")?;
        let received = connection.download(path, &headers)?;
        ensure!(received == load.bytes, "{path} has {received} bytes");
        Ok(())
    })
}

/// Does a transfer of each file of a load, on as many connections as it says.
fn transfer(
    target: &dyn TransferTarget,
    load: TransferLoad,
    each: impl Fn(&mut Connection, usize) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<f64> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut connection = Connection::to(target.address())?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= load.files {
                return Ok(());
            }
            each(&mut connection, number)?;
        }
    };
    let started = Instant::now();
    at_once(load.connections, |_| work())?;
    let bytes = u32::try_from(load.files * load.bytes).context("more than 4 GB")?;
    Ok(f64::from(bytes) / 1e6 / started.elapsed().as_secs_f64())
}

/// Runs the work on so many threads and waits for all.
pub(super) fn at_once(threads: usize, work: impl Fn(usize) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread has panicked"))?)
    })
}
