//! The head of an answer: its status and where its body ends (RFC 9112, 6.3).

use super::Failure;

/// The most header lines that an answer may have.
const MAX_HEADERS: usize = 64;

/// What a caller may want to know of an answer's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// `X-Chat-Seq`: the position of a page in its session's events.
    pub chat_seq: Option<u64>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// Whether the connection may carry another request.
    pub(crate) keep_alive: bool,
    pub(crate) framing: Framing,
    /// How many bytes the head takes.
    pub(crate) bytes: usize,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// Reads a head; `None` when its end has not come yet.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let bytes = match response.parse(bytes) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Failure::Malformed),
    };
    let status = response.code.ok_or(Failure::Malformed)?;
    let has_no_body = matches!(status, 100..=199 | 204 | 304);
    let mut head = Head {
        status,
        chat_seq: None,
        retry_after: None,
        keep_alive: response.version == Some(1),
        framing: if has_no_body { Framing::Length(0) } else { Framing::UntilClose },
        bytes,
    };
    for header in response.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") && !has_no_body && head.framing != Framing::Chunked {
            head.framing = Framing::Length(number(header.value).ok_or(Failure::Malformed)?);
        } else if is("transfer-encoding") && !has_no_body {
            head.framing = Framing::Chunked;
        } else if is("connection") {
            head.keep_alive = !header.value.eq_ignore_ascii_case(b"close");
        } else if is("x-chat-seq") {
            head.chat_seq = number(header.value);
        } else if is("retry-after") {
            head.retry_after = number(header.value);
        }
    }
    if head.framing == Framing::UntilClose {
        head.keep_alive = false;
    }
    Ok(Some(head))
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_body_is_found_by_length_by_chunks_or_by_the_end_of_the_connection() {
        let head = parse(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-Chat-Seq: 9\r\n\r\nhello").unwrap().unwrap();
        assert_eq!((head.status, head.framing, head.chat_seq), (200, Framing::Length(5), Some(9)));
        assert!(head.keep_alive);
        let head = parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.framing, Framing::Chunked);
        let head = parse(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.framing, head.keep_alive), (Framing::UntilClose, false));
        let head = parse(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.framing, head.keep_alive), (Framing::Length(0), false));
    }

    #[test]
    fn half_a_head_is_waited_for_and_nonsense_is_refused() {
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\ncontent-le"), Ok(None));
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n\r\n"), Err(Failure::Malformed));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), Err(Failure::Malformed));
    }
}
