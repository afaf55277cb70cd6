//! The signature of a message: a keyed hash (HMAC-SHA-256, RFC 2104) over the channel and the message.
//!
//! The key is in the database, so only nodes of that database can sign, and a signature for one channel is invalid on
//! another. Copies of a database have its key; the message names its database by where that is. The hash is the last 32
//! bytes of a message and is not truncated: it takes less space than the ids in front of it.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use chat_domain::model::FanoutCredentials;
use tokio::sync::watch;

use crate::names::{Channel, ChannelNames};

/// How long a hash is, in bytes.
const LENGTH: usize = 32;

/// Signs the messages of this node, and verifies those that it receives.
pub(crate) struct Signer {
    names: ChannelNames,
    /// Every message names the database and the epoch.
    pub(crate) credentials: FanoutCredentials,
    key: hmac::Key,
}

/// The signer that is in use. It is replaced when the database has moved.
pub(crate) type CurrentSigner = watch::Receiver<Arc<Signer>>;

impl Signer {
    pub(crate) fn new(names: ChannelNames, credentials: FanoutCredentials) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, credentials.key.expose());
        Self { names, credentials, key }
    }

    /// Adds the hash of a message for a channel.
    pub(crate) fn sign(&self, channel: Channel, mut message: Vec<u8>) -> Vec<u8> {
        let hash = self.hash(channel, &message);
        message.extend_from_slice(hash.as_ref());
        message
    }

    /// The message without its hash, if that is right for the channel.
    pub(crate) fn verify<'a>(&self, channel: Channel, signed: &'a [u8]) -> Option<&'a [u8]> {
        let (message, hash) = split(signed)?;
        // Takes the same time wherever the two differ.
        verify_slices_are_equal(self.hash(channel, message).as_ref(), hash).ok()?;
        Some(message)
    }

    fn hash(&self, channel: Channel, message: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        // No name of a channel has a line break, so no other name and message are these bytes.
        context.update(self.names.of(channel).as_bytes());
        context.update(b"\n");
        context.update(message);
        context.sign()
    }
}

/// A message and what should be its hash.
pub(crate) fn split(signed: &[u8]) -> Option<(&[u8], &[u8; LENGTH])> {
    signed.split_last_chunk::<LENGTH>()
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{Epoch, FanoutKey};

    use super::*;

    fn signer(key: u8) -> Signer {
        let credentials = FanoutCredentials {
            database: "1-2".to_owned(),
            epoch: Epoch::parse("e").unwrap(),
            key: FanoutKey::from_bytes([key; LENGTH]),
        };
        Signer::new(ChannelNames::new("chat"), credentials)
    }

    #[test]
    fn a_signature_holds_for_one_channel_key_and_message() {
        let (signer, other) = (signer(1), signer(2));
        let signed = signer.sign(Channel::Shard(7), b"{}".to_vec());
        assert_eq!(signer.verify(Channel::Shard(7), &signed), Some(b"{}".as_slice()));
        assert_eq!(signer.verify(Channel::Shard(8), &signed), None);
        assert_eq!(signer.verify(Channel::Nodes, &signed), None);
        assert_eq!(other.verify(Channel::Shard(7), &signed), None);
        for place in 0..signed.len() {
            let mut changed = signed.clone();
            changed[place] ^= 1;
            assert_eq!(signer.verify(Channel::Shard(7), &changed), None, "byte {place}");
            assert_eq!(signer.verify(Channel::Shard(7), &signed[..place]), None, "the first {place}");
        }
    }

    /// RFC 4231, 4.3: what makes the hash is what the standard means.
    #[test]
    fn the_signature_is_the_standard_hmac_of_channel_and_message() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let standard = hmac::sign(&key, b"what do ya want for nothing?");
        assert!(standard.as_ref().starts_with(&[0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]));
        let signer = signer(1);
        let whole = hmac::sign(&signer.key, b"chat:3\n{}");
        assert!(signer.sign(Channel::Shard(3), b"{}".to_vec()).ends_with(whole.as_ref()));
    }
}
