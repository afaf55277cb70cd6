//! The limits of the HTTP edge that no option changes, for the reference.

use std::time::Duration;

use chat_websocket::FrameLimits;

use crate::body_slots::{JSON_PER_NODE, JSON_PER_PERSON};
use crate::guard::CROWDED_DRAIN;
use crate::request::{MAX_JSON_BYTES, MIN_BYTES_PER_SECOND, PACE_WINDOW};
use crate::settings::{SocketSettings, UploadSettings};
use crate::socket_protocol::{
    FRAME_BURST, FRAMES_PER_MINUTE, MAX_SUBSCRIPTIONS, SUBSCRIPTION_BURST, SUBSCRIPTIONS_PER_MINUTE,
};
use crate::transport_limits::TransportLimits;

/// A limit that no option changes.
pub struct FixedLimit {
    /// What is limited.
    pub subject: &'static str,
    /// How, with its units, and what happens beyond it. Markdown.
    pub bound: String,
}

/// The limits of requests, connections and sockets.
pub fn fixed_limits() -> Vec<FixedLimit> {
    let mut limits = Vec::from(body_limits());
    limits.extend(connection_limits());
    limits.extend(socket_limits());
    limits
}

fn body_limits() -> [FixedLimit; 2] {
    let json = seconds(TransportLimits::default().json_body);
    let kib = MAX_JSON_BYTES / 1024;
    let (pace, window) = (MIN_BYTES_PER_SECOND / 1024, seconds(PACE_WINDOW));
    let time_limit = UploadSettings::default().time_limit.as_secs() / 3600;
    [
        FixedLimit {
            subject: "JSON body",
            bound: format!(
                "at most {kib} KiB, complete within {json} seconds; incomplete ones: at most {JSON_PER_PERSON} of a \
                 person (then 429) and {JSON_PER_NODE} on a node (then 503)"
            ),
        },
        FixedLimit {
            subject: "upload",
            bound: format!(
                "at least {pace} KiB per second, measured over {window} seconds; complete within {time_limit} h"
            ),
        },
    ]
}

fn connection_limits() -> [FixedLimit; 4] {
    let TransportLimits {
        head,
        idle,
        crowded,
        crowded_silent,
        stalled,
        crowded_stalled,
        drain,
        drain_bytes,
        proxy_drain,
        proxy_drain_bytes,
        ..
    } = TransportLimits::default();
    let [head, idle, crowded, silent, stalled, crowded_stalled, drain, crowded_drain, proxy_drain] =
        [head, idle, crowded, crowded_silent, stalled, crowded_stalled, drain, CROWDED_DRAIN, proxy_drain].map(seconds);
    let (drain_kib, proxy_mib) = (drain_bytes / 1024, proxy_drain_bytes / 1024 / 1024);
    [
        FixedLimit {
            subject: "head of a request",
            bound: format!(
                "complete within {head} seconds; within {crowded} while three quarters of the connections are taken, \
                 and begun within {silent}"
            ),
        },
        FixedLimit {
            subject: "idle connection",
            bound: format!(
                "closed after {idle} seconds; after {crowded} while three quarters of the connections are taken"
            ),
        },
        FixedLimit {
            subject: "response",
            bound: format!(
                "a client must take at least a byte every {stalled} seconds; every {crowded_stalled} while three \
                 quarters of the connections are taken"
            ),
        },
        FixedLimit {
            subject: "request body that is not read",
            bound: format!(
                "at most {drain_kib} KiB in {drain} seconds are read and discarded, then the connection is closed; in \
                 {crowded_drain} s while three quarters of the connections are taken. From a trusted proxy at most \
                 twice the largest message ({proxy_mib} MiB or more) in {proxy_drain} seconds, so that its client gets \
                 the response and not a 502"
            ),
        },
    ]
}

fn socket_limits() -> [FixedLimit; 5] {
    let SocketSettings { ping_every, silence_limit, write_limit, .. } = SocketSettings::default();
    let [ping, silence, write] = [ping_every, silence_limit, write_limit].map(seconds);
    let FrameLimits { frame_bytes, message_bytes, fragments } = FrameLimits::default();
    let (frame_kib, message_kib) = (frame_bytes / 1024, message_bytes / 1024);
    [
        FixedLimit {
            subject: "subscriptions of a socket at `/ws/chat`",
            bound: format!(
                "at most {MAX_SUBSCRIPTIONS} (then `error` with `TOO_MANY_SUBSCRIPTIONS`); {SUBSCRIPTION_BURST} begun \
                 or ended at once and {SUBSCRIPTIONS_PER_MINUTE} a minute (then 4429)"
            ),
        },
        FixedLimit {
            subject: "frames from a client",
            bound: format!("at most {FRAME_BURST} at once and {FRAMES_PER_MINUTE} a minute (then 4429)"),
        },
        FixedLimit {
            subject: "size of a frame from a client",
            bound: format!(
                "at most {frame_kib} KiB; a message at most {message_kib} KiB in {fragments} fragments (then 1009)"
            ),
        },
        FixedLimit {
            subject: "socket whose client takes no byte",
            bound: format!("closed with 4413 after {write} seconds"),
        },
        FixedLimit {
            subject: "socket whose client is silent",
            bound: format!("pinged after {ping} seconds, closed with 4408 after {silence} more"),
        },
    ]
}

fn seconds(time: Duration) -> u64 {
    time.as_secs()
}
