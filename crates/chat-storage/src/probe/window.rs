//! A bounded view of a file that is not trusted.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

/// How many reads one file is worth.
const MAX_READS: u32 = 4096;

/// How many bytes are read of one file.
const MAX_BYTES: u64 = 1024 * 1024;

/// How long one file is looked at.
const MAX_TIME: Duration = Duration::from_millis(250);

/// A file of which only so much is read, and only for so long; then every read fails.
pub(super) struct Window<R> {
    inner: R,
    length: u64,
    reads_left: u32,
    bytes_left: u64,
    until: Option<Instant>,
}

impl<R: Read + Seek> Window<R> {
    pub(super) fn new(mut inner: R) -> Option<Self> {
        let length = inner.seek(SeekFrom::End(0)).ok()?;
        inner.seek(SeekFrom::Start(0)).ok()?;
        let until = Instant::now().checked_add(MAX_TIME);
        Some(Self { inner, length, reads_left: MAX_READS, bytes_left: MAX_BYTES, until })
    }

    /// The file's size.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// `N` bytes at `offset`; `None` when they are not there or the window is closed.
    pub(super) fn peek<const N: usize>(&mut self, offset: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(offset, &mut bytes)?;
        Some(bytes)
    }

    /// Fills `buffer` from `offset`.
    pub(super) fn fill(&mut self, offset: u64, buffer: &mut [u8]) -> Option<()> {
        let end = offset.checked_add(u64::try_from(buffer.len()).ok()?)?;
        if end > self.length {
            return None;
        }
        self.inner.seek(SeekFrom::Start(offset)).ok()?;
        self.read_exact(buffer).ok()
    }

    pub(super) fn u32_be(&mut self, offset: u64) -> Option<u32> {
        self.peek(offset).map(u32::from_be_bytes)
    }

    pub(super) fn u64_be(&mut self, offset: u64) -> Option<u64> {
        self.peek(offset).map(u64::from_be_bytes)
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let late = self.until.is_none_or(|until| Instant::now() >= until);
        if self.reads_left == 0 || self.bytes_left == 0 || late {
            return Err(io::Error::from(ErrorKind::QuotaExceeded));
        }
        self.reads_left -= 1;
        let most = usize::try_from(self.bytes_left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.bytes_left = self.bytes_left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl<R: Seek> Seek for Window<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::{MAX_BYTES, MAX_READS, Window};

    #[test]
    fn a_file_is_worth_a_number_of_reads() {
        let mut window = Window::new(Cursor::new(vec![7; 10])).unwrap();
        let reads = (0..2 * MAX_READS).map_while(|_| window.peek::<1>(3)).count();
        assert_eq!(reads, usize::try_from(MAX_READS).unwrap());
    }

    #[test]
    fn a_file_is_worth_a_number_of_bytes() {
        let mut window = Window::new(Cursor::new(vec![7; 4 << 20])).unwrap();
        let mut taken = Vec::new();
        window.read_to_end(&mut taken).unwrap_err();
        assert_eq!(u64::try_from(taken.len()).unwrap(), MAX_BYTES);
    }

    #[test]
    fn nothing_lies_beyond_the_end() {
        let mut window = Window::new(Cursor::new(vec![7; 10])).unwrap();
        assert_eq!(window.peek::<2>(8), Some([7, 7]));
        assert_eq!(window.peek::<2>(9), None);
        assert_eq!(window.peek::<2>(u64::MAX), None);
    }
}
