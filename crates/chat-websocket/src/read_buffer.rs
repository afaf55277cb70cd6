//! Bytes that were read from the stream and are not parsed yet: frames behind the frame that was just returned, and the
//! beginning of a frame whose end is missing.

/// What is left to parse. While it is empty, it has nothing on the heap.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    /// How many of them are parsed.
    used: usize,
}

impl ReadBuffer {
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

    /// Marks the next bytes as parsed. After the last ones the memory is freed.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used += count;
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Frees the memory of parsed bytes. For the moment before a wait, which may be long.
    pub(crate) fn shrink(&mut self) {
        if self.used > 0 {
            *self = Self::new(self.rest());
        }
    }
}

#[cfg(test)]
impl ReadBuffer {
    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}
