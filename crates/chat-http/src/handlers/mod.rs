//! One operation per file: parse the request, call one use case, map the result.

pub(crate) mod assign_agent;
pub(crate) mod block_person;
pub(crate) mod close_session;
pub(crate) mod create_session;
pub(crate) mod deactivate_agent;
pub(crate) mod describe_service;
pub(crate) mod download_attachment;
pub(crate) mod get_message;
pub(crate) mod get_messages;
pub(crate) mod get_session;
pub(crate) mod get_stats;
pub(crate) mod get_thumbnail;
pub(crate) mod health;
pub(crate) mod issue_download_ticket;
pub(crate) mod issue_socket_ticket;
pub(crate) mod issue_ticket;
pub(crate) mod list_agents;
pub(crate) mod list_inbox;
pub(crate) mod list_sessions;
pub(crate) mod mark_read;
pub(crate) mod open_socket;
pub(crate) mod put_agent;
pub(crate) mod remove_upload;
pub(crate) mod send_message;
pub(crate) mod send_typing;
pub(crate) mod set_availability;
pub(crate) mod sign_out_person;
pub(crate) mod subscribe_session;
pub(crate) mod transfer_session;
pub(crate) mod unblock_person;
pub(crate) mod update_session;
pub(crate) mod upload_attachment;

use actix_web::HttpResponse;
use chat_domain::model::{KnownPeople, UserId};

use crate::error::ApiError;
use crate::state::App;

/// What every handler returns.
pub(crate) type HandlerResult = Result<HttpResponse, ApiError>;

/// Marks a response that an earlier request with the same idempotency key got first.
const REPLAYED: (&str, &str) = ("Idempotency-Replayed", "true");

/// The people whom the response to a change shows. The change is made whether or not they can be looked up: without them
/// the response lacks their names.
pub(crate) async fn people_after_change(app: &App, ids: impl IntoIterator<Item = UserId>) -> KnownPeople {
    app.service.find_people(ids).await.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "cannot look up the people of a response, which lacks their names");
        KnownPeople::default()
    })
}
