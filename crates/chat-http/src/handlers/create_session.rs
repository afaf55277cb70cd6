//! `POST /api/chat/sessions`

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::model::UserId;

use super::{HandlerResult, REPLAYED, people_after_change};
use crate::auth::Caller;
use crate::base_url::BaseUrl;
use crate::dto::{CreateSessionBody, SessionDto};
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{OptionalJsonBody, idempotency_key};
use crate::state::App;
use crate::traces::use_case;

/// Create a chat session
///
/// Opens a session for the caller, or for `userId` when an admin asks. Agents open none. With an `Idempotency-Key` a
/// repetition gets the first response again. Without fields no body is needed. By default a customer has at most 20
/// sessions open. The operator may let the `priority` of customers have no effect.
#[utoipa::path(post, path = "/api/chat/sessions", tag = "sessions",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to repeat the request. 1 to 128 visible ASCII characters, which the caller chooses; they count \
                among the sessions that the caller opened, on all nodes, for as long as the session is stored. Of two \
                requests with one key and the same meaning the second gets the response of the first.",
            min_length = 1, max_length = 128, pattern = r"^[!-~]+$")),
    request_body = CreateSessionBody,
    responses(
        (status = 201, description = "The session", body = SessionDto<'static>,
            headers(
                ("Location" = String, description = "The address of the session."),
                ("Idempotency-Replayed" = String, description = "`true` when an earlier request with this key got the response first."))),
        (status = 400, description = "The body breaks a rule", body = ErrorEnvelope<'static>),
        (status = 409, description = "The idempotency key was used for another body", body = ErrorEnvelope<'static>),
        (status = 429, description = "The customer has as many sessions open as one may have, or the caller has opened \
            too many lately", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn create_session(
    caller: Caller,
    app: App,
    request: HttpRequest,
    body: OptionalJsonBody<CreateSessionBody>,
) -> HandlerResult {
    // Taken before the rest is checked: the right to open a session for this owner comes before the other rules.
    let owner = body.field::<String>(CreateSessionBody::OWNER).and_then(|id| UserId::parse(&id).ok());
    let input = body.whole().and_then(CreateSessionBody::parse);
    let key = idempotency_key(&request);
    let opened =
        use_case("create_session", app.service.create_session(caller.principal(), owner.as_ref(), input, key)).await?;
    if !opened.replayed {
        let id = opened.session.id;
        tracing::info!(session.id = %id, user.id = %opened.session.owner, "opened session {id}");
    }
    let base = BaseUrl::of(&request, &app.settings);
    let location = base.join(format_args!("/api/chat/sessions/{}", opened.session.id));
    let people = people_after_change(&app, opened.session.people()).await;
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, location));
    if opened.replayed {
        response.insert_header(REPLAYED);
    }
    Ok(response.json(SessionDto::new(&opened.session, &people)))
}
