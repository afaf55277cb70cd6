//! Input for a decoder that ends when the decoder has taken too much time.

use std::io::{self, BufRead, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::time::Duration;

/// How many bytes a decoder gets between two looks at the clock. Deflate makes at most 1,032 times as many of them, in
/// about 10 ms.
const PIECE_BYTES: usize = 16 * 1024;

/// The bytes of a picture. Reading them fails once this thread has used its time of a processor.
///
/// It is the time of the processor and not that of the clock, so that whether there is a thumbnail does not depend on how
/// busy the machine is.
pub(crate) struct MeteredInput<'a> {
    bytes: Cursor<&'a [u8]>,
    until: Duration,
}

impl<'a> MeteredInput<'a> {
    pub(crate) fn new(bytes: &'a [u8], allowed: Duration) -> Self {
        Self { bytes: Cursor::new(bytes), until: processor_time().saturating_add(allowed) }
    }

    fn check(&self) -> io::Result<()> {
        if processor_time() < self.until {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::TimedOut, "the picture takes too long to decode"))
    }
}

impl Read for MeteredInput<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        let most = buffer.len().min(PIECE_BYTES);
        self.bytes.read(buffer.get_mut(..most).unwrap_or_default())
    }
}

impl BufRead for MeteredInput<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        let rest = self.bytes.fill_buf()?;
        Ok(rest.get(..PIECE_BYTES).unwrap_or(rest))
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl Seek for MeteredInput<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}

/// How long this thread has run.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// The time of the clock, where a thread's own is not to be had.
#[cfg(not(target_os = "linux"))]
fn processor_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_has_used_its_time_gets_no_more_bytes() {
        let bytes = vec![7; 100_000];
        let mut input = MeteredInput::new(&bytes, Duration::from_millis(20));
        assert_eq!(input.fill_buf().unwrap().len(), PIECE_BYTES);
        input.consume(PIECE_BYTES);
        assert_eq!(input.stream_position().unwrap(), u64::try_from(PIECE_BYTES).unwrap());
        while processor_time() < input.until {}
        assert_eq!(input.fill_buf().unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(input.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::TimedOut);
        input.seek(SeekFrom::Start(0)).unwrap();
        assert!(input.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn in_time_all_bytes_are_read() {
        let bytes: Vec<u8> = (0_u32..20_000).flat_map(u32::to_le_bytes).collect();
        let mut read = Vec::new();
        MeteredInput::new(&bytes, Duration::from_mins(1)).read_to_end(&mut read).unwrap();
        assert!(read == bytes);
    }
}
