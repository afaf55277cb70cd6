//! The text of a ticket: 32 random bytes in base64url, 43 characters.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::model::TicketDigest;

use crate::error::ApiError;

const BYTES: usize = 32;
/// Base64 without padding (RFC 4648, 5): four characters for three bytes.
const CHARACTERS: usize = (BYTES * 4).div_ceil(3);

/// A ticket that cannot be guessed. Only its digest is stored.
pub(crate) struct TicketText(String);

impl TicketText {
    /// A new one, from the operating system's generator.
    pub(crate) fn random() -> Result<Self, ApiError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| ApiError::internal(format!("no random bytes: {error}")))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text for the client.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(crate) fn digest(&self) -> TicketDigest {
        TicketDigest::of(&self.0)
    }

    /// Whether the text could be one, which costs no question to a store.
    pub(super) fn looks_like_one(text: &str) -> bool {
        text.len() == CHARACTERS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    }
}

/// All tickets in a query string.
pub(super) fn tickets(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "ticket").map(|(_, ticket)| ticket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_looks_like_one_and_like_no_other() {
        let (one, other) = (TicketText::random().unwrap(), TicketText::random().unwrap());
        assert!(TicketText::looks_like_one(one.text()));
        assert_ne!(one.text(), other.text());
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn a_text_of_another_form_is_no_ticket() {
        let good = "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs";
        assert!(TicketText::looks_like_one(good));
        for text in ["", &good[1..], &format!("{good}A"), &format!("{}=", &good[1..]), &format!("{}+", &good[1..])] {
            assert!(!TicketText::looks_like_one(text), "{text}");
        }
    }
}
