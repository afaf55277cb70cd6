//! The beginning and the end of a file that is not on this machine, to look at as at a file.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;

/// What was kept of a file. Reading what lies between fails, which is to say: it may be there.
#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    head: Vec<Bytes>,
    tail: Vec<Bytes>,
    head_length: u64,
    tail_start: u64,
    length: u64,
    at: u64,
}

impl Excerpt {
    /// Of a file of `length` bytes; the two parts may overlap.
    pub(crate) fn new(length: u64, head: Vec<Bytes>, tail: Vec<Bytes>) -> Self {
        let head_length = total(&head);
        let tail_start = length.saturating_sub(total(&tail));
        Self { head, tail, head_length, tail_start, length, at: 0 }
    }

    /// The kept bytes at the position, up to the end of the piece that has them.
    fn kept(&self) -> Option<&[u8]> {
        let (pieces, mut start) = if self.at < self.head_length {
            (&self.head, 0)
        } else if self.at >= self.tail_start {
            (&self.tail, self.tail_start)
        } else {
            return None;
        };
        for piece in pieces {
            let end = start + length_of(piece);
            if self.at < end {
                return piece.get(usize::try_from(self.at - start).ok()?..);
            }
            start = end;
        }
        None
    }
}

impl Read for Excerpt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.length {
            return Ok(0);
        }
        let Some(kept) = self.kept() else {
            return Err(io::Error::other("this part of the file was not kept"));
        };
        let count = kept.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), kept.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += u64::try_from(count).unwrap_or_default();
        Ok(count)
    }
}

impl Seek for Excerpt {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

fn total(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(length_of).sum()
}

fn length_of(piece: &Bytes) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom};

    use bytes::Bytes;

    use super::Excerpt;

    fn read_at(excerpt: &mut Excerpt, at: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        excerpt.seek(SeekFrom::Start(at)).unwrap();
        excerpt.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    #[test]
    fn both_ends_are_read_across_their_pieces_and_what_lies_between_is_not() {
        let pieces = |all: &[&'static [u8]]| all.iter().map(|piece| Bytes::from_static(piece)).collect();
        let mut excerpt = Excerpt::new(20, pieces(&[b"012", b"345"]), pieces(&[b"f", b"ghij"]));
        assert_eq!(read_at(&mut excerpt, 1, 4).unwrap(), b"1234");
        assert_eq!(read_at(&mut excerpt, 15, 5).unwrap(), b"fghij");
        for (at, length) in [(4, 3), (10, 1), (14, 2), (18, 3)] {
            assert_eq!(read_at(&mut excerpt, at, length), None, "{length} bytes at {at}");
        }
        assert_eq!(excerpt.seek(SeekFrom::End(-2)).unwrap(), 18);
        let mut rest = Vec::new();
        excerpt.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"ij");
    }
}
