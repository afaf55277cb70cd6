//! How much a client may send at once.

/// What a client's frames and messages may be at most. What is above is refused with close code 1009, on sight of the
/// header that says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameLimits {
    /// Bytes of a frame's payload.
    pub frame_bytes: usize,
    /// Bytes of a message, all of its fragments together.
    pub message_bytes: usize,
    /// Frames of a message, empty ones included.
    pub fragments: u32,
}

impl Default for FrameLimits {
    /// Frames of 16 KiB, messages of 64 KiB in 16 fragments.
    fn default() -> Self {
        Self { frame_bytes: 16 * 1024, message_bytes: 64 * 1024, fragments: 16 }
    }
}
