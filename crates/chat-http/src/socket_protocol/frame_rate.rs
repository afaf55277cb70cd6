//! How many frames a client may send.

/// So many at once.
pub(crate) const FRAME_BURST: u32 = 40;
/// So many a minute.
pub(crate) const FRAMES_PER_MINUTE: u32 = 120;
