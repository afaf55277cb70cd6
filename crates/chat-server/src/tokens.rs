//! Verifies bearer tokens with the configured keys, and makes them where the key is a secret of this server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use chat_domain::model::{Role, Timestamp, UserId};
use chat_domain::ports::Clock;
use chat_identity::{RemoteKeySet, TokenClaims, TokenError, TokenKeys, TokenRules, TokenVerifier, sign_hs256};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, TokenKey, TokenSource, units};
use crate::development_secret;

/// What verifies the tokens of requests.
pub(crate) struct TokenVerification {
    pub(crate) verifier: TokenVerifier,
    /// The keys of an identity provider, which have to be kept current.
    pub(crate) key_set: Option<Arc<RemoteKeySet>>,
}

impl TokenVerification {
    /// Takes the keys and the rules from the configuration. Published keys are fetched; in development mode the key comes
    /// from the data directory.
    ///
    /// # Errors
    /// A configuration without a usable key, or keys that cannot be fetched.
    pub(crate) async fn open(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let rules = config.identity.rules.clone();
        let fixed = |keys: TokenKeys, rules| Self { verifier: TokenVerifier::new(keys, rules), key_set: None };
        match config.token_key()? {
            TokenKey::Configured(TokenSource::Secrets { current, previous }) => {
                let previous = previous.as_ref().map(|secret| secret.expose_secret().as_bytes());
                Ok(fixed(TokenKeys::secrets(current.expose_secret().as_bytes(), previous), rules))
            }
            TokenKey::Configured(TokenSource::PublicKeys(keys)) => Ok(fixed(keys, rules)),
            TokenKey::Configured(TokenSource::KeySet(settings)) => {
                let keys = RemoteKeySet::open(settings, clock).await.context("there are no keys for tokens")?;
                let verifier = TokenVerifier::with_key_set(Arc::clone(&keys), rules);
                Ok(Self { verifier, key_set: Some(keys) })
            }
            TokenKey::Development => {
                let secret = development_secret::read_or_make(&config.data_dir)?;
                Ok(fixed(TokenKeys::secrets(secret.expose_secret().as_bytes(), None), rules))
            }
        }
    }
}

/// Makes tokens that this server accepts.
pub(crate) struct TokenMaker {
    secret: SecretString,
    rules: TokenRules,
}

impl TokenMaker {
    /// Takes the secret and the rules from the configuration; in development mode the secret from the data directory.
    ///
    /// # Errors
    /// The configuration has no usable secret: with public keys, the issuer alone can make tokens.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let secret = match config.token_key()? {
            TokenKey::Configured(TokenSource::Secrets { current, .. }) => current,
            TokenKey::Configured(TokenSource::PublicKeys(_) | TokenSource::KeySet(_)) => bail!(
                "this server verifies tokens with public keys, so only their issuer can make one; a server makes tokens \
                 with --jwt-secret (CHAT_JWT_SECRET), or in development mode"
            ),
            TokenKey::Development => development_secret::read_or_make(&config.data_dir)?,
        };
        Ok(Self { secret, rules: config.identity.rules.clone() })
    }

    /// A token for `sub`, valid from `now` on for `lifetime`.
    ///
    /// # Errors
    /// The configuration reads roles in a way that the token would not have its role, or takes no token for so long.
    pub(crate) fn make(
        &self,
        sub: &str,
        role: Role,
        name: Option<String>,
        now: Timestamp,
        lifetime: Duration,
    ) -> anyhow::Result<String> {
        let claims = TokenClaims {
            sub: sub.to_owned(),
            role: self.name_of(role).map(str::to_owned),
            name,
            picture: None,
            issuer: self.rules.issuer.clone(),
            audience: self.rules.audience.clone(),
            issued_at: now,
            expires_at: now.plus(lifetime),
        };
        let token = sign_hs256(self.secret.expose_secret().as_bytes(), &claims).context("cannot sign the token")?;
        // Whole seconds: up to a second less than asked for, never more.
        let verifier = TokenVerifier::hs256(self.secret.expose_secret().as_bytes(), self.rules.clone());
        let accepted = verifier.verify(&token, now).map_err(|error| match error {
            TokenError::EndsTooLate { max_lifetime } => anyhow!(
                "this server takes no token for longer than {}; ask for less, or set --jwt-max-lifetime \
                 (CHAT_JWT_MAX_LIFETIME)",
                units::show_duration(max_lifetime),
            ),
            error => anyhow!("this server would not accept the token: {error}"),
        })?;
        ensure!(
            accepted.principal.role == role,
            "with this --jwt-role-claim (CHAT_JWT_ROLE_CLAIM) and --jwt-role-map (CHAT_JWT_ROLE_MAP) the token would \
             have the role {}; make it where the roles of your tokens come from",
            accepted.principal.role.as_str(),
        );
        Ok(token)
    }

    /// What the role is called in tokens: where there is a map of names, the first name that means it. If the map has
    /// no name for users, a user's token names no role: our own name for it is not in the map.
    fn name_of(&self, role: Role) -> Option<&str> {
        let names = self.rules.role_names.iter().filter(|(_, meant)| **meant == role).map(|(name, _)| name.as_str());
        let own = || (role != Role::User || self.rules.role_names.is_empty()).then_some(role.as_str());
        names.min().or_else(own)
    }
}

/// Reads the `sub` of a token to be made.
pub(crate) fn subject(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|rule| rule.of("it").to_string())
}
