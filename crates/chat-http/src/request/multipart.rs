//! Forms, `multipart/form-data` (RFC 7578), taken apart as they arrive, with bounded memory.

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use chat_domain::ChatError;
use chat_domain::error::{Invalid, Result};
use chat_domain::model::MediaType;
use futures_util::StreamExt;

use super::arrival::{PieceSender, ReceiverDropped};
use super::form_field::FormField;
use super::json_body::content_type;
use super::pace::MinimumRate;
use super::small_pieces::SmallPieces;

/// How much of the name of an unknown field is shown.
const MAX_SHOWN_CHARS: usize = 64;
/// What a request with files begins its `Content-Type` with.
const FORM_DATA: &str = "multipart/form-data";

/// Whether the request says that its body is a multipart form.
pub(crate) fn is_multipart(request: &HttpRequest) -> bool {
    parameters(request).is_some()
}

/// What follows `multipart/form-data` in `Content-Type`.
fn parameters(request: &HttpRequest) -> Option<&str> {
    let (kind, parameters) = content_type(request).trim_start().split_at_checked(FORM_DATA.len())?;
    // A longer name is that of another type.
    let ends = parameters.is_empty() || parameters.starts_with([';', ' ', '\t']);
    (ends && kind.eq_ignore_ascii_case(FORM_DATA)).then_some(parameters)
}

/// Takes the body apart as `multipart/mixed`, which is the same syntax: for a form, `actix_multipart` would read
/// `Content-Disposition` by itself and refuse names that [`FormField`] can read.
pub(super) fn parts(request: &HttpRequest, payload: Payload) -> Multipart {
    let content_type = format!("multipart/mixed{}", parameters(request).unwrap_or_default());
    let headers = HeaderValue::try_from(content_type).map(|value| HeaderMap::from_iter([(CONTENT_TYPE, value)]));
    Multipart::new(&headers.unwrap_or_default(), SmallPieces::new(payload))
}

/// The next field with what its header says; `None` at the end of the form.
pub(super) async fn next_field(form: &mut Multipart, pace: &mut MinimumRate) -> Result<Option<(Field, FormField)>> {
    let Some(field) = pace.wait(form.next()).await? else { return Ok(None) };
    let field = field.map_err(malformed)?;
    let header = field.headers().get(CONTENT_DISPOSITION).and_then(|header| FormField::parse(header.as_bytes()));
    let header = header.ok_or_else(|| malformed("a part has no Content-Disposition with the name of its field"))?;
    Ok(Some((field, header)))
}

/// The next bytes of a field.
pub(super) async fn next_piece(field: &mut Field, pace: &mut MinimumRate) -> Result<Option<Bytes>> {
    let Some(piece) = pace.wait(field.next()).await? else { return Ok(None) };
    let piece = piece.map_err(malformed)?;
    pace.progress(piece.len());
    Ok(Some(piece))
}

/// Hands over a file's bytes from its first piece on, but not its end.
pub(super) async fn pump(
    first: Option<Bytes>,
    field: &mut Field,
    pieces: &PieceSender<Bytes>,
    pace: &mut MinimumRate,
) -> Result<(), ReceiverDropped> {
    let mut next = Ok(first);
    while let Some(piece) = next.transpose() {
        let is_broken = piece.is_err();
        pieces.give(piece.map(Some)).await?;
        if is_broken {
            return Err(ReceiverDropped);
        }
        next = next_piece(field, pace).await;
    }
    Ok(())
}

/// The type that the sender of a file claims.
pub(super) fn claimed_type(field: &Field) -> Option<MediaType> {
    field.content_type().and_then(|kind| MediaType::parse(kind.essence_str()))
}

/// A field that the form must not have. `allowed` are those that it may have.
pub(super) fn unknown_field(name: &str, allowed: &str) -> Invalid {
    let shown: String = name.chars().filter(|sign| !sign.is_control()).take(MAX_SHOWN_CHARS).collect();
    Invalid::new("body", format!("must have no fields but {allowed}; it has `{shown}`"))
}

fn malformed(error: impl std::fmt::Display) -> ChatError {
    Invalid::new("body", format!("must be a multipart form: {error}")).into()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::CONTENT_TYPE;
    use actix_web::test::TestRequest;

    use super::is_multipart;

    #[test]
    fn only_forms_are_forms() {
        for (content_type, is_form) in [
            ("multipart/form-data; boundary=b", true),
            ("Multipart/Form-Data;boundary=b", true),
            (" multipart/form-data ; boundary=b", true),
            ("multipart/form-data", true),
            ("multipart/form-data-x; boundary=b", false),
            ("multipart/form-dat; boundary=b", false),
            ("multipart/mixed; boundary=b", false),
            ("", false),
        ] {
            let request = TestRequest::default().insert_header((CONTENT_TYPE, content_type)).to_http_request();
            assert_eq!(is_multipart(&request), is_form, "{content_type:?}");
        }
    }
}
