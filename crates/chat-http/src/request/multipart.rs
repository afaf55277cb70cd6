//! Messages with files: `multipart/form-data` (RFC 7578) streamed into a composition with bounded memory.

use std::time::Duration;

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use async_trait::async_trait;
use chat_domain::ChatError;
use chat_domain::error::{Invalid, Result};
use chat_domain::model::MediaType;
use chat_domain::ports::ByteSource;
use chat_domain::service::Composition;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::form_field::FormField;
use super::json_body::content_type;
use super::small_pieces::SmallPieces;

/// The most bytes of the field `content`: 10,000 characters of at most four bytes, and some to tell that it is too long.
const MAX_CONTENT_BYTES: usize = 64 * 1024;
/// How many pieces wait between the network and the disk.
const PIECES_IN_FLIGHT: usize = 2;
/// A sender must get this far in every window, else the upload is given up.
const WINDOW: Duration = Duration::from_secs(30);
const MIN_BYTES_PER_WINDOW: usize = 30 * 8 * 1024;
/// How many places for files a form may leave empty.
const MAX_EMPTY_FIELDS: u32 = 100;
/// What a request with files begins its `Content-Type` with.
const FORM_DATA: &str = "multipart/form-data";
/// The highest index of `attachments[n]`; gaps are allowed.
const MAX_INDEX: u32 = 9_999;

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
fn parts(request: &HttpRequest, payload: Payload) -> Multipart {
    let content_type = format!("multipart/mixed{}", parameters(request).unwrap_or_default());
    let headers = HeaderValue::try_from(content_type).map(|value| HeaderMap::from_iter([(CONTENT_TYPE, value)]));
    Multipart::new(&headers.unwrap_or_default(), SmallPieces::new(payload))
}

/// Stores the files of the form in `composition` and returns the form's `content`, empty when there is none.
pub(crate) async fn receive_message(
    request: &HttpRequest,
    payload: Payload,
    time_limit: Duration,
    composition: &mut Composition,
) -> Result<String> {
    let mut form = parts(request, payload);
    let mut pace = Pace::start(time_limit);
    let mut content = None;
    // Files without an index come after one another, as if numbered from 0.
    let mut next_index = 0;
    let mut empty_fields = 0;
    loop {
        let Some(field) = pace.wait(form.next()).await? else { break };
        let field = field.map_err(malformed)?;
        let header = field.headers().get(CONTENT_DISPOSITION).and_then(|header| FormField::parse(header.as_bytes()));
        let Some(FormField { name, file_name }) = header else {
            return Err(malformed("a part has no Content-Disposition with the name of its field"));
        };
        if name == "content" {
            if content.is_some() {
                return Err(Invalid::new("content", "must be given once").into());
            }
            content = Some(read_content(field, &mut pace).await?);
        } else if let Some(place) = place(&name) {
            let index = match place {
                Place::At(index) => index,
                Place::Next => next_index,
            };
            if receive_file(field, file_name, index, composition, &mut pace).await? {
                next_index = index + 1;
            } else {
                empty_fields += 1;
            }
            if empty_fields > MAX_EMPTY_FIELDS {
                let rule = format!("must have at most {MAX_EMPTY_FIELDS} fields without a file");
                return Err(Invalid::new("attachments", rule).into());
            }
        } else {
            return Err(Invalid::new("body", "must have no fields but content and attachments[0], [1], …").into());
        }
    }
    Ok(content.unwrap_or_default())
}

/// Where a file stands among the files of its message.
enum Place {
    At(u32),
    Next,
}

/// `attachments[7]` has an index, `attachments` and `attachments[]` have none, other names are not attachments.
fn place(name: &str) -> Option<Place> {
    match name.strip_prefix("attachments")? {
        "" | "[]" => Some(Place::Next),
        indexed => {
            let digits = indexed.strip_prefix('[')?.strip_suffix(']')?;
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let index = digits.parse().ok().filter(|index| plain && *index <= MAX_INDEX)?;
            Some(Place::At(index))
        }
    }
}

