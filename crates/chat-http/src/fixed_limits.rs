//! The limits of the HTTP edge that no option changes, for the reference.

use chat_identity::in_words;
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
    let (kib, json) = (MAX_JSON_BYTES / 1024, in_words(TransportLimits::default().json_body));
    let (pace, window) = (MIN_BYTES_PER_SECOND / 1024, in_words(PACE_WINDOW));
    let time_limit = in_words(UploadSettings::default().time_limit);
    [
        FixedLimit {
            subject: "JSON body",
            bound: format!(
                "at most {kib} KiB, complete within {json}; incomplete ones: at most {JSON_PER_PERSON} of a \
                 person (then 429) and {JSON_PER_NODE} on a node (then 503)"
            ),
        },
        FixedLimit {
            subject: "upload",
            bound: format!("at least {pace} KiB per second, measured over {window}; complete within {time_limit}"),
        },
    ]
}

fn connection_limits() -> [FixedLimit; 4] {
    let limits = TransportLimits::default();
    let [head, crowded, silent] = [limits.head, limits.crowded, limits.crowded_silent].map(in_words);
    let [idle, stalled, crowded_stalled] = [limits.idle, limits.stalled, limits.crowded_stalled].map(in_words);
    let [drain, crowded_drain, proxy_drain] = [limits.drain, CROWDED_DRAIN, limits.proxy_drain].map(in_words);
    let (drain_kib, proxy_mib) = (limits.drain_bytes / 1024, limits.proxy_drain_bytes / 1024 / 1024);
    [
        FixedLimit {
            subject: "head of a request",
            bound: format!(
                "complete within {head}; within {crowded} while three quarters of the connections are taken, \
                 and begun within {silent}"
            ),
        },
        FixedLimit {
            subject: "idle connection",
            bound: format!("closed after {idle}; after {crowded} while three quarters of the connections are taken"),
        },
        FixedLimit {
            subject: "response",
            bound: format!(
                "a client must take at least a byte every {stalled}; every {crowded_stalled} while three \
                 quarters of the connections are taken"
            ),
        },
        FixedLimit {
            subject: "request body that is not read",
            bound: format!(
                "at most {drain_kib} KiB in {drain} are read and discarded, then the connection is closed; in \
                 {crowded_drain} while three quarters of the connections are taken. From a trusted proxy at most \
                 twice the largest message ({proxy_mib} MiB or more) in {proxy_drain}, so that its client gets \
                 the response and not a 502"
            ),
        },
    ]
}

fn socket_limits() -> [FixedLimit; 5] {
    let SocketSettings { ping_every, silence_limit, write_limit, .. } = SocketSettings::default();
    let [ping, silence, write] = [ping_every, silence_limit, write_limit].map(in_words);
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
        FixedLimit { subject: "socket whose client takes no byte", bound: format!("closed with 4413 after {write}") },
        FixedLimit {
            subject: "socket whose client is silent",
            bound: format!("pinged after {ping}, closed with 4408 after {silence} more"),
        },
    ]
}
