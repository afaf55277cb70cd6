//! A bounded view of a file that is not trusted.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

/// How many reads one file is worth.
const MAX_READS: u32 = 4096;

/// How many bytes are read of one file.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// How many bytes a small read takes along: fields of a header lie next to each other, and each would be a read.
const READ_AHEAD: usize = 256;

/// A file of which only so much is read, and where a time is given only for so long; then every read fails.
pub(super) struct Window<R> {
    inner: R,
    length: u64,
    reads_left: u32,
    bytes_left: u64,
    until: Option<Instant>,
    /// Bytes that were read already, and where they begin.
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl<R: Read + Seek> Window<R> {
    /// A window whose bounds depend on the file alone: what is found through it is the same on every machine.
    pub(super) fn new(mut inner: R) -> Option<Self> {
        let length = inner.seek(SeekFrom::End(0)).ok()?;
        inner.seek(SeekFrom::Start(0)).ok()?;
        Some(Self {
            inner,
            length,
            reads_left: MAX_READS,
            bytes_left: MAX_BYTES,
            until: None,
            ahead: Vec::new(),
            ahead_at: 0,
        })
    }

    /// The same, closed after `limit` as well. A limit beyond the end of the clock is none.
    pub(super) fn closing_after(self, limit: Duration) -> Self {
        Self { until: Instant::now().checked_add(limit), ..self }
    }

    /// The same, for so many reads only.
    #[cfg(test)]
    pub(super) fn with_reads(self, reads_left: u32) -> Self {
        Self { reads_left, ..self }
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
        if buffer.len() >= READ_AHEAD {
            self.inner.seek(SeekFrom::Start(offset)).ok()?;
            return self.read_exact(buffer).ok();
        }
        if self.read_already(offset, buffer.len()).is_none() {
            self.read_ahead(offset)?;
        }
        buffer.copy_from_slice(self.read_already(offset, buffer.len())?);
        Some(())
    }

    fn read_already(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.ahead_at)?).ok()?;
        self.ahead.get(start..start.checked_add(length)?)
    }

    fn read_ahead(&mut self, offset: u64) -> Option<()> {
        let left = usize::try_from(self.length.checked_sub(offset)?).unwrap_or(usize::MAX);
        let mut bytes = std::mem::take(&mut self.ahead);
        bytes.resize(READ_AHEAD.min(left), 0);
        self.inner.seek(SeekFrom::Start(offset)).ok()?;
        self.read_exact(&mut bytes).ok()?;
        (self.ahead, self.ahead_at) = (bytes, offset);
        Some(())
    }

    /// Where these bytes begin for the last time before `end`; looked for in at most `most` bytes.
    pub(super) fn rfind(&mut self, wanted: &[u8], end: u64, most: u64) -> Option<u64> {
        /// How many bytes are looked through at once.
        const STEP: u64 = 64 * 1024;
        let overlap = u64::try_from(wanted.len()).ok()?.checked_sub(1)?;
        let (lowest, mut end) = (end.saturating_sub(most), end.min(self.length));
        let mut bytes = Vec::new();
        while end.saturating_sub(lowest) > overlap {
            let start = end.saturating_sub(STEP).max(lowest);
            bytes.resize(usize::try_from(end.checked_sub(start)?).ok()?, 0);
            self.fill(start, &mut bytes)?;
            if let Some(at) = bytes.windows(wanted.len()).rposition(|found| found == wanted) {
                return start.checked_add(u64::try_from(at).ok()?);
            }
            end = start.checked_add(overlap)?;
            if start == lowest {
                break;
            }
        }
        None
    }

    /// Whether nothing more is given out, so that what was not found may still be there.
    pub(super) fn is_closed(&self) -> bool {
        self.reads_left == 0 || self.bytes_left == 0 || self.is_late()
    }

    pub(super) fn u16_be(&mut self, offset: u64) -> Option<u16> {
        self.peek(offset).map(u16::from_be_bytes)
    }

    pub(super) fn u32_be(&mut self, offset: u64) -> Option<u32> {
        self.peek(offset).map(u32::from_be_bytes)
    }

    pub(super) fn u64_be(&mut self, offset: u64) -> Option<u64> {
        self.peek(offset).map(u64::from_be_bytes)
    }
}

