//! The API's own description (OpenAPI 3.1), generated from the handlers, and the page that shows it.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::handlers;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Support chat",
        description = "Support-chat sessions, messages, attachments, read receipts, typing, agents and statistics. \
            Every request carries a bearer token; every error has the same body and a code. The frames of the socket \
            are described in /asyncapi.json.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        handlers::list_sessions::list_sessions,
        handlers::create_session::create_session,
        handlers::get_session::get_session,
        handlers::close_session::close_session,
        handlers::assign_agent::assign_agent,
        handlers::transfer_session::transfer_session,
        handlers::get_messages::get_messages,
        handlers::send_message::send_message,
        handlers::mark_read::mark_read,
        handlers::send_typing::send_typing,
        handlers::download_attachment::download_attachment,
        handlers::get_stats::get_stats,
        handlers::list_agents::list_agents,
        handlers::put_agent::put_agent,
        handlers::deactivate_agent::deactivate_agent,
        handlers::issue_ticket::issue_ticket,
        handlers::watch_session::watch_session,
        handlers::health::healthz,
        handlers::health::readyz,
    ),
    modifiers(&BearerScheme),
    tags(
        (name = "sessions", description = "Support conversations"),
        (name = "messages", description = "What is said in them"),
        (name = "attachments", description = "Files of messages"),
        (name = "live", description = "Watching a session"),
        (name = "statistics", description = "The support desk in figures"),
        (name = "agents", description = "Who can be assigned"),
        (name = "operation", description = "For those who run the service"),
    ),
)]
struct Document;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = openapi.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The description of the API as indented JSON.
pub fn openapi_json() -> String {
    // Serialising a document of strings and numbers cannot fail.
    Document::openapi().to_pretty_json().unwrap_or_default()
}

pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(openapi_json())
}

/// `/docs`: the description as a page, with all its parts inside the binary.
pub(crate) fn register_docs(config: &mut ServiceConfig) {
    config.service(web::redirect("/docs", "/docs/"));
    config.service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")));
}
