//! An error that each operation really returns, for each of its statuses.

use serde_json::{Value, json};

use crate::dto::AGENT_STATUSES;
use crate::error::ErrorCode;
use crate::handshake::UPGRADE_REQUIRED;
use crate::request::{INBOX_VIEWS, THUMBNAIL_SIZES};

/// The error body of an operation with this status; none for a status that no error has.
pub(super) fn example(operation: &str, status: u16) -> Option<Value> {
    let (code, message) = error(operation, status)?;
    if code == ErrorCode::ValidationFailed {
        let (field, rule) = broken_rule(operation);
        return Some(body(code, &format!("{field} {rule}"), &[json!({ "field": field, "message": rule })]));
    }
    Some(body(code, message, &[]))
}

fn body(code: ErrorCode, message: &str, details: &[Value]) -> Value {
    json!({
        "success": false,
        "message": message,
        "error": {
            "code": code.as_str(),
            "message": message,
            "details": details,
            "requestId": "0b7f9c3e-6f0e-4d0c-9d3e-2f6f0c1d7a55",
        },
    })
}

fn error(operation: &str, status: u16) -> Option<(ErrorCode, &'static str)> {
    Some(match (status, operation) {
        (400, _) => (ErrorCode::ValidationFailed, ""),
        (401, "subscribe_session" | "open_socket") => (
            ErrorCode::Unauthenticated,
            "send a header Authorization: Bearer <token>, the token as a subprotocol, or a ticket",
        ),
        (401, _) => (ErrorCode::Unauthenticated, "send one header Authorization: Bearer <token>"),
        (403, _) => (ErrorCode::Forbidden, forbidden(operation)),
        (404, "download_attachment" | "remove_upload") => (ErrorCode::AttachmentNotFound, "attachment not found"),
        (404, "get_thumbnail") => (ErrorCode::NoThumbnail, "thumbnail not found"),
        (404, "get_message") => (ErrorCode::MessageNotFound, "message not found"),
        (404, "deactivate_agent" | "set_availability") => (ErrorCode::AgentNotFound, "agent not found"),
        (404, _) => (ErrorCode::SessionNotFound, "chat session not found"),
        (409, "create_session") => {
            (ErrorCode::IdempotencyKeyReused, "the idempotency key was already used for a different request")
        }
        (409, "assign_agent") => (ErrorCode::AlreadyAssigned, "the session is already assigned to an agent"),
        (409, "remove_upload") => (ErrorCode::AlreadySent, "the file has been sent and can no longer be taken back"),
        (409, _) => (ErrorCode::SessionClosed, "the session is closed"),
        (412, _) => (ErrorCode::PreconditionFailed, "the session has changed meanwhile: its ETag is \"18\""),
        (410, _) => (ErrorCode::ReplayUnavailable, "more than 1000 events were missed; read the messages instead"),
        (426, _) => (ErrorCode::UpgradeRequired, UPGRADE_REQUIRED),
        (429, "create_session") => {
            (ErrorCode::TooManyOpenSessions, "you have 20 sessions open, and no more are allowed; close one first")
        }
        (429, "subscribe_session" | "open_socket") => {
            (ErrorCode::TooManySockets, "you have 50 sockets open, and no more are allowed; close one first")
        }
        (429, "send_message" | "upload_attachment") => {
            (ErrorCode::TooManyUploads, "you have 8 uploads running, and no more are allowed; let one end first")
        }
        (429, "update_session" | "set_availability") => {
            let message =
                "this node takes 300/min of messages, uploads and updates of one person; repeat this after 1 s";
            (ErrorCode::RateLimited, message)
        }
        (429, "send_typing") => {
            (ErrorCode::RateLimited, "this node takes 120/min of typing events of one person; repeat this after 1 s")
        }
        (429, _) => {
            (ErrorCode::RateLimited, "this node takes 600/min of downloads of one person; repeat this after 1 s")
        }
        (500, _) => (ErrorCode::Internal, "something went wrong on our side"),
        (503, _) => (ErrorCode::Unavailable, "the service is busy; try again later"),
        _ => return None,
    })
}

fn forbidden(operation: &str) -> &'static str {
    match operation {
        "create_session" => "you are not allowed to create this session",
        "close_session" => "you are not allowed to close this session",
        "assign_agent" => "you are not allowed to assign this session",
        "update_session" => "you are not allowed to change this session",
        "transfer_session" => "you are not allowed to transfer this session",
        "send_message" | "upload_attachment" => "you are not allowed to send messages in this session",
        "mark_read" => "you are not allowed to mark messages of this session as read",
        "send_typing" => "you are not allowed to send typing events in this session",
        "get_stats" => "you are not allowed to see the statistics",
        "list_inbox" => "you are not allowed to see this view of the inbox",
        "list_agents" => "you are not allowed to list agents",
        "set_availability" => "you are not allowed to set an availability",
        "put_agent" | "deactivate_agent" => "you are not allowed to manage agents",
        "sign_out_person" | "block_person" | "unblock_person" => {
            "you are not allowed to end or restore the access of people"
        }
        "list_sessions" | "open_socket" | "issue_socket_ticket" => "this agent has been deactivated",
        _ => "you are not allowed to see this session",
    }
}

/// A rule that a request to the operation can break.
fn broken_rule(operation: &str) -> (&'static str, &'static str) {
    match operation {
        "create_session" | "update_session" => ("subject", "must have at most 200 characters"),
        "assign_agent" => ("agentId", "is required"),
        "transfer_session" => ("agentId", "is required; null hands the session back to the queue"),
        "send_message" => ("content", "must not be blank unless there is an attachment"),
        "upload_attachment" => ("file", "must have at most 26214400 bytes"),
        "mark_read" => ("messageIds[0]", "must be the id of a message of this session"),
        "send_typing" => ("isTyping", "is required"),
        "set_availability" => ("status", AGENT_STATUSES),
        "put_agent" => ("displayName", "must have 1 to 100 characters"),
        "sign_out_person" | "unblock_person" => ("personId", "must have 1 to 128 characters"),
        "block_person" => ("reason", "must have at most 500 characters"),
        "list_sessions" => ("page", "must be a whole number from 1 to 9223372036854775807"),
        "list_inbox" => ("view", INBOX_VIEWS),
        "get_messages" => ("before", "must be the id of a message of this session"),
        "get_thumbnail" => ("size", THUMBNAIL_SIZES),
        "subscribe_session" => ("since", "must be a whole number from 0"),
        "open_socket" => {
            ("sec-websocket-protocol", "must offer chat.v1, which is the only one that this address speaks")
        }
        _ => ("verbose", "is no query parameter of this operation, which takes none"),
    }
}