async fn read_content(mut field: Field, pace: &mut Pace) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = pace.wait(field.next()).await? {
        let chunk = chunk.map_err(malformed)?;
        pace.progress(chunk.len());
        if bytes.len() + chunk.len() > MAX_CONTENT_BYTES {
            return Err(Invalid::new("content", "must have at most 10000 characters").into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(bytes).map_err(|_| Invalid::new("content", "must be UTF-8 text"))?;
    Ok(plain_line_breaks(text))
}

/// Browsers write every line break of a form's text as CR LF, whatever was typed. JSON has LF for the same text.
fn plain_line_breaks(text: String) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}

/// Pumps one file from the network into the composition, which runs beside it and slows it down to its own pace.
/// Returns whether there is a file: a form sends a field without name and bytes where nobody chose one.
async fn receive_file(
    mut field: Field,
    file_name: Option<String>,
    index: u32,
    composition: &mut Composition,
    pace: &mut Pace,
) -> Result<bool> {
    let first = next_piece(&mut field, pace).await;
    if matches!(first, Ok(None)) && file_name.as_deref() == Some("") {
        return Ok(false);
    }
    let name = file_name.unwrap_or_default();
    let claimed = field.content_type().and_then(|kind| MediaType::parse(kind.essence_str()));
    let (pieces, source) = mpsc::channel(PIECES_IN_FLIGHT);
    let stored = composition.attach(index, &name, claimed, Box::new(ChannelSource(source)));
    let ((), stored) = futures_util::join!(pump(first, field, pieces, pace), stored);
    stored.map(|()| true)
}

async fn next_piece(field: &mut Field, pace: &mut Pace) -> Result<Option<Bytes>> {
    let Some(piece) = pace.wait(field.next()).await? else { return Ok(None) };
    let piece = piece.map_err(malformed)?;
    pace.progress(piece.len());
    Ok(Some(piece))
}

async fn pump(
    mut piece: Result<Option<Bytes>>,
    mut field: Field,
    pieces: mpsc::Sender<Result<Bytes>>,
    pace: &mut Pace,
) {
    while let Some(next) = piece.transpose() {
        let broken = next.is_err();
        // When the other end is gone, the composition has refused the file and says why.
        if pieces.send(next).await.is_err() || broken {
            return;
        }
        piece = next_piece(&mut field, pace).await;
    }
}

struct ChannelSource(mpsc::Receiver<Result<Bytes>>);

#[async_trait]
impl ByteSource for ChannelSource {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.0.recv().await.transpose()
    }
}

fn malformed(error: impl std::fmt::Display) -> ChatError {
    Invalid::new("body", format!("must be a multipart form: {error}")).into()
}

/// Watches that an upload gets on and ends: a sender who trickles single bytes would hold a connection forever.
struct Pace {
    window_ends: Instant,
    received: usize,
    ends: Instant,
    time_limit: Duration,
}

impl Pace {
    fn start(time_limit: Duration) -> Self {
        let now = Instant::now();
        Self { window_ends: now + WINDOW, received: 0, ends: now + time_limit, time_limit }
    }

    fn progress(&mut self, bytes: usize) {
        self.received += bytes;
    }

    /// Waits for the network, window after window, as long as enough arrives in each and the whole has time left.
    async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T> {
        let mut next = std::pin::pin!(next);
        loop {
            // A steady stream never lets the timer run out.
            if Instant::now() >= self.ends {
                let seconds = self.time_limit.as_secs();
                return Err(Invalid::new("body", format!("must arrive within {seconds} seconds as a whole")).into());
            }
            match timeout_at(self.window_ends.min(self.ends), &mut next).await {
                Ok(value) => return Ok(value),
                Err(_elapsed) if Instant::now() >= self.ends => {}
                Err(_elapsed) if self.received >= MIN_BYTES_PER_WINDOW => {
                    self.window_ends = Instant::now() + WINDOW;
                    self.received = 0;
                }
                Err(_elapsed) => {
                    return Err(Invalid::new("body", "must arrive at 8 KiB per second or faster").into());
                }
            }
        }
    }
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
