//! `GET /healthz` and `GET /readyz`

use std::time::Duration;

use actix_web::HttpResponse;
use futures_util::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether this node can serve.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    #[schema(example = true)]
    ready: bool,
    checks: Vec<Check>,
}

/// Whether a part of this node can do its work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Check {
    #[schema(example = "database")]
    name: &'static str,
    #[schema(example = true)]
    ok: bool,
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
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "It cannot", body = Readiness)))]
pub(crate) async fn readyz(app: App) -> HttpResponse {
    let checks = app.probes.iter().map(|probe| async move {
        let outcome = match tokio::time::timeout(PROBE_TIMEOUT, probe.check()).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(format!("no answer within {PROBE_TIMEOUT:?}")),
        };
        if let Err(cause) = &outcome {
            tracing::warn!(check = probe.name(), cause, "not ready: {}", probe.name());
        }
        Check { name: probe.name(), ok: outcome.is_ok() }
    });
    let checks = join_all(checks).await;
    let ready = !app.draining() && checks.iter().all(|check| check.ok);
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Readiness { ready, checks })
}
