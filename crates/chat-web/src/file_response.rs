//! The response with a file: the variant that the client takes, unless it has it already.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, EntityTag, HeaderName, HeaderValue, IfNoneMatch, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::content_coding::ContentCoding;
use crate::web_files::WebFile;

/// How long a browser keeps a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caching {
    /// It asks each time whether the file has changed.
    Revalidated,
    /// For a year, without asking: the address changes with the file.
    Immutable,
}

impl Caching {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Revalidated => "no-cache",
            Self::Immutable => "public, max-age=31536000, immutable",
        })
    }
}

/// The pages that may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Those of this server.
    SameOrigin,
    /// Those of all sites: a shop has the widget in its pages, and imports it with `import()`, which asks for permission.
    AllOrigins,
}

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");

/// Responds with a file; `further` headers are added.
pub(crate) fn respond(
    request: &HttpRequest,
    file: &WebFile,
    caching: Caching,
    readers: Readers,
    further: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> HttpResponse {
    let (coding, bytes) = variant(request, file);
    // Each variant has its own: a strong tag stands for certain bytes (RFC 9110, 8.8.3.3).
    let tag = EntityTag::new_strong(match coding {
        ContentCoding::Identity => file.tag.to_owned(),
        ContentCoding::Brotli | ContentCoding::Gzip => format!("{}-{}", file.tag, coding.as_str()),
    });
    let is_known = match request.get_header::<IfNoneMatch>() {
        Some(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Some(IfNoneMatch::Any) => true,
        None => false,
    };
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, caching.header()))
        .insert_header((ETAG, tag.to_string()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if file.br.is_some() || file.gzip.is_some() {
        response.insert_header((VARY, "Accept-Encoding"));
    }
    add_readers(&mut response, readers);
    for header in further {
        response.insert_header(header);
    }
    if is_known {
        return response.finish();
    }
    if coding != ContentCoding::Identity {
        response.insert_header((CONTENT_ENCODING, coding.as_str()));
    }
    response.insert_header((CONTENT_TYPE, file.media_type())).body(bytes)
}

fn add_readers(response: &mut HttpResponseBuilder, readers: Readers) {
    match readers {
        Readers::SameOrigin => {
            response.insert_header((RESOURCE_POLICY, "same-origin"));
        }
        Readers::AllOrigins => {
            response.insert_header((RESOURCE_POLICY, "cross-origin")).insert_header((ALLOW_ORIGIN, "*"));
        }
    }
}

/// What the client takes.
fn variant(request: &HttpRequest, file: &WebFile) -> (ContentCoding, Bytes) {
    let variants = [(ContentCoding::Brotli, &file.br), (ContentCoding::Gzip, &file.gzip)];
    let available: Vec<ContentCoding> =
        variants.iter().filter(|(_, bytes)| bytes.is_some()).map(|(coding, _)| *coding).collect();
    let coding = ContentCoding::choose(request.headers(), &available);
    let bytes = variants.into_iter().find(|(known, _)| *known == coding).and_then(|(_, bytes)| bytes.clone());
    (coding, bytes.unwrap_or_else(|| file.plain.clone()))
}
