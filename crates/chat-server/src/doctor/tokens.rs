//! Whether tokens can be verified.

use std::sync::Arc;

use chat_identity::{KeySetError, KeySetLocation, KeySetSettings, RemoteKeySet};

use super::Diagnosis;
use crate::config::{Config, TokenKey, TokenSource};
use crate::system::SystemClock;

const CHECK: &str = "tokens";

/// What tokens are verified with. A key set is fetched.
pub(super) async fn check(config: &Config) -> Diagnosis {
    match config.token_key() {
        Ok(TokenKey::Configured(TokenSource::Secrets { .. })) => {
            Diagnosis::ok(CHECK, "tokens are signed with a secret (HS256)")
        }
        Ok(TokenKey::Configured(TokenSource::PublicKeys(_))) => {
            Diagnosis::ok(CHECK, "tokens are signed with a key of the file of public keys")
        }
        Ok(TokenKey::Configured(TokenSource::KeySet(settings))) => key_set(settings).await,
        Ok(TokenKey::Development) => Diagnosis::warn(
            CHECK,
            "development mode: the node signs tokens with a secret of its own",
            "to serve other machines, set --jwt-secret (CHAT_JWT_SECRET)",
        ),
        Err(error) => Diagnosis::fail_with_remedy_in_text(CHECK, error.to_string()),
    }
}

/// Without the keys of the last time, which hide an outage.
async fn key_set(settings: KeySetSettings) -> Diagnosis {
    let location = settings.location.clone();
    match RemoteKeySet::open(KeySetSettings { kept_in: None, ..settings }, Arc::new(SystemClock)).await {
        Ok(_) => Diagnosis::ok(CHECK, format!("the keys of {location} can be fetched")),
        Err(error) => match remedy(&error, &location) {
            Some(remedy) => Diagnosis::fail(CHECK, error.to_string(), remedy),
            None => Diagnosis::fail_with_remedy_in_text(CHECK, error.to_string()),
        },
    }
}

/// What to do about a key set that cannot be used; `None` if the error says it.
fn remedy(error: &KeySetError, location: &KeySetLocation) -> Option<String> {
    let option = match location {
        KeySetLocation::Url(_) => "--jwt-jwks-url (CHAT_JWT_JWKS_URL)",
        KeySetLocation::Issuer(_) => "--oidc-issuer (CHAT_OIDC_ISSUER)",
    };
    let uses_last_keys = "a node that runs uses its last keys until then";
    match error {
        KeySetError::Plain { .. } | KeySetError::PrivateAddress { .. } => None,
        KeySetError::Connect { .. } | KeySetError::Read { .. } | KeySetError::TooSlow => {
            Some(format!("make the key set reachable from this machine; {uses_last_keys}"))
        }
        KeySetError::Status { status: 500.., .. } => {
            Some(format!("the identity provider does not work: look there; {uses_last_keys}"))
        }
        KeySetError::Redirected { .. }
        | KeySetError::Status { .. }
        | KeySetError::TooLarge { .. }
        | KeySetError::Discovery { .. }
        | KeySetError::OtherIssuer { .. }
        | KeySetError::Malformed { .. } => Some(format!(
            "the server responds, but not with keys: correct {option}, or what the identity provider publishes there; \
             {uses_last_keys}"
        )),
        KeySetError::NoUsableKey { .. } => Some(
            "the key set was fetched: let the identity provider publish a public key for signatures in it, of RS256, \
             ES256 or another algorithm of this server; without one a node does not start, and one that runs refuses \
             every token"
                .to_owned(),
        ),
        KeySetError::Tls(_) => {
            Some("install the certificates of public authorities (Debian: ca-certificates)".to_owned())
        }
    }
}
