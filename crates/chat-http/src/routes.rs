//! The table of all addresses. Everything that must know the whole of it is made from this one list.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

use futures_util::future::ready;

use crate::asyncapi;
use crate::error::{ApiError, ErrorCode};
use crate::handlers::{
    assign_agent, block_person, close_session, create_session, deactivate_agent, describe_service, download_attachment,
    get_message, get_messages, get_session, get_stats, get_thumbnail, health, issue_download_ticket,
    issue_socket_ticket, issue_ticket, list_agents, list_inbox, list_sessions, mark_read, open_socket, put_agent,
    remove_upload, send_message, send_typing, set_availability, sign_out_person, subscribe_session, transfer_session,
    unblock_person, update_session, upload_attachment,
};
use crate::metering::RouteMetrics;
use crate::mounts::Mounts;
use crate::rate_limits::{PersonalRate, RouteRates};
use crate::{docs_page, mounting, openapi};

/// An address with the methods it takes.
struct Endpoint {
    path: &'static str,
    methods: Vec<(Method, Route)>,
    rates: RouteRates,
}

impl Endpoint {
    /// Limits how often each person may call the method.
    fn limited(mut self, method: Method, rate: PersonalRate) -> Self {
        self.rates.limit(method, rate);
        self
    }
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
    Endpoint { path, methods: methods.into(), rates: RouteRates::default() }
}

/// The first that matches is taken, so those that are asked for most come first.
fn endpoints() -> Vec<Endpoint> {
    use Method as M;
    vec![
        at(
            "/api/chat/sessions/{sessionId}/messages",
            [(M::GET, web::to(get_messages::get_messages)), (M::POST, web::to(send_message::send_message))],
        )
        .limited(M::POST, PersonalRate::Messages),
        at(
            "/api/chat/sessions",
            [(M::GET, web::to(list_sessions::list_sessions)), (M::POST, web::to(create_session::create_session))],
        )
        .limited(M::POST, PersonalRate::Sessions),
        at("/api/chat/inbox", [(M::GET, web::to(list_inbox::list_inbox))]),
        at(
            "/api/chat/sessions/{sessionId}",
            [(M::GET, web::to(get_session::get_session)), (M::PATCH, web::to(update_session::update_session))],
        )
        .limited(M::PATCH, PersonalRate::Messages),
        at("/api/chat/sessions/{sessionId}/close", [(M::PUT, web::to(close_session::close_session))]),
        at("/api/chat/sessions/{sessionId}/assign", [(M::PUT, web::to(assign_agent::assign_agent))]),
        at("/api/chat/sessions/{sessionId}/transfer", [(M::PUT, web::to(transfer_session::transfer_session))]),
        at("/api/chat/sessions/{sessionId}/messages/{messageId}", [(M::GET, web::to(get_message::get_message))]),
        at("/api/chat/sessions/{sessionId}/read", [(M::PUT, web::to(mark_read::mark_read))]),
        at("/api/chat/sessions/{sessionId}/typing", [(M::POST, web::to(send_typing::send_typing))])
            .limited(M::POST, PersonalRate::Typing),
        at("/api/chat/sessions/{sessionId}/ws-ticket", [(M::POST, web::to(issue_ticket::issue_ticket))]),
        at("/api/chat/sessions/{sessionId}/attachments", [(M::POST, web::to(upload_attachment::upload_attachment))])
            .limited(M::POST, PersonalRate::Messages),
        at(
            "/api/chat/attachments/{attachmentId}",
            [
                (M::GET, web::to(download_attachment::download_attachment)),
                (M::HEAD, web::to(download_attachment::download_attachment)),
                (M::DELETE, web::to(remove_upload::remove_upload)),
            ],
        )
        .limited(M::GET, PersonalRate::Downloads)
        .limited(M::HEAD, PersonalRate::Downloads),
        at(
            "/api/chat/attachments/{attachmentId}/thumbnail",
            [(M::GET, web::to(get_thumbnail::get_thumbnail)), (M::HEAD, web::to(get_thumbnail::get_thumbnail))],
        )
        .limited(M::GET, PersonalRate::Downloads)
        .limited(M::HEAD, PersonalRate::Downloads),
        at("/api/chat/download-ticket", [(M::POST, web::to(issue_download_ticket::issue_download_ticket))]),
        at("/api/chat/ws-ticket", [(M::POST, web::to(issue_socket_ticket::issue_socket_ticket))]),
        at("/api/chat/stats", [(M::GET, web::to(get_stats::get_stats))]),
        at("/api/chat/agents", [(M::GET, web::to(list_agents::list_agents))]),
        at("/api/chat/agents/me/availability", [(M::PUT, web::to(set_availability::set_availability))])
            .limited(M::PUT, PersonalRate::Messages),
        at(
            "/api/chat/agents/{agentId}",
            [(M::PUT, web::to(put_agent::put_agent)), (M::DELETE, web::to(deactivate_agent::deactivate_agent))],
        ),
        at("/api/chat/people/{personId}/sign-out", [(M::POST, web::to(sign_out_person::sign_out_person))]),
        at(
            "/api/chat/people/{personId}/block",
            [(M::PUT, web::to(block_person::block_person)), (M::DELETE, web::to(unblock_person::unblock_person))],
        ),
        at("/ws/chat", [(M::GET, web::to(open_socket::open_socket))]),
        at("/ws/chat/{sessionId}", [(M::GET, web::to(subscribe_session::subscribe_session))]),
        at("/", [(M::GET, web::to(describe_service::describe_service))]),
        at("/healthz", [(M::GET, web::to(health::healthz))]),
        at("/readyz", [(M::GET, web::to(health::readyz))]),
        at("/openapi.json", [(M::GET, web::to(openapi::document))]),
        at("/asyncapi.json", [(M::GET, web::to(asyncapi::document))]),
    ]
}

