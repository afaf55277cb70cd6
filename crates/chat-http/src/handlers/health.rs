//! `GET /healthz` and `GET /readyz`

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use crate::readiness::Check;

/// Whether this node can serve.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct ReadinessDto<'a> {
    #[schema(example = true)]
    ready: bool,
    checks: &'a [Check],
}

/// Whether the process runs
#[utoipa::path(get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String)))]
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Whether this node can serve
///
/// Tries the database, the fan-out and the attachment store. A node that is shutting down is not ready.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses(
        (status = 200, description = "It can", body = ReadinessDto<'static>),
        (status = 503, description = "It cannot", body = ReadinessDto<'static>)))]
pub(crate) async fn readyz(app: App) -> HttpResponse {
    let checks = app.readiness.checks(&app.probes).await;
    let ready = !app.draining() && checks.iter().all(|check| check.ok);
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(ReadinessDto { ready, checks: &checks })
}
