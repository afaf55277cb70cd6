//! One operation per file: parse the request, call one use case, map the answer.

pub(crate) mod assign_agent;
pub(crate) mod close_session;
pub(crate) mod create_session;
pub(crate) mod deactivate_agent;
pub(crate) mod describe_service;
pub(crate) mod download_attachment;
pub(crate) mod get_messages;
pub(crate) mod get_session;
pub(crate) mod get_stats;
pub(crate) mod health;
pub(crate) mod issue_ticket;
pub(crate) mod list_agents;
pub(crate) mod list_sessions;
pub(crate) mod mark_read;
pub(crate) mod put_agent;
pub(crate) mod send_message;
pub(crate) mod send_typing;
pub(crate) mod transfer_session;
pub(crate) mod watch_session;

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::error::ApiError;
use crate::state::State;

/// What every handler is given.
pub(crate) type App = Data<State>;
/// What every handler answers.
pub(crate) type Answer = Result<HttpResponse, ApiError>;

/// Says of an answer that an earlier request with the same idempotency key got it first.
const REPLAYED: (&str, &str) = ("Idempotency-Replayed", "true");
