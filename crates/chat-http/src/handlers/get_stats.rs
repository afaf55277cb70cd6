//! `GET /api/chat/stats`

use actix_web::HttpResponse;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::StatsDto;
use crate::error::CommonFailures;
use crate::request::NoInput;
use crate::state::App;
use crate::traces::use_case;

/// Get chat statistics
#[utoipa::path(get, path = "/api/chat/stats", tag = "statistics",
    responses(
        (status = 200, description = "The figures", body = StatsDto),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn get_stats(caller: Caller, app: App, input: NoInput) -> HandlerResult {
    let stats = use_case("get_stats", app.service.get_stats(caller.principal())).await?;
    input.0?;
    Ok(HttpResponse::Ok().json(StatsDto::from(stats)))
}
