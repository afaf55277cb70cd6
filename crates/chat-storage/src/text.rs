//! Whether bytes that come piece by piece are text.

/// Follows bytes and knows whether all of them so far are UTF-8 without NUL and without control characters that text
/// files do not have. Needs four bytes of memory, however long the text is.
#[derive(Debug, Default)]
pub(crate) struct TextCheck {
    broken: bool,
    /// The beginning of a character that the next piece has to complete.
    partial: Vec<u8>,
}

impl TextCheck {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        if bytes.iter().any(|byte| is_binary(*byte)) {
            self.broken = true;
            return;
        }
        let mut rest = bytes;
        while !self.partial.is_empty() {
            let Some((byte, behind)) = rest.split_first() else { return };
            self.partial.push(*byte);
            rest = behind;
            match std::str::from_utf8(&self.partial) {
                Ok(_) => self.partial.clear(),
                Err(error) if error.error_len().is_some() => self.broken = true,
                Err(_) => {}
            }
            if self.broken {
                return;
            }
        }
        if let Err(error) = std::str::from_utf8(rest) {
            match error.error_len() {
                Some(_) => self.broken = true,
                None => self.partial.extend_from_slice(rest.get(error.valid_up_to()..).unwrap_or_default()),
            }
        }
    }

    /// Whether everything that was taken is text.
    pub(crate) fn is_text(&self) -> bool {
        !self.broken && self.partial.is_empty()
    }
}

/// The "binary data bytes" of the WHATWG MIME Sniffing Standard, section 3: control characters but tab, line feed,
/// form feed, carriage return and escape.
fn is_binary(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{TextCheck, is_binary};

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            text in prop_oneof![any::<String>().prop_map(String::into_bytes), any::<Vec<u8>>()],
            cuts in prop::collection::vec(1..7_usize, 0..200),
        ) {
            let mut check = TextCheck::default();
            let mut rest = text.as_slice();
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                check.push(piece);
                rest = behind;
            }
            check.push(rest);
            let expected = std::str::from_utf8(&text).is_ok() && !text.iter().any(|byte| is_binary(*byte));
            prop_assert_eq!(check.is_text(), expected);
        }
    }
}
