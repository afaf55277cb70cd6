//! Uploads that begin and then stop: how many the service takes, and what each costs its memory.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::select;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::error::LoadError;
use crate::http::Target;
use crate::measure::MemoryMeter;
use crate::net::{self, Dial};

const BOUNDARY: &str = "chat-loadgen-upload";
/// What an upload announces: more than it sends.
const ANNOUNCED: usize = 20 * 1024 * 1024;
/// Enough of an answer to know its status.
const STATUS_BYTES: usize = "HTTP/1.1 200".len();

/// Uploads to begin.
#[derive(Clone, Debug)]
pub struct UploadPlan {
    /// The service.
    pub target: Target,
    /// The session that takes them.
    pub session: String,
    /// In whose names, in turn.
    pub tokens: Vec<String>,
    /// How many at the same time.
    pub uploads: usize,
    /// How many bytes of its file each sends before it stops.
    pub bytes: usize,
    /// The service's process, when it is on this machine.
    pub server: Option<u32>,
}

/// What became of them. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadReport {
    /// `uploads`.
    pub command: &'static str,
    /// Uploads that were begun.
    pub uploads: usize,
    /// Those that stood still to the end, without an answer.
    pub stalled: u64,
    /// Answers by their status, and connections that ended without one as `lost`.
    pub ends: BTreeMap<String, u64>,
    /// Resident memory of the service before the first one; `null` when its process was not named.
    pub server_kib_before: Option<u64>,
    /// The most it was while they were there.
    pub server_kib_peak: Option<u64>,
    /// The difference by `stalled`.
    pub server_kib_per_upload: Option<f64>,
}

/// How far the uploads have got, while they run.
#[derive(Clone, Debug, Default)]
pub struct UploadProgress {
    sent: Rc<Cell<usize>>,
    ended: Rc<Cell<usize>>,
}

impl UploadProgress {
    /// Uploads that have sent all that they send.
    pub fn sent(&self) -> usize {
        self.sent.get()
    }

    /// Uploads that have ended, with an answer or without.
    pub fn ended(&self) -> usize {
        self.ended.get()
    }
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get().saturating_add(1));
}

/// Begins the uploads and holds them for as long as `stay` takes. Must run inside a `LocalSet`.
///
/// # Errors
/// The process may not have so many connections.
pub async fn uploads(plan: UploadPlan, stay: impl AsyncFnOnce(UploadProgress)) -> Result<UploadReport, LoadError> {
    net::allow_connections(plan.uploads)?;
    let mut memory = MemoryMeter::of(plan.server);
    let progress = UploadProgress::default();
    let (release, released) = watch::channel(());
    let running: Vec<_> = (0..plan.uploads)
        .map(|number| {
            let token = plan.tokens.get(number % plan.tokens.len().max(1)).cloned().unwrap_or_default();
            let request = request(&plan, &token);
            spawn_local(upload(plan.target.clone(), number, request, progress.clone(), released.clone()))
        })
        .collect();
    let mut staying = pin!(stay(progress));
    loop {
        select! {
            () = &mut staying => break,
            () = sleep(MemoryMeter::EVERY) => memory.look(),
        }
    }
    memory.look();
    drop(release);
    let (mut ends, mut stalled) = (BTreeMap::<String, u64>::new(), 0);
    for upload in running {
        match upload.await.unwrap_or_else(|_| Some("lost".to_owned())) {
            Some(end) => *ends.entry(end).or_default() += 1,
            None => stalled += 1,
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let per_upload = |grown: u64| (stalled > 0).then(|| (grown as f64 / stalled as f64 * 10.0).round() / 10.0);
    Ok(UploadReport {
        command: "uploads",
        uploads: plan.uploads,
        stalled,
        ends,
        server_kib_before: memory.before(),
        server_kib_peak: memory.peak(),
        server_kib_per_upload: memory.grown().and_then(per_upload),
    })
}

/// The head of the request and as much of its body as is sent.
fn request(plan: &UploadPlan, token: &str) -> Vec<u8> {
    let UploadPlan { target, session, bytes, .. } = plan;
    let mut request = format!(
        "POST {}/api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {ANNOUNCED}\r\n\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"attachments[0]\"; filename=\"stalled.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        target.prefix, target.authority
    )
    .into_bytes();
    request.resize(request.len() + bytes, b'x');
    request
}

/// How an upload ended before its time; `None` when it did not.
async fn upload(
    target: Target,
    number: usize,
    request: Vec<u8>,
    progress: UploadProgress,
    mut released: watch::Receiver<()>,
) -> Option<String> {
    let dial = Dial { number, receive_buffer: None };
    let Ok(stream) = net::connect(target.address, dial).await else {
        count(&progress.ended);
        return Some("unreachable".to_owned());
    };
    let (mut reader, mut writer) = stream.into_split();
    let sent = Rc::clone(&progress.sent);
    let sending = spawn_local(async move {
        // A service that refuses need not read it all.
        if writer.write_all(&request).await.is_ok() {
            count(&sent);
        }
        writer
    });
    let end = select! {
        biased;
        status = status(&mut reader) => {
            count(&progress.ended);
            Some(status.unwrap_or_else(|| "lost".to_owned()))
        }
        // It says that its other end is gone, and nothing else.
        _released = released.changed() => None,
    };
    sending.abort();
    // It ends as that of a client that is killed; one that has not been sent to its end drops its half by itself.
    if let Ok(writer) = sending.await
        && let Ok(stream) = reader.reunite(writer)
    {
        net::reset(stream);
    }
    end
}

/// The status of the answer; `None` when the connection ends without one.
async fn status(reader: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut line = [0; STATUS_BYTES];
    reader.read_exact(&mut line).await.ok()?;
    let line = std::str::from_utf8(&line).ok()?;
    line.split(' ').nth(1).map(str::to_owned)
}
