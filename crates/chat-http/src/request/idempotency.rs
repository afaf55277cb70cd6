//! The header `Idempotency-Key`.

use actix_web::HttpRequest;
use chat_domain::error::{Input, Invalid};
use chat_domain::model::IdempotencyKey;

/// The request's key, if it has one; a wrong or repeated one is bad input.
pub(crate) fn idempotency_key(request: &HttpRequest) -> Option<Input<IdempotencyKey>> {
    const NAME: &str = "Idempotency-Key";
    let mut values = request.headers().get_all("idempotency-key");
    let first = values.next()?;
    if values.next().is_some() {
        return Some(Err(Invalid::new(NAME, "must be given once")));
    }
    // A value that is no text cannot be visible ASCII either; the empty text is refused with the same words.
    Some(IdempotencyKey::parse(first.to_str().unwrap_or_default()).map_err(|rule| rule.of(NAME)))
}
