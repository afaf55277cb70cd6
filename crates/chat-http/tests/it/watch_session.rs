//! `GET /ws/chat/{sessionId}`

mod delivery;
mod endings;
mod frames;
mod limits;
mod origins;
mod refusals;
mod replay;
