//! `/docs/`: the description of the API as a page, with all its parts inside the binary.
//!
//! Its addresses are relative, so that it works under any path that a proxy puts the service at. Its policy lets nothing
//! run but its own files: the page that Swagger UI brings along is not used.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EntityTag, HeaderValue, IfNoneMatch, LOCATION,
};
use actix_web::web::{self, Bytes, Path, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, Resource};
use futures_util::future::ready;
use utoipa_swagger_ui::Config;

use crate::error::{ApiError, ErrorCode};
use crate::origins::origin_of;
use crate::request::NoInput;
use crate::state::App;

/// A file of the page.
struct DocsFile {
    name: &'static str,
    media_type: &'static str,
    bytes: Bytes,
    tag: EntityTag,
}

/// Ours, and of Swagger UI those that ours ask for.
static PARTS: LazyLock<Vec<DocsFile>> = LazyLock::new(|| {
    let own = [
        ("", "text/html; charset=utf-8", include_str!("index.html")),
        ("page.css", "text/css; charset=utf-8", include_str!("page.css")),
        ("page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ];
    let swagger = [
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("favicon-32x32.png", "image/png"),
    ];
    let config = Arc::new(Config::from("../openapi.json"));
    let swagger = swagger.into_iter().filter_map(|(name, media_type)| {
        let file = utoipa_swagger_ui::serve(name, Arc::clone(&config)).ok().flatten()?;
        Some(part(name, media_type, Bytes::from(file.bytes.into_owned())))
    });
    own.into_iter()
        .map(|(name, kind, text)| part(name, kind, Bytes::from_static(text.as_bytes())))
        .chain(swagger)
        .collect()
});

fn part(name: &'static str, media_type: &'static str, bytes: Bytes) -> DocsFile {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = EntityTag::new_strong(format!("{:016x}", hasher.finish()));
    DocsFile { name, media_type, bytes, tag }
}

pub(crate) fn register(config: &mut ServiceConfig) {
    // HEAD too: the server leaves the body out.
    let refuse = || ready(Err::<HttpResponse, _>(ApiError::method_not_allowed("GET, HEAD")));
    let beside = [web::get().to(beside), web::head().to(beside)];
    let serve = [web::get().to(serve), web::head().to(serve)];
    for (path, routes) in [("/docs", beside), ("/docs/{part:.*}", serve)] {
        let resource = routes.into_iter().fold(web::resource(path), Resource::route);
        config.service(resource.default_service(web::to(refuse)));
    }
}

/// The page's own address ends with a slash, which the addresses of its parts are relative to.
async fn beside(input: NoInput) -> Result<HttpResponse, ApiError> {
    input.0?;
    Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, "docs/")).finish())
}

async fn serve(app: App, path: Path<String>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let wanted = path.into_inner();
    let Some(part) = PARTS.iter().find(|part| part.name == wanted) else {
        return Err(ApiError::new(ErrorCode::RouteNotFound, "there is nothing at this address"));
    };
    NoInput::of(&request)?;
    let known = match request.get_header::<IfNoneMatch>() {
        Some(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&part.tag)),
        Some(IfNoneMatch::Any) => true,
        None => false,
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CONTENT_TYPE, part.media_type))
        .insert_header((CONTENT_SECURITY_POLICY, policy(app.settings.public_url.as_deref())))
        // The files change with the program: kept, but asked for each time.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, part.tag.to_string()));
    Ok(if known { response.finish() } else { response.body(part.bytes.clone()) })
}

/// Nothing runs but the page's own files, and nothing is asked but this server, also under its public address. Swagger UI
/// draws some of its icons from `data:` addresses.
fn policy(public_url: Option<&str>) -> HeaderValue {
    let own = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
               script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";
    let public = public_url.and_then(origin_of).map(|origin| format!("{own} {origin}"));
    public.and_then(|policy| HeaderValue::try_from(policy).ok()).unwrap_or(HeaderValue::from_static(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_there_and_the_page_asks_for_nothing_else() {
        let html = include_str!("index.html");
        let references: Vec<&str> = ["src=\"", "href=\""]
            .iter()
            .flat_map(|attribute| html.split(attribute).skip(1))
            .filter_map(|rest| rest.split('"').next())
            .filter(|reference| !["../", "../openapi.json"].contains(reference))
            .collect();
        let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        for reference in &references {
            assert!(names.contains(reference), "{reference}");
        }
        assert_eq!(names.len(), references.len() + 1, "{names:?}");
        assert!(PARTS.iter().all(|part| !part.bytes.is_empty()));
    }

    #[test]
    fn the_policy_has_the_public_address_and_nothing_unsafe() {
        let plain = policy(None);
        assert!(plain.to_str().unwrap().ends_with("connect-src 'self'"));
        let public = policy(Some("https://Chat.Example/support"));
        assert_eq!(public.to_str().unwrap(), format!("{} https://chat.example", plain.to_str().unwrap()));
        assert!(!public.to_str().unwrap().contains("unsafe"));
    }
}
