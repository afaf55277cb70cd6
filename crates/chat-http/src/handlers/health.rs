//! `GET /healthz` and `GET /readyz`

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::HandlerResult;
use crate::readiness::ReadinessCheck;
use crate::request::NoInput;
use crate::state::App;

/// Whether this node can serve.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct ReadinessDto<'a> {
    /// Whether all checks passed and the node is not shutting down.
    #[schema(example = true)]
    ready: bool,
    /// Why a node is not ready although the checks passed: `draining` while it shuts down.
    #[schema(nullable = false, example = "draining")]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The parts that were tried.
    checks: &'a [ReadinessCheck],
}

/// Whether the process runs
#[utoipa::path(get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String)))]
pub(crate) async fn healthz(input: NoInput) -> HandlerResult {
    input.0?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n"))
}

/// Whether this node can serve
///
/// Tries the database, the fan-out and the attachment store. A node that is shutting down is not ready. A part that
/// works but not for everything, such as an attachment store that is full, has `degraded`; the node is ready.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses(
        (status = 200, description = "It can", body = ReadinessDto<'static>),
        (status = 503, description = "It cannot", body = ReadinessDto<'static>)))]
pub(crate) async fn readyz(app: App, input: NoInput) -> HandlerResult {
    input.0?;
    let checks = app.readiness.checks(&app.probes).await;
    let reason = app.draining().then_some("draining");
    let ready = reason.is_none() && checks.iter().all(|check| check.ok);
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    Ok(response.json(ReadinessDto { ready, reason, checks: &checks }))
}
