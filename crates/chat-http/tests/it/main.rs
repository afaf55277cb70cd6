//! The API through its public surface, on every store with the same assertions.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a failed expectation is a failed test"
)]

#[macro_use]
mod support;

mod api_document;
mod assign_agent;
mod asyncapi;
mod block_person;
mod close_session;
mod cors;
mod create_session;
mod deactivate_agent;
mod describe_service;
mod documents;
mod dominant_color;
mod download_attachment;
mod example_client;
mod expect_continue;
mod find_people;
mod forwarded;
mod get_message;
mod get_messages;
mod get_session;
mod get_stats;
mod get_thumbnail;
mod guard;
mod head_requests;
mod health;
mod input;
mod issue_download_ticket;
mod issue_socket_ticket;
mod issue_ticket;
mod list_agents;
mod list_inbox;
mod list_sessions;
mod logs;
mod mark_read;
mod mounts;
mod open_socket;
mod permission_table;
mod put_agent;
mod rate_limits;
mod reference_documents;
mod remove_upload;
mod responses;
mod send_message;
mod send_message_with_files;
mod send_typing;
mod set_availability;
mod sign_out_person;
mod smuggling;
mod socket_credentials;
mod subscribe_session;
mod tokens;
mod transfer_session;
mod unblock_person;
mod unknown_query;
mod update_session;
mod upload_attachment;
