//! The API's own description (OpenAPI 3.1), generated from the handlers.
//!
//! | module | what lives there |
//! |---|---|
//! | `complete` | what holds for all operations and so stands at none of them |
//! | `error_examples` | one fitting error for each status of each operation |

mod complete;
mod error_examples;

use actix_web::HttpResponse;
use utoipa::OpenApi;
use utoipa::openapi::Server;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use self::complete::CompleteDocument;
use crate::dto::InboxViewDto;
use crate::error::ApiError;
use crate::handlers;
use crate::request::NoInput;
use crate::state::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Support chat",
        description = "Support-chat sessions, messages, attachments, read receipts, typing, agents and statistics. \
            Every request carries a bearer token, and every error has the same body with a code. An unknown query \
            parameter is an error, an unknown field of a JSON body is ignored. The frames of the socket are described \
            in `/asyncapi.json`.",
        license(name = "MIT OR Apache-2.0", url = "https://spdx.org/licenses/MIT.html"),
    ),
    paths(
        handlers::list_sessions::list_sessions,
        handlers::create_session::create_session,
        handlers::list_inbox::list_inbox,
        handlers::get_session::get_session,
        handlers::update_session::update_session,
        handlers::close_session::close_session,
        handlers::assign_agent::assign_agent,
        handlers::transfer_session::transfer_session,
        handlers::get_messages::get_messages,
        handlers::get_message::get_message,
        handlers::send_message::send_message,
        handlers::mark_read::mark_read,
        handlers::send_typing::send_typing,
        handlers::upload_attachment::upload_attachment,
        handlers::download_attachment::download_attachment,
        handlers::get_thumbnail::get_thumbnail,
        handlers::issue_download_ticket::issue_download_ticket,
        handlers::remove_upload::remove_upload,
        handlers::get_stats::get_stats,
        handlers::list_agents::list_agents,
        handlers::set_availability::set_availability,
        handlers::put_agent::put_agent,
        handlers::deactivate_agent::deactivate_agent,
        handlers::sign_out_person::sign_out_person,
        handlers::block_person::block_person,
        handlers::unblock_person::unblock_person,
        handlers::issue_ticket::issue_ticket,
        handlers::subscribe_session::subscribe_session,
        handlers::issue_socket_ticket::issue_socket_ticket,
        handlers::open_socket::open_socket,
        handlers::describe_service::describe_service,
        handlers::health::healthz,
        handlers::health::readyz,
    ),
    // Of a parameter alone, which does not register what it refers to.
    components(schemas(InboxViewDto)),
    modifiers(&Credentials, &CompleteDocument),
    tags(
        (name = "sessions", description = "Support conversations"),
        (name = "messages", description = "What is said in them"),
        (name = "attachments", description = "Files of messages, and files that wait to be sent"),
        (name = "live", description = "Watching a session"),
        (name = "statistics", description = "The support desk in figures"),
        (name = "agents", description = "The people to whom sessions can be assigned"),
        (name = "people", description = "Ending the access of people before their tokens end"),
        (name = "operation", description = "For those who run the service"),
    ),
)]
struct Document;

/// How a request says who it is from.
struct Credentials;

impl utoipa::Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JSON Web Token whose `sub` is the caller and whose `role` is user, agent or admin."))
            .build();
        let components = openapi.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let ticket = "Of `POST …/ws-ticket`, for browsers: opens one socket in place of a token. One for a session is of `POST \
             /api/chat/sessions/{sessionId}/ws-ticket`, one for `/ws/chat` of `POST /api/chat/ws-ticket`.";
        let ticket = ApiKey::Query(ApiKeyValue::with_description("ticket", ticket));
        components.add_security_scheme("ticket", SecurityScheme::ApiKey(ticket));
        let ticket = "Of `POST /api/chat/download-ticket`, for pages: authorises downloads in place of a token.";
        let ticket = ApiKey::Query(ApiKeyValue::with_description("ticket", ticket));
        components.add_security_scheme("downloadTicket", SecurityScheme::ApiKey(ticket));
    }
}

/// The description of the API as indented JSON. Clients reach the API at `public_url`, or else where they have the
/// description from.
pub fn openapi_json(public_url: Option<&str>) -> String {
    let mut document = Document::openapi();
    let mut server = Server::new(public_url.unwrap_or("/"));
    server.description = Some("The server that this document comes from.".to_owned());
    document.servers = Some(vec![server]);
    // Serialising a document of strings and numbers cannot fail.
    document.to_pretty_json().unwrap_or_default()
}

pub(crate) async fn document(app: App, input: NoInput) -> Result<HttpResponse, ApiError> {
    input.0?;
    let body = app.openapi.get_or_init(|| openapi_json(app.settings.public_url.as_deref()).into());
    Ok(HttpResponse::Ok().content_type("application/json").body(body.clone()))
}
