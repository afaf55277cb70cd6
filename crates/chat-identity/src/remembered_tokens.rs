//! Tokens that were accepted a moment ago.
//!
//! A client sends the same token with every request, and checking its signature and reading its claims costs more than
//! most of what the request does. What was accepted stays acceptable until it expires or the keys change: the rules are those
//! of the process. Refused tokens are not kept, so each entry takes a genuine token.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use chat_domain::model::Timestamp;
use lru::LruCache;

use crate::verified_token::VerifiedToken;

/// So that threads seldom wait for each other.
const SHARDS: usize = 16;
/// How many tokens a shard keeps.
const PER_SHARD: NonZeroUsize = NonZeroUsize::MIN.saturating_add(127);
/// Longer tokens are checked each time: with this bound all of it takes 7 MiB at most (what a token says, it
/// holds itself), and typically half of one.
const MAX_BYTES: usize = 2 * 1024;

/// The tokens that were used last.
pub(super) struct RememberedTokens {
    shards: [TokenShard; SHARDS],
    hasher: RandomState,
}

/// A part of them.
type TokenShard = Mutex<LruCache<Box<str>, RememberedToken>>;

/// An accepted token, and the version of the keys that it was checked with.
struct RememberedToken {
    verified: VerifiedToken,
    key_version: u64,
}

impl Default for RememberedTokens {
    fn default() -> Self {
        let shard = |_| {
            let mut tokens = LruCache::unbounded();
            // Room is taken as it is needed and not in advance.
            tokens.resize(PER_SHARD);
            Mutex::new(tokens)
        };
        Self { shards: std::array::from_fn(shard), hasher: RandomState::new() }
    }
}

impl RememberedTokens {
    /// What an accepted token says, as long as it has not expired and was checked with the keys of this version.
    pub(super) fn get(&self, token: &str, key_version: u64, now: Timestamp) -> Option<VerifiedToken> {
        let mut shard = self.shard(token)?.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shard.get(token)?;
        if known.verified.expires_at > now && known.key_version == key_version {
            return Some(known.verified.clone());
        }
        shard.pop(token);
        None
    }

    /// Keeps a token that was accepted with the keys of this version.
    pub(super) fn keep(&self, token: &str, key_version: u64, verified: &VerifiedToken) {
        if token.len() <= MAX_BYTES
            && let Some(shard) = self.shard(token)
        {
            let remembered = RememberedToken { verified: verified.clone(), key_version };
            shard.lock().unwrap_or_else(PoisonError::into_inner).put(token.into(), remembered);
        }
    }

    fn shard(&self, token: &str) -> Option<&TokenShard> {
        // Signatures differ where the beginning of tokens is the same; the end is enough to choose a shard.
        let end = token.len().checked_sub(16).and_then(|start| token.as_bytes().get(start..))?;
        let index = self.hasher.hash_one(end) % u64::try_from(SHARDS).ok()?;
        self.shards.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{Principal, Role, UserId};

    use super::*;

    fn verified(expires_ms: i64) -> VerifiedToken {
        let principal = Principal::new(UserId::parse("alice").unwrap(), Role::User);
        VerifiedToken { principal, expires_at: Timestamp::from_unix_ms(expires_ms) }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    const TOKEN: &str = "header.claims.signature-of-some-length";

    #[test]
    fn a_token_is_known_until_the_moment_it_expires() {
        let tokens = RememberedTokens::default();
        assert_eq!(tokens.get(TOKEN, 0, at(0)), None);
        tokens.keep(TOKEN, 0, &verified(1_000));
        assert_eq!(tokens.get(TOKEN, 0, at(999)), Some(verified(1_000)));
        assert_eq!(tokens.get(TOKEN, 0, at(1_000)), None);
        assert_eq!(tokens.get(TOKEN, 0, at(999)), None, "it was dropped");
    }

    #[test]
    fn a_token_is_unknown_once_the_keys_have_changed() {
        let tokens = RememberedTokens::default();
        tokens.keep(TOKEN, 1, &verified(1_000));
        assert_eq!(tokens.get(TOKEN, 1, at(0)), Some(verified(1_000)));
        assert_eq!(tokens.get(TOKEN, 2, at(0)), None);
        // The check of a token may end after the keys that it was made with were replaced.
        tokens.keep(TOKEN, 1, &verified(1_000));
        assert_eq!(tokens.get(TOKEN, 2, at(0)), None);
    }

    #[test]
    fn a_token_that_differs_in_one_character_is_another() {
        let tokens = RememberedTokens::default();
        tokens.keep(TOKEN, 0, &verified(1_000));
        for other in ["Header.claims.signature-of-some-length", "header.claims.signature-of-some-lengti", ""] {
            assert_eq!(tokens.get(other, 0, at(0)), None, "{other}");
        }
    }

    #[test]
    fn no_more_than_a_bounded_number_and_size_is_kept() {
        let tokens = RememberedTokens::default();
        for n in 0..10_000 {
            tokens.keep(&format!("header.claims.signature-{n:032}"), 0, &verified(1_000));
        }
        let kept: usize = tokens.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!((1..=SHARDS * PER_SHARD.get()).contains(&kept), "{kept}");
        let long = "x".repeat(MAX_BYTES + 1);
        tokens.keep(&long, 0, &verified(1_000));
        assert_eq!(tokens.get(&long, 0, at(0)), None);
    }
}
