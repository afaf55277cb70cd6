//! Tickets for downloads: what a page adds to the address of a file, since an `<img>` cannot send a header.
//!
//! A ticket is a JSON Web Token (RFC 7519), signed with HS256 under the key of the database, for an audience that no other
//! token has. It says who asked for it, and is stored nowhere: every node of the database accepts it, and what ends the
//! access of its holder ends the ticket too.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chat_domain::model::{Principal, SigningKey, Timestamp};
use chat_domain::ports::SigningKeyStore;
use chat_domain::{ChatError, Result};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::rules::TokenRules;
use crate::verified_token::{TokenError, VerifiedToken};
use crate::verifier::TokenVerifier;

/// How long a ticket can be used, at most: it does not outlive the token that it was asked for with.
pub const DOWNLOAD_TICKET_LIFETIME: Duration = Duration::from_mins(15);

/// What no other token that this service signs is for.
const AUDIENCE: &str = "chat-downloads";

/// How long a key is used before the database is asked again. It changes when the database moves to another server, and
/// when its epoch is rotated.
const KEY_LIFETIME: Duration = Duration::from_secs(30);

/// How soon after the last look the database is asked again on account of a ticket with a wrong signature. Anyone can
/// send one.
const KEY_RECHECK: Duration = Duration::from_secs(1);

/// How long a caller waits for another caller that reads the key.
const READING_LIMIT: Duration = Duration::from_secs(2);

/// Issues and verifies tickets for downloads.
#[derive(Clone)]
pub struct DownloadTickets {
    store: Arc<dyn SigningKeyStore>,
    current: Arc<RwLock<Option<Arc<TicketKey>>>>,
    /// Held by the one caller that reads the key for all.
    reading: Arc<Mutex<()>>,
}

/// The key as it was at a moment.
struct TicketKey {
    key: SigningKey,
    read_at: Timestamp,
    verifier: TokenVerifier,
}

impl TicketKey {
    fn is_fresh(&self, now: Timestamp, limit: Duration) -> bool {
        // A clock that goes back makes it stale as well.
        self.read_at <= now && now.since(self.read_at) < limit
    }
}

#[derive(Serialize)]
struct TicketClaims<'a> {
    sub: &'a str,
    role: &'static str,
    aud: &'static str,
    /// When the token was issued that the ticket was asked for with: a sign-out ends both.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    exp: i64,
}

impl DownloadTickets {
    /// Tickets under the key of this database.
    pub fn new(store: Arc<dyn SigningKeyStore>) -> Self {
        Self { store, current: Arc::default(), reading: Arc::default() }
    }

    /// A ticket in the name of the holder of this token, and when it ends: in 15 minutes or with the token, in whole
    /// seconds.
    ///
    /// # Errors
    /// What the database fails with.
    pub async fn issue(&self, token: &VerifiedToken, now: Timestamp) -> Result<(String, Timestamp)> {
        let current = self.key(now, KEY_LIFETIME).await?;
        let expires_at = now.plus(DOWNLOAD_TICKET_LIFETIME).min(token.expires_at);
        let exp = expires_at.unix_ms().div_euclid(1_000);
        let Principal { id, role, token_issued_at, .. } = &token.principal;
        let claims = TicketClaims {
            sub: id.as_str(),
            role: role.as_str(),
            aud: AUDIENCE,
            iat: token_issued_at.map(|at| at.unix_ms().div_euclid(1_000)),
            exp,
        };
        let secret = EncodingKey::from_secret(current.key.expose());
        let ticket = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret)
            .map_err(|error| ChatError::internal(format!("a download ticket could not be signed: {error}")))?;
        Ok((ticket, Timestamp::from_unix_ms(exp.saturating_mul(1_000))))
    }

    /// Who asked for the ticket, if it is one of this database and has not ended.
    ///
    /// # Errors
    /// What the database fails with when its key is not known; in the inner result why the ticket is refused.
    pub async fn verify(&self, ticket: &str, now: Timestamp) -> Result<Result<VerifiedToken, TokenError>> {
        let current = self.key(now, KEY_LIFETIME).await?;
        let verified = current.verifier.verify(ticket, now);
        if !verified.as_ref().is_err_and(TokenError::is_wrong_signature) {
            return Ok(verified);
        }
        // Another node may know of a newer key already.
        let newer = self.key(now, KEY_RECHECK).await?;
        Ok(if newer.key == current.key { verified } else { newer.verifier.verify(ticket, now) })
    }

    /// The key, read from the database if it was not read within `limit`.
    async fn key(&self, now: Timestamp, limit: Duration) -> Result<Arc<TicketKey>> {
        if let Some(known) = self.known(now, limit) {
            return Ok(known);
        }
        let _reading = if let Ok(reading) = self.reading.try_lock() {
            reading
        } else {
            // Another caller reads it at the moment.
            if let Some(last) = self.known(now, KEY_LIFETIME * 2) {
                return Ok(last);
            }
            let reading = timeout(READING_LIMIT, self.reading.lock()).await;
            reading.map_err(|_| ChatError::unavailable("the key of download tickets takes too long to read"))?
        };
        if let Some(read_meanwhile) = self.known(now, limit) {
            return Ok(read_meanwhile);
        }
        let key = self.store.signing_key().await?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let verifier = match current.as_ref() {
            // What it remembers stays true.
            Some(known) if known.key == key => known.verifier.clone(),
            _ => TokenVerifier::hs256(key.expose(), ticket_rules()),
        };
        let read = Arc::new(TicketKey { key, read_at: now, verifier });
        *current = Some(Arc::clone(&read));
        Ok(read)
    }

    /// The key, if it was read within `limit`.
    fn known(&self, now: Timestamp, limit: Duration) -> Option<Arc<TicketKey>> {
        let known = self.current.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.is_fresh(now, limit)).map(Arc::clone)
    }
}

/// What a ticket has to say beyond its signature. How long it lives is decided when it is issued.
fn ticket_rules() -> TokenRules {
    TokenRules { audience: Some(AUDIENCE.to_owned()), max_lifetime: Duration::MAX, ..TokenRules::default() }
}
