//! Makes and checks bearer tokens with the configured key.

use std::time::Duration;

use anyhow::{Context, ensure};
use chat_domain::model::{Role, Timestamp, UserId};
use chat_http::{TokenClaims, TokenRules, TokenVerifier, sign_hs256};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, TokenKey};
use crate::development;

/// Makes tokens that this server accepts.
pub(crate) struct TokenMaker {
    secret: SecretString,
    rules: TokenRules,
}

impl TokenMaker {
    /// Takes the key and the rules from the configuration; in development mode the key from the data directory.
    ///
    /// # Errors
    /// A configuration without a usable key.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let secret = match config.token_key()? {
            TokenKey::Secret(secret) => secret,
            TokenKey::Development => development::secret(&config.data_dir)?,
        };
        let rules = TokenRules {
            issuer: config.jwt_issuer.clone(),
            audience: config.jwt_audience.clone(),
            role_claim: config.jwt_role_claim.clone(),
            role_names: config.jwt_role_map.clone(),
        };
        Ok(Self { secret, rules })
    }

    /// What checks the tokens of requests.
    pub(crate) fn verifier(&self) -> TokenVerifier {
        TokenVerifier::hs256(self.secret.expose_secret().as_bytes(), self.rules.clone())
    }

    /// A token for `sub`, valid from `now` on for `lifetime`.
    ///
    /// # Errors
    /// The configuration reads roles in a way that the token would not have its role.
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
            role,
            name,
            issuer: self.rules.issuer.clone(),
            audience: self.rules.audience.clone(),
            issued_at: now,
            expires_at: now.plus(lifetime),
        };
        let token = sign_hs256(self.secret.expose_secret().as_bytes(), &claims).context("cannot sign the token")?;
        let accepted = self.verifier().verify(&token, now).context("this server would not accept the token")?;
        ensure!(
            accepted.principal.role == role,
            "with this --jwt-role-claim (CHAT_JWT_ROLE_CLAIM) and --jwt-role-map (CHAT_JWT_ROLE_MAP) the token would \
             have the role {}; make it where the roles of your tokens come from",
            accepted.principal.role.as_str(),
        );
        Ok(token)
    }
}

/// Reads the `sub` of a token to be made.
pub(crate) fn subject(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|rule| rule.of("it").to_string())
}
