//! Makes and checks bearer tokens with the configured key.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use chat_domain::model::{Role, Timestamp, UserId};
use chat_http::{TokenClaims, TokenError, TokenRules, TokenVerifier, sign_hs256};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, TokenKey, units};
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
            max_lifetime: config.jwt_max_lifetime,
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
            issuer: self.rules.issuer.clone(),
            audience: self.rules.audience.clone(),
            issued_at: now,
            expires_at: now.plus(lifetime),
        };
        let token = sign_hs256(self.secret.expose_secret().as_bytes(), &claims).context("cannot sign the token")?;
        // Whole seconds: up to a second less than asked for, never more.
        let accepted = self.verifier().verify(&token, now).map_err(|error| match error {
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

    /// What the role is called in tokens: where there is a map of names, the first one that means it. A user whom the map
    /// has no name for has none: ours would be a name that the map does not have.
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
