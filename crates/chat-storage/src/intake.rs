//! What every store does with the bytes of an upload, wherever they then lie: count, limit, hash, and look at them.

use chat_domain::error::{FieldPath, Invalid};
use chat_domain::model::MediaType;
use sha2::{Digest, Sha256};

use crate::sniff::sniff;
use crate::text::TextCheck;

/// The field that a broken rule is reported for.
pub(crate) const FIELD: FieldPath = FieldPath::ATTACHMENTS;

/// How many bytes at the beginning decide about the type. A page may begin with a long comment.
const HEAD_BYTES: usize = 8 * 1024;

/// Follows the bytes of one upload.
pub(crate) struct Intake {
    max_bytes: u64,
    size: u64,
    hash: Sha256,
    head: Vec<u8>,
    text: TextCheck,
}

/// What is known of an upload once all of it has been seen.
pub(crate) struct UploadFacts {
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) media_type: MediaType,
}

impl Intake {
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self { max_bytes, size: 0, hash: Sha256::new(), head: Vec::new(), text: TextCheck::default() }
    }

    /// Counts a piece as it arrives, before it is written anywhere.
    ///
    /// # Errors
    /// When there are now more bytes than allowed.
    pub(crate) fn admit(&mut self, piece: &[u8]) -> Result<(), Invalid> {
        self.size = self.size.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.size > self.max_bytes {
            return Err(Invalid::new(FIELD, format!("must be at most {}", human_size(self.max_bytes))));
        }
        Ok(())
    }

    /// Hashes and looks at bytes that were admitted, in order. Takes long enough to be done off the async threads.
    pub(crate) fn digest(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.text.push(bytes);
        let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(bytes.get(..wanted).unwrap_or_default());
    }

    /// The type that the bytes so far show; the rest may show another type.
    pub(crate) fn likely_type(&self, claimed: Option<&MediaType>) -> MediaType {
        sniff(&self.head, self.text.charset(), claimed)
    }

    /// # Errors
    /// When there were no bytes at all.
    pub(crate) fn finish(self, claimed: Option<&MediaType>) -> Result<UploadFacts, Invalid> {
        if self.size == 0 {
            return Err(Invalid::new(FIELD, "must not be empty"));
        }
        let media_type = self.likely_type(claimed);
        Ok(UploadFacts { size: self.size, sha256: self.hash.finalize().into(), media_type })
    }
}

/// A number of bytes for people: `25 MiB`; where that would round, `1.3 MiB (1363149 bytes)`.
fn human_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let (whole, rest) = (bytes / unit, bytes % unit);
            return match rest {
                0 => format!("{whole} {name}"),
                _ => format!("{whole}.{} {name} ({bytes} bytes)", rest.saturating_mul(10) / unit),
            };
        }
    }
    format!("{bytes} {}", if bytes == 1 { "byte" } else { "bytes" })
}

#[cfg(test)]
mod tests {
    use super::human_size;

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (25 << 20, "25 MiB"),
            ((1 << 20) + (1 << 19), "1.5 MiB (1572864 bytes)"),
            (1 << 30, "1 GiB"),
            (u64::MAX, "17179869183.9 GiB (18446744073709551615 bytes)"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
