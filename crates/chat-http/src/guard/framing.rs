//! Where each request of a connection ends (RFC 9112, 6 and 7.1), without I/O.
//!
//! The HTTP server decodes all requests that it has been given, and writes a response by what it remembers of the request
//! that it decoded last: the body of a response to `HEAD` was sent, and a connection kept or closed, as the request
//! behind it asked for. So it is given a request only after the response to the one before it is written, which takes
//! knowing where requests end. This looks at what decides that and nothing else: the HTTP server refuses what is wrong
//! with a head, and where the two disagree the connection ends.

use bytes::Buf as _;
use memchr::memchr;

/// The most bytes of a request that are neither head nor data: extensions of chunks, white space, and trailers. They say
/// nothing that is used here, and the HTTP server reads them without end.
const MAX_OVERHEAD_BYTES: usize = 16 * 1024;
/// The most chunks that the HTTP server is given at once: it keeps each for itself, with 32 bytes and more around it.
const MAX_CHUNKS_AT_ONCE: usize = 64;
/// The most digits of a chunk's size: the HTTP server reads leading zeros without end.
const MAX_SIZE_DIGITS: u8 = 16;
/// The most bytes that are kept of a line of a head that has not come to its end.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// How far the bytes of a connection have been looked at.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: FramingState,
    /// What the head says so far.
    body: Body,
    /// The line of the head that has begun.
    line: Vec<u8>,
    overhead: usize,
    /// How many bytes of a body were looked at and not asked for by [`Self::take_data`].
    data: usize,
}

/// What a head says about the body behind it.
#[derive(Clone, Copy, Debug, Default)]
struct Body {
    /// Whether the first line of the head has come: empty lines before it are passed over (RFC 9112, 2.2).
    has_begun: bool,
    length: u64,
    in_chunks: bool,
}

/// Where in a request the next byte is.
#[derive(Clone, Copy, Debug, Default)]
enum FramingState {
    #[default]
    Head,
    /// In a body of which so much is missing.
    Sized(u64),
    /// In the size of a chunk, of which so many digits have come.
    Size {
        value: u64,
        digits: u8,
    },
    /// In the white space behind a chunk's size.
    Space {
        size: u64,
    },
    /// In a chunk's extension, up to its line's end.
    Extension {
        size: u64,
    },
    /// Before the line feed of a chunk's first line.
    SizeEnd {
        size: u64,
    },
    Data(u64),
    /// Before the carriage return and the line feed behind the data.
    DataReturn,
    DataFeed,
    /// At the beginning of a line behind the last chunk.
    TrailerStart,
    Trailer,
    TrailerFeed,
    LastFeed,
}

/// Why looking at bytes stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FramingStop {
    /// All of them were looked at.
    Exhausted,
    /// A request has ended.
    RequestEnded,
    /// The rest is for later.
    Enough,
    /// What follows is no body in chunks, or too much beside it.
    Broken,
}

