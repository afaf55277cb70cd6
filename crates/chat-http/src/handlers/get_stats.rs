//! `GET /api/chat/stats`

use actix_web::HttpResponse;

use super::{Answer, App};
use crate::auth::Caller;
use crate::dto::StatsDto;
use crate::error::CommonFailures;
use crate::request::NoInput;

/// Get chat statistics
#[utoipa::path(get, path = "/api/chat/stats", tag = "statistics",
    responses(
        (status = 200, description = "The figures", body = StatsDto),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn get_stats(caller: Caller, app: App, input: NoInput) -> Answer {
    let stats = app.service.get_stats(caller.principal()).await?;
    input.0?;
    Ok(HttpResponse::Ok().json(StatsDto::from(stats)))
}
