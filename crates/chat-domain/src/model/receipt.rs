//! The other side's word that messages arrived or were read.

use super::{MessageId, Seq, UserId};

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptStatus {
    /// The messages reached a device.
    Delivered,
    /// The messages were read, which implies that they were delivered.
    Read,
}

impl ReceiptStatus {
    /// The name of the status in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// The most messages one receipt names, and one request marks.
pub const MAX_RECEIPT_MESSAGES: usize = 1_000;

/// Messages that have come one stage further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who received or read them.
    pub reader: UserId,
    /// How far they have come.
    pub status: ReceiptStatus,
    /// The position of the newest of them.
    pub up_to: Seq,
    /// The messages, oldest first; never empty, at most `MAX_RECEIPT_MESSAGES`.
    pub messages: Vec<MessageId>,
}
