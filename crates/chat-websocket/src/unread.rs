//! Bytes that were read from the stream and are not used up: frames behind the one that was just given out, and the
//! beginning of one whose end is missing.

/// What is left to parse. Empty, it has no memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    bytes: Vec<u8>,
    /// How many of them are used up.
    used: usize,
}

impl Unread {
    /// A copy of its own: where the bytes come from may be a large buffer.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), used: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Uses up the next bytes. With the last ones the memory goes back.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used += count;
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Gives the memory of what is used up back. For the moment before a wait, which may be long.
    pub(crate) fn shrink(&mut self) {
        if self.used > 0 {
            *self = Self::new(self.rest());
        }
    }

    /// Bytes of memory held.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}