impl Framing {
    /// Looks at the bytes that follow. Returns how many of them may be given to the HTTP server, and why no more.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> (usize, FramingStop) {
        let mut rest = bytes;
        let mut chunks = 0;
        let stop = loop {
            if let Some(stop) = self.step(&mut rest) {
                break stop;
            }
            if matches!(self.place, FramingState::DataReturn) {
                chunks += 1;
            }
            if chunks >= MAX_CHUNKS_AT_ONCE && !rest.is_empty() {
                break FramingStop::Enough;
            }
        };
        (bytes.len() - rest.len(), stop)
    }

    /// How many bytes of a body there were since this was asked for last.
    pub(super) fn take_data(&mut self) -> usize {
        std::mem::take(&mut self.data)
    }

    /// Passes over at most `most` bytes of a body, and returns how many are missing then.
    fn skip_data(&mut self, rest: &mut &[u8], most: u64) -> u64 {
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(rest.len());
        rest.advance(count);
        self.data += count;
        most.saturating_sub(u64::try_from(count).unwrap_or(most))
    }

    /// Goes on by as much as is of one kind.
    fn step(&mut self, rest: &mut &[u8]) -> Option<FramingStop> {
        let Some(&next) = rest.first() else { return Some(FramingStop::Exhausted) };
        self.place = match self.place {
            FramingState::Head => return self.head(rest),
            FramingState::Sized(missing) => {
                let missing = self.skip_data(rest, missing);
                if missing == 0 {
                    return Some(self.end());
                }
                FramingState::Sized(missing)
            }
            FramingState::Data(missing) => match self.skip_data(rest, missing) {
                0 => FramingState::DataReturn,
                missing => FramingState::Data(missing),
            },
            FramingState::Extension { size } => {
                let extension = line_of(rest);
                let is_text = extension.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
                if !is_text || !self.count(extension.len()) {
                    return Some(FramingStop::Broken);
                }
                rest.advance(extension.len());
                if rest.is_empty() {
                    return Some(FramingStop::Exhausted);
                }
                rest.advance(1);
                FramingState::SizeEnd { size }
            }
            FramingState::Trailer => {
                let trailer = line_of(rest);
                if !self.count(trailer.len()) {
                    return Some(FramingStop::Broken);
                }
                rest.advance(trailer.len());
                if rest.is_empty() {
                    return Some(FramingStop::Exhausted);
                }
                rest.advance(1);
                FramingState::TrailerFeed
            }
            place => {
                let Some(place) = self.framing_byte(place, next) else { return Some(FramingStop::Broken) };
                rest.advance(1);
                if matches!(place, FramingState::Head) {
                    return Some(self.end());
                }
                place
            }
        };
        None
    }

    /// Where a single byte leads to; `None` when it must not be there. The same as in the HTTP server's decoder.
    fn framing_byte(&mut self, place: FramingState, byte: u8) -> Option<FramingState> {
        match (place, byte) {
            (FramingState::Size { value, digits }, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                let value = value.checked_mul(16)?.checked_add(u64::from(digit))?;
                (digits < MAX_SIZE_DIGITS).then_some(FramingState::Size { value, digits: digits + 1 })
            }
            (FramingState::Size { digits: 0, .. }, _) => None,
            (FramingState::Size { value: size, .. } | FramingState::Space { size }, b'\r') => {
                Some(FramingState::SizeEnd { size })
            }
            (FramingState::Size { value: size, .. } | FramingState::Space { size }, b';') => {
                Some(FramingState::Extension { size })
            }
            (FramingState::Size { value: size, .. } | FramingState::Space { size }, b'\t' | b' ') => {
                self.count(1).then_some(FramingState::Space { size })
            }
            (FramingState::SizeEnd { size: 0 } | FramingState::TrailerFeed, b'\n') => Some(FramingState::TrailerStart),
            (FramingState::SizeEnd { size }, b'\n') => Some(FramingState::Data(size)),
            (FramingState::DataReturn, b'\r') => Some(FramingState::DataFeed),
            (FramingState::DataFeed, b'\n') => Some(FramingState::Size { value: 0, digits: 0 }),
            (FramingState::TrailerStart, b'\r') => Some(FramingState::LastFeed),
            (FramingState::TrailerStart, _) => self.count(1).then_some(FramingState::Trailer),
            (FramingState::LastFeed, b'\n') => Some(FramingState::Head),
            _ => None,
        }
    }

    /// Counts bytes that are neither head nor data. `false` when they are too many.
    fn count(&mut self, bytes: usize) -> bool {
        self.overhead = self.overhead.saturating_add(bytes);
        self.overhead <= MAX_OVERHEAD_BYTES
    }

    /// Takes a line of the head, or what there is of it.
    fn head(&mut self, rest: &mut &[u8]) -> Option<FramingStop> {
        let Some(length) = memchr(b'\n', rest) else {
            let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend(rest.iter().take(room));
            rest.advance(rest.len());
            return Some(FramingStop::Exhausted);
        };
        let (line, behind) = rest.split_at_checked(length + 1)?;
        *rest = behind;
        if self.line.is_empty() {
            return self.line(line);
        }
        let mut whole = std::mem::take(&mut self.line);
        whole.extend(line);
        self.line(&whole)
    }

    /// Takes a line of the head with its end.
    fn line(&mut self, line: &[u8]) -> Option<FramingStop> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return if self.body.has_begun { self.head_ended() } else { None };
        }
        self.body.has_begun = true;
        if let Some(value) = value_of(line, b"content-length:") {
            // What is no number is refused by the HTTP server, and so is a second one.
            self.body.length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(0);
        } else if let Some(value) = value_of(line, b"transfer-encoding:") {
            self.body.in_chunks = value.eq_ignore_ascii_case(b"chunked");
        }
        None
    }

    fn head_ended(&mut self) -> Option<FramingStop> {
        let Body { length, in_chunks, .. } = self.body;
        self.place = match length {
            _ if in_chunks => FramingState::Size { value: 0, digits: 0 },
            0 => return Some(self.end()),
            length => FramingState::Sized(length),
        };
        None
    }

    fn end(&mut self) -> FramingStop {
        *self = Self { data: self.data, ..Self::default() };
        FramingStop::RequestEnded
    }
}

