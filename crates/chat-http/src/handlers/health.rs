//! `GET /healthz` and `GET /readyz`

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, App};
use crate::readiness::Check;
use crate::request::NoInput;

/// Whether this node can serve.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct ReadinessDto<'a> {
    /// Whether all checks passed and the node is not shutting down.
    #[schema(example = true)]
    ready: bool,
    /// The parts that were tried.
    checks: &'a [Check],
}

/// Whether the process runs
#[utoipa::path(get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String)))]
pub(crate) async fn healthz(input: NoInput) -> Answer {
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
pub(crate) async fn readyz(app: App, input: NoInput) -> Answer {
    input.0?;
    let checks = app.readiness.checks(&app.probes).await;
    let ready = !app.draining() && checks.iter().all(|check| check.ok);
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    Ok(response.json(ReadinessDto { ready, checks: &checks }))
}
