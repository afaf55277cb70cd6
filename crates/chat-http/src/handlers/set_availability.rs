//! `PUT /api/chat/agents/me/availability`

use actix_web::HttpResponse;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::{AgentAvailabilityDto, SetAvailabilityBody};
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::JsonBody;
use crate::state::App;
use crate::traces::use_case;

/// Set one's availability
///
/// For agents alone: how they are shown to colleagues and admins, in the list of agents, while they have an inbox open on a
/// socket at any node, and for 60 seconds after. Else they are shown as `offline`, and when they come back as they had set.
/// An agent who has set nothing is `online`.
#[utoipa::path(put, path = "/api/chat/agents/me/availability", tag = "agents",
    request_body = SetAvailabilityBody,
    responses(
        (status = 200, description = "What is set now", body = AgentAvailabilityDto),
        (status = 400, description = "The body breaks a rule", body = ErrorEnvelope<'static>),
        (status = 404, description = "The caller is not in the directory of agents", body = ErrorEnvelope<'static>),
        (status = 429, description = "The caller has sent too much lately", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn set_availability(caller: Caller, app: App, body: JsonBody<SetAvailabilityBody>) -> HandlerResult {
    let status = body.0.and_then(SetAvailabilityBody::parse);
    let set = use_case("set_availability", app.service.set_availability(caller.principal(), status)).await?;
    Ok(HttpResponse::Ok().json(AgentAvailabilityDto::from(set)))
}