/// The value of a header, if the line has it under this name, which ends with a colon.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// What stands before the next carriage return.
fn line_of<'a>(rest: &&'a [u8]) -> &'a [u8] {
    let length = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
    rest.get(..length).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// The lengths of the requests in these bytes, which come in parts of at most `part` bytes, and what is left.
    fn split(bytes: &[u8], part: usize) -> (Vec<usize>, usize) {
        let mut framing = Framing::default();
        let (mut lengths, mut length) = (Vec::new(), 0);
        for mut rest in bytes.chunks(part) {
            while !rest.is_empty() {
                let (taken, stop) = framing.advance(rest);
                length += taken;
                rest = &rest[taken..];
                match stop {
                    FramingStop::RequestEnded => lengths.push(std::mem::take(&mut length)),
                    FramingStop::Broken => panic!("broken"),
                    FramingStop::Exhausted | FramingStop::Enough => {}
                }
            }
        }
        (lengths, length)
    }

    #[test]
    fn requests_end_where_their_heads_and_bodies_do_however_they_come() {
        let chunked =
            format!("{CHUNKED}5\r\n\r\n0\r\n\r\n3;a=\"b\"\r\nabc\r\n00A \t\r\n0123456789\r\n0;x\r\nX: y\r\nZ:\r\n\r\n");
        let requests = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\nCONTENT-LENGTH:  5 \r\n\r\n\r\n\r\nx",
            "\r\n\r\nGET / HTTP/1.1\nContent-Length: 0\nHost: a\n\n",
            &chunked,
            "GET / HTTP/1.1\r\nX-Content-Length: 9\r\nTransfer-Encoding-Not: chunked\r\n\r\n",
        ];
        let all = requests.concat();
        let lengths: Vec<usize> = requests.iter().map(|request| request.len()).collect();
        for part in [1, 2, 3, 7, 40, 4096] {
            assert_eq!(split(all.as_bytes(), part), (lengths.clone(), 0), "parts of {part}");
            let begun = format!("{all}GET / HT");
            assert_eq!(split(begun.as_bytes(), part), (lengths.clone(), 8), "parts of {part}");
        }
    }

    fn stop_of(bytes: &[u8]) -> FramingStop {
        Framing::default().advance(bytes).1
    }

    #[test]
    fn a_body_in_chunks_that_is_none_is_broken() {
        for body in [
            "\r\n",
            "x",
            "5 x",
            "5;a\nb",
            "5;\r\n01234x",
            "5\n",
            "5\rx",
            "1x",
            "-1\r\n",
            "ffffffffffffffff0\r\n",
            "0\r\n\rx",
        ] {
            assert_eq!(stop_of(format!("{CHUNKED}{body}").as_bytes()), FramingStop::Broken, "{body:?}");
        }
        assert_eq!(stop_of(format!("{CHUNKED}00000000000000005\r\n").as_bytes()), FramingStop::Broken);
    }

    #[test]
    fn the_overhead_of_chunks_is_bounded() {
        let endless = "a".repeat(MAX_OVERHEAD_BYTES + 1);
        let space = " ".repeat(MAX_OVERHEAD_BYTES + 1);
        for body in [format!("5;{endless}"), format!("5{space}"), format!("0\r\n{endless}")] {
            assert_eq!(stop_of(format!("{CHUNKED}{body}").as_bytes()), FramingStop::Broken);
        }
        let lines = "X: y\r\n".repeat(MAX_OVERHEAD_BYTES / 4 + 1);
        assert_eq!(stop_of(format!("{CHUNKED}0\r\n{lines}").as_bytes()), FramingStop::Broken);
        let few = "X: y\r\n".repeat(100);
        assert_eq!(stop_of(format!("{CHUNKED}0\r\n{few}\r\n").as_bytes()), FramingStop::RequestEnded);
    }

    #[test]
    fn only_so_many_chunks_are_given_at_once() {
        let bytes = format!("{CHUNKED}{}", "1\r\na\r\n".repeat(200));
        let (taken, stop) = Framing::default().advance(bytes.as_bytes());
        assert_eq!(stop, FramingStop::Enough);
        assert_eq!(taken, CHUNKED.len() + 6 * MAX_CHUNKS_AT_ONCE - 2);
    }

    #[test]
    fn a_line_of_a_head_that_does_not_end_is_not_kept_as_a_whole() {
        let mut framing = Framing::default();
        for _ in 0..100 {
            assert_eq!(framing.advance(&[b'a'; 4096]), (4096, FramingStop::Exhausted));
        }
        assert!(framing.line.capacity() <= 2 * MAX_LINE_BYTES);
    }
}
