//! `GET /ws/chat`: a socket of many sessions.

mod budgets;
mod commands;
mod endings;
mod events;
mod handshake;
mod inbox;
mod lossless;
mod slow;
