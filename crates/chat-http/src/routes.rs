//! The table of all addresses. Everything that must know the whole of it is made from this one list.

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

use futures_util::future::ready;

use crate::asyncapi;
use crate::error::{ApiError, ErrorCode};
use crate::handlers::{
    assign_agent, close_session, create_session, deactivate_agent, describe_service, download_attachment, get_messages,
    get_session, get_stats, health, issue_ticket, list_agents, list_sessions, mark_read, put_agent, send_message,
    send_typing, transfer_session, watch_session,
};
use crate::metering::RouteMetrics;
use crate::{docs_page, openapi};

/// An address with the methods it takes.
struct Endpoint {
    path: &'static str,
    methods: Vec<(Method, Route)>,
}

/// One operation, for those who check that every one is covered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteInfo {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path with its parameters in braces.
    pub path: &'static str,
}

fn at<const N: usize>(path: &'static str, methods: [(Method, Route); N]) -> Endpoint {
    Endpoint { path, methods: methods.into() }
}

/// The first that matches is taken, so those that are asked for most come first.
fn endpoints() -> Vec<Endpoint> {
    use Method as M;
    vec![
        at(
            "/api/chat/sessions/{sessionId}/messages",
            [(M::GET, web::to(get_messages::get_messages)), (M::POST, web::to(send_message::send_message))],
        ),
        at(
            "/api/chat/sessions",
            [(M::GET, web::to(list_sessions::list_sessions)), (M::POST, web::to(create_session::create_session))],
        ),
        at("/api/chat/sessions/{sessionId}", [(M::GET, web::to(get_session::get_session))]),
        at("/api/chat/sessions/{sessionId}/close", [(M::PUT, web::to(close_session::close_session))]),
        at("/api/chat/sessions/{sessionId}/assign", [(M::PUT, web::to(assign_agent::assign_agent))]),
        at("/api/chat/sessions/{sessionId}/transfer", [(M::PUT, web::to(transfer_session::transfer_session))]),
        at("/api/chat/sessions/{sessionId}/read", [(M::PUT, web::to(mark_read::mark_read))]),
        at("/api/chat/sessions/{sessionId}/typing", [(M::POST, web::to(send_typing::send_typing))]),
        at("/api/chat/sessions/{sessionId}/ws-ticket", [(M::POST, web::to(issue_ticket::issue_ticket))]),
        at(
            "/api/chat/attachments/{attachmentId}",
            [
                (M::GET, web::to(download_attachment::download_attachment)),
                (M::HEAD, web::to(download_attachment::download_attachment)),
            ],
        ),
        at("/api/chat/stats", [(M::GET, web::to(get_stats::get_stats))]),
        at("/api/chat/agents", [(M::GET, web::to(list_agents::list_agents))]),
        at(
            "/api/chat/agents/{agentId}",
            [(M::PUT, web::to(put_agent::put_agent)), (M::DELETE, web::to(deactivate_agent::deactivate_agent))],
        ),
        at("/ws/chat/{sessionId}", [(M::GET, web::to(watch_session::watch_session))]),
        at("/", [(M::GET, web::to(describe_service::describe_service))]),
        at("/healthz", [(M::GET, web::to(health::healthz))]),
        at("/readyz", [(M::GET, web::to(health::readyz))]),
        at("/openapi.json", [(M::GET, web::to(openapi::document))]),
        at("/asyncapi.json", [(M::GET, web::to(asyncapi::document))]),
    ]
}

/// Every operation that the service answers, the interactive documentation under `/docs` aside.
pub fn routes() -> Vec<RouteInfo> {
    let of = |endpoint: Endpoint| {
        let path = endpoint.path;
        endpoint.methods.into_iter().map(move |(method, _)| RouteInfo { method: method.to_string(), path })
    };
    endpoints().into_iter().flat_map(of).collect()
}

pub(crate) fn register(config: &mut ServiceConfig) {
    for endpoint in endpoints() {
        let allowed: Vec<&str> = endpoint.methods.iter().map(|(method, _)| method.as_str()).collect();
        let allowed = allowed.join(", ");
        let metrics = RouteMetrics::new(endpoint.path, endpoint.methods.iter().map(|(method, _)| method));
        let mut resource = web::resource(endpoint.path).app_data(metrics);
        for (method, route) in endpoint.methods {
            resource = resource.route(route.method(method));
        }
        let refuse = move || ready(Err::<HttpResponse, _>(method_not_allowed(&allowed)));
        config.service(resource.default_service(web::to(refuse)));
    }
    docs_page::register(config);
    config.default_service(web::to(nothing_here));
}

fn method_not_allowed(allowed: &str) -> ApiError {
    let error = ApiError::new(ErrorCode::MethodNotAllowed, format!("this address takes {allowed}"));
    match HeaderValue::from_str(allowed) {
        Ok(allowed) => error.with_header(ALLOW, allowed),
        Err(_) => error,
    }
}

async fn nothing_here(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    // These two are refused everywhere: one echoes the request, the other would make a proxy of this server.
    if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
        return Err(method_not_allowed("GET, HEAD, POST, PUT, DELETE"));
    }
    Err(ApiError::new(ErrorCode::RouteNotFound, "there is nothing at this address"))
}
