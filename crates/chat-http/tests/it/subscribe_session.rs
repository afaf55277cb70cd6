//! `GET /ws/chat/{sessionId}`

mod connections;
mod delivery;
mod endings;
mod extended;
mod frames;
mod limits;
mod newer_version;
mod origins;
mod outage;
mod refusals;
mod removed_keys;
mod renewal;
mod replay;
mod shutdown;
mod stalled;
mod takeover;
