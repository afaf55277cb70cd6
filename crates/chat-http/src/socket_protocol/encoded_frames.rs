//! The encodings of one event: one for each mode, shared by all sockets.

use std::sync::OnceLock;

use bytes::Bytes;

use super::SocketMode;

/// The frames of an event. Each is encoded by the first socket that needs it.
#[derive(Debug, Default)]
pub(crate) struct EncodedFrames {
    base: OnceLock<Bytes>,
    extended: OnceLock<Bytes>,
    multiplexed: OnceLock<Bytes>,
}

impl EncodedFrames {
    /// The frame for a mode. All callers pass the same `encode` for a mode.
    pub(crate) fn get(&self, mode: SocketMode, encode: impl FnOnce() -> Bytes) -> Bytes {
        let frame = match mode {
            SocketMode::Base => &self.base,
            SocketMode::Extended => &self.extended,
            SocketMode::Multiplexed => &self.multiplexed,
        };
        frame.get_or_init(encode).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn each_mode_is_encoded_once() {
        let (frames, encoded) = (EncodedFrames::default(), Cell::new(0));
        let encode = |mode, text: &'static str| {
            frames.get(mode, || {
                encoded.set(encoded.get() + 1);
                Bytes::from_static(text.as_bytes())
            })
        };
        for _ in 0..3 {
            assert_eq!(encode(SocketMode::Base, "base"), "base");
            assert_eq!(encode(SocketMode::Extended, "extended"), "extended");
            assert_eq!(encode(SocketMode::Multiplexed, "multiplexed"), "multiplexed");
        }
        assert_eq!(encoded.get(), 3);
    }
}
