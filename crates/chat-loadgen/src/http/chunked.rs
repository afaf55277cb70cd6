//! The chunked transfer coding (RFC 9112, 7.1), as far as reading a body needs it. The service itself sends lengths;
//! what stands between may not.

use super::Failure;

/// Longer lines of a chunk's size are refused.
const MAX_LINE: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    /// The line break after the data.
    AfterData,
    Trailer,
    Done,
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    line: Vec<u8>,
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Self { state: State::Size, line: Vec::new() }
    }

    /// Takes the next bytes; whether the body is complete.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<bool, Failure> {
        while !bytes.is_empty() && self.state != State::Done {
            if let State::Data(left) = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let (data, rest) = bytes.split_at(here);
                sink(data);
                bytes = rest;
                let left = left - here as u64;
                self.state = if left == 0 { State::AfterData } else { State::Data(left) };
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.keep(bytes)?;
                break;
            };
            let (line, rest) = bytes.split_at(end + 1);
            self.keep(line)?;
            bytes = rest;
            let line = std::mem::take(&mut self.line);
            self.state = self.after_line(line.trim_ascii())?;
        }
        if self.state == State::Done && !bytes.is_empty() {
            Err(Failure::Malformed)
        } else {
            Ok(self.state == State::Done)
        }
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), Failure> {
        self.line.extend_from_slice(part);
        if self.line.len() > MAX_LINE { Err(Failure::Malformed) } else { Ok(()) }
    }

    fn after_line(&self, line: &[u8]) -> Result<State, Failure> {
        match self.state {
            State::Size => {
                let size = std::str::from_utf8(line).ok().and_then(|line| line.split(';').next());
                match size.and_then(|size| u64::from_str_radix(size.trim(), 16).ok()) {
                    Some(0) => Ok(State::Trailer),
                    Some(size) => Ok(State::Data(size)),
                    None => Err(Failure::Malformed),
                }
            }
            State::AfterData if line.is_empty() => Ok(State::Size),
            State::Trailer => Ok(if line.is_empty() { State::Done } else { State::Trailer }),
            State::AfterData | State::Data(_) | State::Done => Err(Failure::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"5;x=y\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";

    #[test]
    fn a_chunked_body_is_read_however_it_is_cut() {
        for size in 1..=BODY.len() {
            let (mut chunked, mut out, mut done) = (Chunked::new(), Vec::new(), false);
            for piece in BODY.chunks(size) {
                done = chunked.feed(piece, |data| out.extend_from_slice(data)).unwrap();
            }
            assert!(done, "pieces of {size}");
            assert_eq!(out, b"hello 0123456789");
        }
    }

    #[test]
    fn a_size_that_is_no_number_is_refused() {
        assert_eq!(Chunked::new().feed(b"zz\r\n", |_| {}), Err(Failure::Malformed));
    }
}
