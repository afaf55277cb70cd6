//! The sockets (RFC 6455): frames go out, liveness and delivery come back.
//!
//! | module | what lives there |
//! |---|---|
//! | `takeover` | the connection leaves the HTTP server's hands |
//! | `plan` | what the handler of a handshake leaves for the take-over |
//! | `worker_sockets`, `wake_relay` | the open sockets of a worker: what keeps it alive for them, and what wakes them |
//! | `socket_task` | a socket as a task: the open socket, then its closing handshake |
//! | `chat_socket` | what is due, what the peer sends, what the jobs return, what happens in the session |
//! | `connection` | what belongs to the connection: writing, liveness, the token, the budget of frames |
//! | `subscriptions` | what it is subscribed to: the session of its address, or a set that its client names |
//! | `subscription_set`, `ready_set` | many subscriptions: opened, served in turns, ended each on its own |
//! | `live_subscription` | what belongs to a session: its events, the right to see them, what the client has confirmed |
//! | `inbound` | what the client has confirmed and asked for |
//! | `jobs` | the calls of use cases that run |
//! | `event_frame` | events as encoded frames |
//! | `access_check`, `token_lifetime`, `liveness`, `delivery_probe`, `frame_budget`, `watermark_recorder` | decisions without I/O, which take the time |
//! | `times` | how often stores are called |
//! | `close_reason`, `pending_watermarks` | why a socket ends, and what is recorded after that |
//!
//! Which events are seen and in which order is decided by the domain (`SessionSubscription`); the frames' content is in
//! `socket_protocol`, their bytes on the wire in `chat_websocket`.

mod access_check;
mod chat_socket;
mod close_reason;
mod connection;
mod delivery_probe;
mod event_frame;
mod frame_budget;
mod inbound;
mod jobs;
mod live_subscription;
mod liveness;
mod pending_watermarks;
mod plan;
mod ready_set;
mod socket_task;
mod subscription_set;
mod subscriptions;
mod takeover;
mod times;
mod token_lifetime;
mod wake_relay;
mod watermark_recorder;
mod worker_sockets;

pub(crate) use plan::{PlannedSubscriptions, SocketPlan};
pub(crate) use takeover::TakeOver;
