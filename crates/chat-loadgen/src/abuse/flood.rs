//! Sockets that send what no service may take: a frame that claims a terabyte, or more frames than anybody needs.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::error::LoadError;
use crate::net;
use crate::socket::{Opening, Socket, SocketEnd, empty_fragment, frame_header, ping_frame, text_frame};
use crate::{http::Target, socket::Mode};

/// Bytes behind the header of a frame that claims more.
const PIECE_BYTES: usize = 64 * 1024;
/// A service that still reads after so many is one that takes everything.
const MOST_BYTES: u64 = 256 << 20;
/// Frames that go out in one write.
const FRAMES_AT_ONCE: u64 = 1_000;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// A frame whose header claims so many bytes, and bytes as long as the service takes them.
    Claim(u64),
    /// A message of so many empty fragments, which does not end.
    EmptyFragments(u64),
    /// So many empty pings.
    Pings(u64),
    /// So many small texts.
    Texts(u64),
}

/// Sockets that flood.
#[derive(Clone, Debug)]
pub struct FloodPlan {
    /// The service.
    pub target: Target,
    /// The path of the socket.
    pub path: String,
    /// In whose names: the sockets take them in turn. Not empty.
    pub tokens: Vec<String>,
    /// The protocol.
    pub mode: Mode,
    /// What each sends.
    pub flood: Flood,
    /// How many at the same time.
    pub sockets: usize,
    /// How long one may take from the handshake to its end.
    pub timeout: Duration,
}

/// What came of them. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FloodReport {
    /// `flood`.
    pub command: &'static str,
    /// Sockets at the same time.
    pub sockets: usize,
    /// From the first handshake to the last end.
    pub seconds: f64,
    /// How sockets ended, such as `closed 1009`. `survived` is one that was still open in the end.
    pub ends: BTreeMap<String, u64>,
    /// The most bytes that a socket got rid of, what the kernel buffers included.
    pub most_bytes_sent: u64,
    /// Of all sockets.
    pub bytes_sent: u64,
}

/// Runs the flood.
///
/// # Errors
/// The process may not have so many sockets.
pub async fn flood(plan: FloodPlan) -> Result<FloodReport, LoadError> {
    net::allow_connections(plan.sockets)?;
    let started = Instant::now();
    let tasks: Vec<_> = (0..plan.sockets)
        .map(|number| {
            let plan = plan.clone();
            spawn_local(async move { one(&plan, number).await })
        })
        .collect();
    let mut report = FloodReport {
        command: "flood",
        sockets: plan.sockets,
        seconds: 0.0,
        ends: BTreeMap::new(),
        most_bytes_sent: 0,
        bytes_sent: 0,
    };
    for task in tasks {
        let (end, sent) = task.await.unwrap_or((None, 0));
        let name = end.map_or_else(|| "survived".to_owned(), SocketEnd::name);
        *report.ends.entry(name).or_default() += 1;
        report.most_bytes_sent = report.most_bytes_sent.max(sent);
        report.bytes_sent += sent;
    }
    report.seconds = (started.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    Ok(report)
}

/// How the socket ended, nothing when it did not, and how many bytes went out.
async fn one(plan: &FloodPlan, number: usize) -> (Option<SocketEnd>, u64) {
    let token = plan.tokens.get(number % plan.tokens.len().max(1)).map_or("", String::as_str);
    let opening = Opening { target: &plan.target, path: &plan.path, token, mode: plan.mode, limit: plan.timeout };
    let mut socket = match Socket::open(&opening).await {
        Ok(socket) => socket,
        Err(end) => return (Some(end), 0),
    };
    let mut supply = Supply::new(plan.flood);
    let mut sent = 0;
    let ended = timeout(plan.timeout, async {
        loop {
            // Read first, so that a close frame is seen although there is always more to write.
            let step = poll_fn(|cx| {
                if let Poll::Ready(Err(end)) = socket.poll_receive(cx, &mut |_| {}) {
                    return Poll::Ready(Err(end));
                }
                let Some(bytes) = supply.bytes() else { return Poll::Pending };
                socket.poll_write_raw(cx, bytes)
            });
            match step.await {
                Ok(written) => {
                    supply.used(written);
                    sent += written as u64;
                    if sent > MOST_BYTES {
                        return None;
                    }
                    // One socket that writes for ever must not keep the others from it.
                    tokio::task::yield_now().await;
                }
                Err(end) => return Some(end),
            }
        }
    })
    .await;
    (ended.unwrap_or(None), sent)
}

/// The bytes to send, a piece at a time.
struct Supply {
    flood: Flood,
    piece: Vec<u8>,
    written: usize,
    /// Frames that no piece has had yet; of a claim, whether there is more.
    left: u64,
}

impl Supply {
    fn new(flood: Flood) -> Self {
        let (left, piece) = match flood {
            Flood::Claim(length) => (u64::MAX, frame_header(length, true)),
            Flood::EmptyFragments(count) => (count, frame_header(0, false)),
            Flood::Pings(count) | Flood::Texts(count) => (count, Vec::new()),
        };
        Self { flood, piece, written: 0, left }
    }

    /// What is next; nothing when everything was sent.
    fn bytes(&mut self) -> Option<&[u8]> {
        if self.written == self.piece.len() {
            let frames = self.left.min(FRAMES_AT_ONCE);
            self.written = 0;
            self.piece.clear();
            if let Flood::Claim(_) = self.flood {
                self.piece.resize(PIECE_BYTES, b'x');
            } else {
                self.left -= frames;
            }
            for _ in 0..frames {
                match self.flood {
                    Flood::Claim(_) => break,
                    Flood::EmptyFragments(_) => empty_fragment(&mut self.piece),
                    Flood::Pings(_) => ping_frame(&mut self.piece),
                    Flood::Texts(_) => text_frame(r#"{"type":"typing","data":{"isTyping":true}}"#, &mut self.piece),
                }
            }
        }
        self.piece.get(self.written..).filter(|rest| !rest.is_empty())
    }

    fn used(&mut self, bytes: usize) {
        self.written += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_frames_are_supplied_as_were_asked_for_and_a_claim_never_ends() {
        let mut supply = Supply::new(Flood::Pings(2_500));
        let mut bytes = 0;
        while let Some(piece) = supply.bytes() {
            // Small writes, as a full buffer allows.
            let some = piece.len().min(700);
            bytes += some;
            supply.used(some);
        }
        assert_eq!(bytes, 2_500 * 6, "an empty masked frame has six bytes");
        let mut supply = Supply::new(Flood::Claim(1 << 40));
        assert_eq!(supply.bytes().map(<[u8]>::len), Some(14));
        supply.used(14);
        assert_eq!(supply.bytes().map(<[u8]>::len), Some(PIECE_BYTES));
    }
}