/// Every operation of the service, the interactive documentation under `/docs` and what is mounted aside.
pub fn routes() -> Vec<RouteInfo> {
    let of = |endpoint: Endpoint| {
        let path = endpoint.path;
        endpoint.methods.into_iter().map(move |(method, _)| RouteInfo { method: method.to_string(), path })
    };
    endpoints().into_iter().flat_map(of).collect()
}

pub(crate) fn register(config: &mut ServiceConfig, mounts: &Mounts) {
    // Twice, since a route serves one method and cannot be cloned.
    for (mut endpoint, again) in endpoints().into_iter().zip(endpoints()) {
        let path = endpoint.path;
        let rates = std::mem::take(&mut endpoint.rates);
        let methods = with_head(endpoint, again);
        let allowed: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
        let allowed = allowed.join(", ");
        let metrics = RouteMetrics::new(path, methods.iter().map(|(method, _)| method));
        let mut resource = web::resource(path).app_data(metrics).app_data(rates);
        for (method, route) in methods {
            resource = resource.route(route.method(method));
        }
        let refuse = move || ready(Err::<HttpResponse, _>(ApiError::method_not_allowed(&allowed)));
        config.service(resource.default_service(web::to(refuse)));
    }
    mounting::register(config, mounts);
    docs_page::register(config);
    config.default_service(web::to(nothing_here));
}

/// The methods of an address, and `HEAD` behind `GET` (RFC 9110, 9.3.2): the HTTP server leaves the body out. The addresses
/// of sockets take `GET` alone (RFC 6455, 4.1).
fn with_head(endpoint: Endpoint, again: Endpoint) -> Vec<(Method, Route)> {
    let mut methods = endpoint.methods;
    let takes_head = methods.iter().any(|(method, _)| method == Method::HEAD) || endpoint.path.starts_with("/ws/");
    if !takes_head
        && let Some(at) = methods.iter().position(|(method, _)| method == Method::GET)
        && let Some((_, route)) = again.methods.into_iter().find(|(method, _)| method == Method::GET)
    {
        methods.insert(at + 1, (Method::HEAD, route));
    }
    methods
}

async fn nothing_here(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    // These two are refused everywhere: one echoes the request, the other would make a proxy of this server.
    if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
        return Err(ApiError::method_not_allowed("GET, HEAD, POST, PUT, PATCH, DELETE"));
    }
    Err(ApiError::new(ErrorCode::RouteNotFound, "there is nothing at this address"))
}
