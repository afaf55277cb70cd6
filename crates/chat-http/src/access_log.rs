//! The access log: a line of JSON for each request, written by a thread of its own, so that no request waits for the
//! reader of the log. What it does not take is counted and dropped.
//!
//! A line has no query, no header and no body: they may hold tokens, tickets and what people say. Its path is that of
//! `log_text`.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use chat_domain::model::UserId;
use metrics::{Counter, counter};
use serde::Serialize;

use crate::log_text::escape_unseen;

/// How many lines wait at most: some hundred milliseconds of a busy node, and about a megabyte.
const QUEUE: usize = 4_096;
/// How much is written at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// What a line says about a request. Its field names are the line's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AccessLine {
    /// When it came (RFC 3339).
    pub(crate) time: String,
    pub(crate) method: String,
    /// The path with its parameters in braces; absent for an address that is not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<String>,
    pub(crate) path: String,
    pub(crate) status: u16,
    /// How many bytes of the response's body were handed to the connection.
    pub(crate) bytes: u64,
    /// Until the response was taken, or the client gone.
    pub(crate) ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<IpAddr>,
    pub(crate) request_id: String,
    /// The `sub` of the token that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
}

/// The person whose token a request had, kept with the request until its line is written.
#[derive(Clone, Debug)]
pub(crate) struct AccessPerson(pub(crate) UserId);

/// What goes through the queue.
enum AccessLogEntry {
    Line(Box<AccessLine>),
    /// Wakes the thread, which looks whether it shall end.
    Wake,
}

/// Where lines go. Clones go to the same place.
#[derive(Clone)]
pub struct AccessLog {
    queue: SyncSender<AccessLogEntry>,
    dropped: Counter,
}

/// The thread that writes the lines.
pub struct AccessLogThread {
    queue: SyncSender<AccessLogEntry>,
    shall_end: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl AccessLog {
    /// Starts to write to `out`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(Self, AccessLogThread)> {
        let (queue, entries) = mpsc::sync_channel(QUEUE);
        let (ends, ended) = mpsc::channel::<()>();
        let shall_end = Arc::new(AtomicBool::new(false));
        let ends_now = Arc::clone(&shall_end);
        let dropped = counter!("chat_access_log_dropped_total");
        let unwritten = dropped.clone();
        thread::Builder::new().name("chat-access-log".to_owned()).spawn(move || {
            let _until_the_end = ends;
            write_all(&entries, &ends_now, out, unwritten);
        })?;
        Ok((Self { queue: queue.clone(), dropped }, AccessLogThread { queue, shall_end, ended }))
    }

    pub(crate) fn write(&self, line: AccessLine) {
        match self.queue.try_send(AccessLogEntry::Line(Box::new(line))) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.dropped.increment(1),
        }
    }
}

impl AccessLogThread {
    /// Lets the lines that wait be written, but only so long: the reader of the log may have stopped to read. Blocks.
    pub fn stop(self, limit: Duration) {
        self.ask_to_end();
        if self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("lines of the access log are lost: they were not taken in time");
        }
    }

    fn ask_to_end(&self) {
        self.shall_end.store(true, Ordering::SeqCst);
        // A queue that is full needs none: its thread has lines to write, and looks after them.
        let _full_or_gone = self.queue.try_send(AccessLogEntry::Wake);
    }
}

/// Writes lines, as many at once as wait, until it shall end or no sender is left.
fn write_all(entries: &Receiver<AccessLogEntry>, shall_end: &AtomicBool, out: impl Write, dropped: Counter) {
    let mut pending = PendingLines { out, text: String::with_capacity(BUFFER_BYTES), lines: 0, works: true, dropped };
    while let Ok(first) = entries.recv() {
        pending.write_with_waiting(Some(first), entries);
        if shall_end.load(Ordering::SeqCst) {
            // What came while the lines before were being written.
            pending.write_with_waiting(None, entries);
            break;
        }
    }
}

/// Lines that are written together.
struct PendingLines<W> {
    out: W,
    text: String,
    lines: u64,
    /// Whether the last lines could be written.
    works: bool,
    dropped: Counter,
}

impl<W: Write> PendingLines<W> {
    /// Writes the line of an entry, and those that wait behind it.
    fn write_with_waiting(&mut self, first: Option<AccessLogEntry>, entries: &Receiver<AccessLogEntry>) {
        for entry in first.into_iter().chain(entries.try_iter()) {
            if let AccessLogEntry::Line(line) = entry {
                self.add(&line);
            }
        }
        self.write();
    }

    fn add(&mut self, line: &AccessLine) {
        let Ok(line) = serde_json::to_string(line) else { return self.dropped.increment(1) };
        self.text.push_str(&escape_unseen(&line));
        self.text.push('\n');
        self.lines += 1;
        if self.text.len() >= BUFFER_BYTES {
            self.write();
        }
    }

    /// Writes them all. If that fails, since the reader of the log is gone for example, they are counted and dropped.
    fn write(&mut self) {
        if self.lines == 0 {
            return;
        }
        let outcome = self.out.write_all(self.text.as_bytes()).and_then(|()| self.out.flush());
        match &outcome {
            Err(error) if self.works => tracing::warn!(error.cause = %error, "the access log cannot be written"),
            Ok(()) if !self.works => tracing::info!("the access log can be written again"),
            _ => {}
        }
        self.works = outcome.is_ok();
        if !self.works {
            self.dropped.increment(self.lines);
        }
        self.text.clear();
        self.lines = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;

    use super::*;

    /// Far more than a thread needs that has nothing to wait for.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Sends what is written, once the gate is open: when its other end is gone. Sends on `waits` before each piece.
    struct Gated {
        waits: Sender<()>,
        gate: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _may_be_unobserved = self.waits.send(());
            let _open_now = self.gate.recv();
            self.written.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line() -> AccessLogEntry {
        AccessLogEntry::Line(Box::new(AccessLine {
            time: "2026-01-01T00:00:00Z".to_owned(),
            method: "GET".to_owned(),
            route: None,
            path: "/".to_owned(),
            status: 200,
            bytes: 0,
            ms: 0.0,
            client: None,
            request_id: "1".to_owned(),
            person: None,
        }))
    }

    #[test]
    fn the_lines_of_a_full_queue_are_written_before_the_end() {
        let (waits, waiting) = mpsc::channel();
        let (gate, closed) = mpsc::channel();
        let (written, pieces) = mpsc::channel();
        let (log, thread) = AccessLog::start(Gated { waits, gate: closed, written }).unwrap();
        // The thread writes this one while the queue fills.
        log.queue.send(line()).unwrap();
        waiting.recv_timeout(PATIENCE).unwrap();
        let mut taken = 1;
        while log.queue.try_send(line()).is_ok() {
            taken += 1;
        }
        assert!(taken >= QUEUE, "{taken}");
        thread.ask_to_end();
        drop(gate);
        assert_eq!(thread.ended.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        let lines = pieces.try_iter().flatten().filter(|byte| *byte == b'\n').count();
        assert_eq!(lines, taken);
    }

    #[test]
    fn the_thread_ends_when_no_sender_is_left() {
        let (gate, closed) = mpsc::channel();
        drop(gate);
        let (written, pieces) = mpsc::channel();
        let (log, thread) = AccessLog::start(Gated { waits: mpsc::channel().0, gate: closed, written }).unwrap();
        log.queue.send(line()).unwrap();
        drop((log, thread));
        assert!(pieces.recv_timeout(PATIENCE).is_ok());
        assert_eq!(pieces.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "it is dropped with its thread");
    }
}
