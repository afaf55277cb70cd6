//! `GET /`

use actix_web::http::header::{ACCEPT, HeaderValue, LOCATION, VARY};
use actix_web::{HttpRequest, HttpResponse};

use super::HandlerResult;
use crate::base_url::BaseUrl;
use crate::dto::ServiceDto;
use crate::forwarding::ClientView;
use crate::mounting;
use crate::mounts::HomePage;
use crate::request::NoInput;
use crate::state::App;

/// What this service is
///
/// A browser is sent to the console, or to the documentation where there is none, and in development mode gets the demo;
/// other clients get the addresses of the documents.
#[utoipa::path(get, path = "/", tag = "operation",
    responses(
        (status = 200, description = "The service", body = ServiceDto),
        (status = 302, description = "A page, for clients that accept HTML",
            headers(("Location" = String, description = "The page.")))))]
pub(crate) async fn describe_service(app: App, request: HttpRequest, input: NoInput) -> HandlerResult {
    input.0?;
    if accepts_html(&request) {
        return Ok(match &app.mounts.home {
            Some(HomePage::Page(handler)) => {
                let mut page = mounting::respond(handler, &app, &request);
                page.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
                page
            }
            Some(HomePage::At(path)) => redirect(&app, &request, path),
            None => redirect(&app, &request, "docs/"),
        });
    }
    let base = BaseUrl::of(&request, &app.settings);
    let service = ServiceDto {
        name: "Support chat",
        version: env!("CARGO_PKG_VERSION"),
        docs: base.join("/docs/"),
        openapi: base.join("/openapi.json"),
        asyncapi: base.join("/asyncapi.json"),
    };
    Ok(HttpResponse::Ok().insert_header((VARY, "Accept")).json(service))
}

/// Sends a browser to a path. It resolves a relative address against the one that it opened, which may lack the slash at the
/// end of a prefix that a proxy takes off: so the public address, or the prefix, where it is known.
fn redirect(app: &App, request: &HttpRequest, path: &str) -> HttpResponse {
    let page = match (&app.settings.public_url, ClientView::of(request, &app.settings.proxies).prefix) {
        (Some(url), _) => format!("{url}/{path}"),
        (None, "") => path.to_owned(),
        (None, prefix) => format!("{prefix}/{path}"),
    };
    HttpResponse::Found().insert_header((LOCATION, page)).insert_header((VARY, "Accept")).finish()
}

/// Whether a person looks: browsers name HTML when they open a page, other clients accept anything or JSON.
fn accepts_html(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("text/html")
    })
}
