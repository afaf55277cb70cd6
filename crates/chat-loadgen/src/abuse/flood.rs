//! Sockets that send what no service may take: a frame that claims a terabyte, or more frames than any client needs.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::error::LoadError;
use crate::fleet::FleetPlan;
use crate::measure::rounded;
use crate::net;
use crate::socket::{ClientCloseReason, Socket, SocketRequest};
use crate::units;

/// Bytes behind the head of a frame that claims more.
const PIECE_BYTES: usize = 64 * 1024;
/// A service that still reads after so many bytes takes everything.
const MOST_BYTES: u64 = 256 << 20;
/// Frames that go out in one write.
const FRAMES_AT_ONCE: u64 = 1_000;
/// Frames that one socket sends.
const FRAMES: u64 = 1_000_000;
const TEXT: &str = r#"{"type":"typing","data":{"isTyping":true}}"#;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FloodFrames {
    /// A frame whose head claims 2^40 bytes, and bytes as long as they are taken.
    Claim,
    /// A message of a million empty fragments.
    Fragments,
    /// A million empty pings.
    Pings,
    /// A million small texts.
    Texts,
}

impl FloodFrames {
    /// What comes first.
    fn first(self) -> Vec<u8> {
        match self {
            Self::Claim => [[0x81, 0x80 | 127].as_slice(), &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat(),
            Self::Fragments => vec![0x01, 0x80, 0, 0, 0, 0],
            Self::Pings | Self::Texts => Vec::new(),
        }
    }

    /// What comes then, again and again. The mask is 0, which leaves a payload as it is.
    fn repeated(self) -> Vec<u8> {
        match self {
            Self::Claim => vec![b'x'; PIECE_BYTES],
            Self::Fragments => vec![0x00, 0x80, 0, 0, 0, 0],
            Self::Pings => vec![0x89, 0x80, 0, 0, 0, 0],
            Self::Texts => {
                let length = u8::try_from(TEXT.len()).unwrap_or_default();
                [[0x81, 0x80 | length, 0, 0, 0, 0].as_slice(), TEXT.as_bytes()].concat()
            }
        }
    }
}

/// A flood.
#[derive(Clone, Debug, Args)]
pub struct FloodOptions {
    /// What each socket sends.
    #[arg(long, value_enum, default_value = "claim")]
    pub what: FloodFrames,
    /// How long a socket may take from the handshake to its end.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub duration: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct FloodReport {
    pub command: &'static str,
    pub sockets: usize,
    pub seconds: f64,
    pub close_reasons: BTreeMap<String, u64>,
    pub most_bytes_sent: u64,
    pub bytes_sent: u64,
}

/// Floods the first node and path of the fleet, with all its sockets at the same time.
///
/// # Errors
/// The process may not have so many sockets.
pub async fn flood(plan: FleetPlan, options: &FloodOptions) -> Result<FloodReport, LoadError> {
    net::allow_connections(plan.sockets)?;
    let (started, sockets) = (Instant::now(), plan.sockets);
    let one = |number| {
        let (plan, options) = (plan.clone(), options.clone());
        spawn_local(async move { one_socket(&plan, &options, number).await })
    };
    let tasks: Vec<_> = (0..sockets).map(one).collect();
    let (mut close_reasons, mut most_bytes_sent, mut bytes_sent) = (BTreeMap::new(), 0, 0);
    for task in tasks {
        let (reason, sent) = task.await.unwrap_or((None, 0));
        let name = reason.map_or_else(|| "survived".to_owned(), ClientCloseReason::name);
        *close_reasons.entry(name).or_default() += 1;
        most_bytes_sent = most_bytes_sent.max(sent);
        bytes_sent += sent;
    }
    let seconds = rounded(started.elapsed().as_secs_f64());
    Ok(FloodReport { command: "flood", sockets, seconds, close_reasons, most_bytes_sent, bytes_sent })
}

/// How the socket ended, nothing when it did not, and how many bytes went out.
async fn one_socket(plan: &FleetPlan, options: &FloodOptions, number: usize) -> (Option<ClientCloseReason>, u64) {
    let (Some(target), Some(path)) = (plan.nodes.first(), plan.paths.first()) else {
        return (Some(ClientCloseReason::Unreachable), 0);
    };
    let request = SocketRequest { target, path, token: plan.token(number), mode: plan.mode, limit: options.duration };
    let mut socket = match Socket::open(&request).await {
        Ok(socket) => socket,
        Err(reason) => return (Some(reason), 0),
    };
    let mut supply = Supply::new(options.what, FRAMES);
    let mut sent = 0;
    let ended = timeout(options.duration, async {
        loop {
            // Read first, so that a close frame is noticed although there is always more to write.
            let step = poll_fn(|cx| {
                while let Poll::Ready(received) = socket.poll_text(cx) {
                    if let Err(reason) = received {
                        return Poll::Ready(Err(reason));
                    }
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
                    // One socket that always writes must not keep the others from it.
                    tokio::task::yield_now().await;
                }
                Err(reason) => return Some(reason),
            }
        }
    })
    .await;
    (ended.unwrap_or(None), sent)
}

/// The bytes to send, a piece at a time.
struct Supply {
    repeated: Vec<u8>,
    is_endless: bool,
    piece: Vec<u8>,
    written: usize,
    /// Frames that no piece has had yet.
    left: u64,
}

impl Supply {
    fn new(what: FloodFrames, frames: u64) -> Self {
        let is_endless = what == FloodFrames::Claim;
        Self { repeated: what.repeated(), is_endless, piece: what.first(), written: 0, left: frames }
    }

    /// What is next; nothing when everything was sent.
    fn bytes(&mut self) -> Option<&[u8]> {
        if self.written == self.piece.len() {
            self.written = 0;
            let frames = if self.is_endless { 1 } else { self.left.min(FRAMES_AT_ONCE) };
            self.left -= if self.is_endless { 0 } else { frames };
            self.piece = self.repeated.repeat(usize::try_from(frames).unwrap_or_default());
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
    fn a_flood_has_the_requested_number_of_frames_and_a_claim_never_ends() {
        let mut supply = Supply::new(FloodFrames::Pings, 2_500);
        let mut bytes = 0;
        while let Some(piece) = supply.bytes() {
            // Small writes, as a full buffer allows.
            let some = piece.len().min(700);
            bytes += some;
            supply.used(some);
        }
        assert_eq!(bytes, 2_500 * 6, "an empty masked frame has six bytes");
        let mut supply = Supply::new(FloodFrames::Claim, FRAMES);
        assert_eq!(supply.bytes().unwrap(), [0x81, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        supply.used(14);
        for _ in 0..2 {
            assert_eq!(supply.bytes().map(<[u8]>::len), Some(PIECE_BYTES));
            supply.used(PIECE_BYTES);
        }
    }
}
