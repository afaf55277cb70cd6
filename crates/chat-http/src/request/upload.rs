//! A single file: the body itself, or the only field, `file`, of a form.

use std::time::Duration;

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH};
use actix_web::web::Bytes;
use chat_domain::error::{FieldPath, Input, Invalid, Result};
use chat_domain::model::MediaType;
use chat_domain::ports::IncomingFile;
use futures_util::future::ready;
use futures_util::{FutureExt, StreamExt};

use super::arrival::{BodyReading, PieceSender, ReceiverDropped, channel};
use super::form_field::file_name;
use super::json_body::content_type;
use super::multipart::{claimed_type, is_multipart, next_field, next_piece, parts, pump, unknown_field};
use super::pace::MinimumRate;
use super::small_pieces::SmallPieces;

/// The field of the form.
const FILE: &str = "file";
/// What a form may take besides the file.
const MAX_FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

/// How many bytes the file has at least, by the length that the request announces.
///
/// # Errors
/// They are more than `max_bytes`: refused before any of it is sent, as clients with `Expect: 100-continue` wait for.
pub(crate) fn announced_size(request: &HttpRequest, max_bytes: u64) -> Input<u64> {
    let (field, overhead) = if is_multipart(request) { (FILE, MAX_FORM_OVERHEAD_BYTES) } else { ("body", 0) };
    // What does not say its length is not empty either.
    let size = announced_length(request).map_or(1, |length| length.saturating_sub(overhead).max(1));
    if size > max_bytes {
        return Err(Invalid::new(field, format!("must have at most {max_bytes} bytes")));
    }
    Ok(size)
}

/// The length that a request announces for its body.
pub(crate) fn announced_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

/// The file of the request, as far as its head, and the reading of its bytes.
///
/// # Errors
/// The form does not begin with a file.
pub(crate) async fn read_upload(
    request: &HttpRequest,
    payload: Payload,
    time_limit: Duration,
) -> Result<(Input<IncomingFile>, BodyReading)> {
    let pace = MinimumRate::start(time_limit);
    if is_multipart(request) {
        return read_form(parts(request, payload), pace).await;
    }
    let (given, taken) = channel();
    let name = request.headers().get(CONTENT_DISPOSITION).and_then(|header| file_name(header.as_bytes()));
    let file = IncomingFile {
        field: FieldPath::named("body"),
        name: name.unwrap_or_default(),
        claimed_type: MediaType::parse(content_type(request)),
        source: Box::new(taken),
    };
    Ok((Ok(file), read_body(SmallPieces::new(payload), pace, given).boxed_local()))
}

async fn read_body(mut body: SmallPieces, mut pace: MinimumRate, given: PieceSender<Bytes>) -> bool {
    loop {
        let piece = match pace.wait(body.next()).await {
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => Err(Invalid::new("body", "must not break off").into()),
            Err(error) => Err(error),
        };
        let (is_whole, is_last) = (matches!(piece, Ok(None)), !matches!(piece, Ok(Some(_))));
        if let Ok(Some(bytes)) = &piece {
            pace.progress(bytes.len());
        }
        if given.give(piece).await.is_err() {
            return false;
        }
        if is_last {
            return is_whole;
        }
    }
}

async fn read_form(mut form: Multipart, mut pace: MinimumRate) -> Result<(Input<IncomingFile>, BodyReading)> {
    let refused =
        |invalid: Invalid| -> (Input<IncomingFile>, BodyReading) { (Err(invalid), ready(false).boxed_local()) };
    let (field, header) = match next_field(&mut form, &mut pace).await {
        Ok(Some(field)) => field,
        Ok(None) => return Ok(refused(Invalid::new(FILE, "is required"))),
        Err(chat_domain::ChatError::Invalid(invalid)) => return Ok(refused(invalid)),
        Err(error) => return Err(error),
    };
    if header.name != FILE {
        return Ok(refused(unknown_field(&header.name, FILE)));
    }
    let (given, taken) = channel();
    let file = IncomingFile {
        field: FieldPath::named(FILE),
        name: header.file_name.unwrap_or_default(),
        claimed_type: claimed_type(&field),
        source: Box::new(taken),
    };
    Ok((Ok(file), read_file(form, field, pace, given).boxed_local()))
}

/// The file has come to its end only when the form has: what else is in it would be lost.
async fn read_file(mut form: Multipart, mut field: Field, mut pace: MinimumRate, given: PieceSender<Bytes>) -> bool {
    let first = next_piece(&mut field, &mut pace).await;
    let pumped = match first {
        Ok(first) => pump(first, &mut field, &given, &mut pace).await,
        Err(error) => given.give(Err(error)).await.and(Err(ReceiverDropped)),
    };
    if pumped.is_err() {
        return false;
    }
    drop(field);
    let end = match next_field(&mut form, &mut pace).await {
        Ok(None) => Ok(None),
        Ok(Some((_, header))) if header.name == FILE => Err(Invalid::new(FILE, "must be given once").into()),
        Ok(Some((_, header))) => Err(unknown_field(&header.name, FILE).into()),
        Err(error) => Err(error),
    };
    let is_whole = end.is_ok();
    given.give(end).await.is_ok() && is_whole
}