impl<R> Window<R> {
    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.reads_left == 0 || self.bytes_left == 0 || self.is_late() {
            return Err(io::Error::from(ErrorKind::QuotaExceeded));
        }
        self.reads_left -= 1;
        let most = usize::try_from(self.bytes_left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(buffer.get_mut(..most).unwrap_or_default()).inspect_err(|error| {
            // What cannot be read may still be there.
            self.reads_left = if error.kind() == ErrorKind::Interrupted { self.reads_left } else { 0 };
        })?;
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
    use std::io::{self, Cursor, Read, Seek, SeekFrom};
    use std::time::Duration;

    use super::{MAX_BYTES, MAX_READS, Window};

    /// A file of ten bytes on a disk that fails.
    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }

    impl Seek for Failing {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(10)
        }
    }

    #[test]
    fn a_disk_that_fails_closes_the_window() {
        let mut window = Window::new(Failing).unwrap();
        assert_eq!(window.peek::<1>(0), None);
        assert!(window.is_closed(), "what could not be read may still be there");
    }

    #[test]
    fn only_a_window_with_a_time_closes_by_the_clock() {
        let open = Window::new(Cursor::new(vec![7; 10])).unwrap();
        assert!(open.until.is_none());
        let mut late = open.closing_after(Duration::ZERO);
        assert!(late.is_closed());
        assert_eq!(late.peek::<1>(0), None);
        let mut unlimited = late.closing_after(Duration::MAX);
        assert_eq!(unlimited.peek::<1>(0), Some([7]));
    }

    #[test]
    fn a_file_is_worth_a_number_of_reads() {
        let mut window = Window::new(Cursor::new(vec![7; 1000])).unwrap();
        let places = (0..2 * MAX_READS).map(|read| if read % 2 == 0 { 0 } else { 900 });
        let reads = places.map_while(|place| window.peek::<1>(place)).count();
        assert_eq!(reads, usize::try_from(MAX_READS).unwrap());
        assert!(window.is_closed());
    }

    #[test]
    fn neighbours_are_one_read() {
        let mut window = Window::new(Cursor::new((0..=255).collect::<Vec<u8>>())).unwrap();
        let bytes: Vec<u8> = (10..200).map(|at| window.peek::<1>(at).unwrap()[0]).collect();
        assert_eq!(bytes, (10..200).collect::<Vec<u8>>());
        assert_eq!(window.reads_left, MAX_READS - 1);
        assert_eq!(window.peek::<2>(254), Some([254, 255]));
        assert_eq!(window.peek::<2>(0), Some([0, 1]));
        assert_eq!(window.reads_left, MAX_READS - 2);
    }

    #[test]
    fn the_last_of_some_bytes_is_found_across_steps() {
        let mut bytes = vec![0; 200_000];
        // Across the border between the last step and the one before it.
        let (first, last) = (1_000, 200_000 - 64 * 1024 - 2);
        bytes[first..first + 4].copy_from_slice(b"mark");
        bytes[last..last + 4].copy_from_slice(b"mark");
        let mut window = Window::new(Cursor::new(bytes)).unwrap();
        let (length, last) = (window.len(), u64::try_from(last).unwrap());
        assert_eq!(window.rfind(b"mark", length, length), Some(last));
        assert_eq!(window.rfind(b"mark", last + 3, length), Some(1_000));
        assert_eq!(window.rfind(b"mark", length, 64 * 1024), None);
        assert_eq!(window.rfind(b"none", length, u64::MAX), None);
        assert_eq!(window.rfind(b"mark", 3, length), None);
    }

    #[test]
    fn a_file_is_worth_a_number_of_bytes() {
        let mut window = Window::new(Cursor::new(vec![7; 8 << 20])).unwrap();
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
