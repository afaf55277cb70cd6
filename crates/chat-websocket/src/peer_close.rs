//! What a close frame says (RFC 6455 §5.5.1, §7.4).

use bytes::Bytes;
use bytestring::ByteString;

use crate::ReceiveError;

/// Why the client closes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerClose {
    /// A code that may be sent: 1000–1003, 1007–1014, or 3000–4999.
    pub code: u16,
    /// At most 123 bytes; what the client wrote, not to be trusted.
    pub reason: ByteString,
}

impl PeerClose {
    /// Reads the unmasked payload of a close frame, which may be empty.
    ///
    /// `actix_http` has such a function; its error is the same for a code and for a reason that are wrong, which are
    /// answered with different codes.
    ///
    /// # Errors
    /// `Protocol` for a code that must not be sent, `InvalidUtf8` for the reason.
    pub(crate) fn parse(payload: &Bytes) -> Result<Option<Self>, ReceiveError> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() { Ok(None) } else { Err(ReceiveError::Protocol("a close code of one byte")) };
        };
        let code = u16::from_be_bytes(*code);
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            return Err(ReceiveError::Protocol("a close code that must not be sent"));
        }
        let reason = ByteString::try_from(payload.slice_ref(reason)).map_err(|_| ReceiveError::InvalidUtf8)?;
        Ok(Some(Self { code, reason }))
    }
}
