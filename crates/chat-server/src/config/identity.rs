//! The options of tokens: with whose keys they are verified, and what they must say.

use std::io;
use std::path::{Path, PathBuf};

use chat_identity::{KeySetLocation, KeySetSettings, TokenKeys, TokenRules};
use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, Options, Switch, bounded_file, list, or_unset, path, secret_file, units};

/// The shortest secret for HS256: as long as the hash (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// The largest file of public keys: as large as the largest key set that is fetched.
const MAX_KEY_FILE_BYTES: u64 = 512 * 1024;
/// Where the last key set is kept, inside the data directory.
const KEPT_KEYS_FILE: &str = "token-keys.json";

/// What the options about tokens come to.
#[derive(Clone, Debug)]
pub(crate) struct IdentityConfig {
    /// With whose keys tokens are verified; `None` in development mode.
    pub(super) source: Option<TokenSource>,
    pub(crate) rules: TokenRules,
    /// The options with their values, in the order of the help; secrets only as `(set)`.
    shown: Vec<(&'static str, String)>,
}

impl IdentityConfig {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        self.shown.clone()
    }
}

/// Where the keys of tokens come from.
#[derive(Clone, Debug)]
pub(crate) enum TokenSource {
    /// Secrets that are shared with the issuer of the tokens.
    Secrets { current: SecretString, previous: Option<SecretString> },
    /// The public keys of a file.
    PublicKeys(TokenKeys),
    /// What an identity provider publishes.
    KeySet(KeySetSettings),
}

/// Puts the options together.
///
/// # Errors
/// More than one source of keys, or a source that cannot be used; rules that the source needs or cannot have.
pub(super) fn load(options: &Options) -> Result<IdentityConfig, ConfigError> {
    let source = source(options)?;
    if options.jwt_allow_private_hosts == Switch::On && !matches!(source, Some(TokenSource::KeySet(_))) {
        return Err(ConfigError::new(
            "jwt_allow_private_hosts",
            "has no effect without a key set; leave the option out, or set --jwt-jwks-url or --oidc-issuer",
        ));
    }
    let issuer = match &source {
        Some(TokenSource::KeySet(settings)) => Some(required_rules(options, &settings.location)?),
        Some(TokenSource::Secrets { .. } | TokenSource::PublicKeys(_)) | None => options.jwt_issuer.clone(),
    };
    let rules = TokenRules {
        issuer,
        audience: options.jwt_audience.clone(),
        role_claim: options.jwt_role_claim.clone(),
        name_claim: options.jwt_name_claim.clone(),
        picture_claim: options.jwt_picture_claim.clone(),
        role_names: options.jwt_role_map.iter().cloned().collect(),
        max_lifetime: options.jwt_max_lifetime,
        requires_issued_at: options.jwt_require_iat == Switch::On,
    };
    let shown = shown(options, &rules);
    Ok(IdentityConfig { source, rules, shown })
}

fn shown(options: &Options, rules: &TokenRules) -> Vec<(&'static str, String)> {
    let secret = |secret: &Option<SecretString>, file: &Option<PathBuf>| {
        or_unset((secret.is_some() || file.is_some()).then(|| "(set)".to_owned()))
    };
    let mut roles: Vec<String> =
        rules.role_names.iter().map(|(foreign, role)| format!("{foreign}={}", role.as_str())).collect();
    roles.sort();
    vec![
        ("jwt_secret", secret(&options.jwt_secret, &options.jwt_secret_file)),
        ("jwt_secret_file", path(options.jwt_secret_file.as_deref())),
        ("jwt_secret_previous", secret(&options.jwt_secret_previous, &options.jwt_secret_previous_file)),
        ("jwt_secret_previous_file", path(options.jwt_secret_previous_file.as_deref())),
        ("jwt_public_key_file", path(options.jwt_public_key_file.as_deref())),
        ("jwt_jwks_url", or_unset(options.jwt_jwks_url.clone())),
        ("oidc_issuer", or_unset(options.oidc_issuer.clone())),
        ("jwt_allow_private_hosts", options.jwt_allow_private_hosts.to_string()),
        ("jwt_issuer", or_unset(rules.issuer.clone())),
        ("jwt_audience", or_unset(rules.audience.clone())),
        ("jwt_role_claim", rules.role_claim.clone()),
        ("jwt_role_map", list(&roles)),
        ("jwt_name_claim", rules.name_claim.clone()),
        ("jwt_picture_claim", rules.picture_claim.clone()),
        ("jwt_max_lifetime", units::show_duration(rules.max_lifetime)),
        ("jwt_require_iat", options.jwt_require_iat.to_string()),
    ]
}

/// The only source that is set, if any.
fn source(options: &Options) -> Result<Option<TokenSource>, ConfigError> {
    let set = [
        ("jwt_secret", options.jwt_secret.is_some()),
        ("jwt_secret_file", options.jwt_secret.is_none() && options.jwt_secret_file.is_some()),
        ("jwt_public_key_file", options.jwt_public_key_file.is_some()),
        ("jwt_jwks_url", options.jwt_jwks_url.is_some()),
        ("oidc_issuer", options.oidc_issuer.is_some()),
    ];
    let mut set = set.into_iter().filter(|(_, is_set)| *is_set).map(|(option, _)| option);
    if let (Some(one), Some(another)) = (set.next(), set.next()) {
        let problem = format!(
            "must not be set beside {}: tokens are verified with one kind of key; leave one of the two out",
            ConfigError::name_of(one)
        );
        return Err(ConfigError::new(another, problem));
    }
    let secrets = secrets(options)?;
    if let Some(path) = &options.jwt_public_key_file {
        return public_keys(path).map(Some);
    }
    let location = match (&options.jwt_jwks_url, &options.oidc_issuer) {
        (Some(url), _) => key_set("jwt_jwks_url", KeySetLocation::parse_url(url), options)?,
        (None, Some(issuer)) => key_set("oidc_issuer", KeySetLocation::parse_issuer(issuer), options)?,
        (None, None) => return Ok(secrets),
    };
    Ok(Some(TokenSource::KeySet(KeySetSettings {
        location,
        allow_private_hosts: options.jwt_allow_private_hosts == Switch::On,
        kept_in: Some(options.data_dir.join(KEPT_KEYS_FILE)),
    })))
}

fn secrets(options: &Options) -> Result<Option<TokenSource>, ConfigError> {
    let read = |option, value: &Option<SecretString>, file_option, file: &Option<PathBuf>| {
        let value = value.as_ref().map(ExposeSecret::expose_secret);
        let secret = secret_file::value_or_file(option, value, file_option, file.as_deref())?;
        let named = if file.is_some() { file_option } else { option };
        match secret {
            Some(secret) if secret.len() < MIN_SECRET_BYTES => Err(ConfigError::new(
                named,
                format!("must have at least {MIN_SECRET_BYTES} bytes; `openssl rand -hex 32` prints a valid value"),
            )),
            secret => Ok(secret.map(SecretString::from)),
        }
    };
    let current = read("jwt_secret", &options.jwt_secret, "jwt_secret_file", &options.jwt_secret_file)?;
    let previous = read(
        "jwt_secret_previous",
        &options.jwt_secret_previous,
        "jwt_secret_previous_file",
        &options.jwt_secret_previous_file,
    )?;
    match (current, previous) {
        (Some(current), previous) => Ok(Some(TokenSource::Secrets { current, previous })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ConfigError::new(
            if options.jwt_secret_previous.is_some() { "jwt_secret_previous" } else { "jwt_secret_previous_file" },
            format!(
                "has no effect without {}, which is to replace it; leave the option out, or set both",
                ConfigError::name_of("jwt_secret")
            ),
        )),
    }
}

fn public_keys(path: &Path) -> Result<TokenSource, ConfigError> {
    let refused = |problem: String| {
        ConfigError::new(
            "jwt_public_key_file",
            format!(
                "{problem}; a valid file has public keys in PEM (`openssl pkey -in private.pem -pubout` prints one) or a \
                 JWK Set"
            ),
        )
    };
    let text = bounded_file::read(path, MAX_KEY_FILE_BYTES)
        .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
        .map_err(|error| refused(format!("must name a file that can be read: {error}")))?;
    let keys = TokenKeys::from_file(&text).map_err(|error| refused(error.to_string()))?;
    Ok(TokenSource::PublicKeys(keys))
}

fn key_set(
    option: &'static str,
    parsed: Result<KeySetLocation, String>,
    options: &Options,
) -> Result<KeySetLocation, ConfigError> {
    let location = parsed.map_err(|problem| ConfigError::new(option, problem))?;
    if !location.is_https() && options.jwt_allow_private_hosts == Switch::Off {
        let problem = format!(
            "must begin with https://, such as https://login.example.com; only {} permits http, for tests and within a \
             cluster",
            ConfigError::name_of("jwt_allow_private_hosts")
        );
        return Err(ConfigError::new(option, problem));
    }
    Ok(location)
}

/// The issuer that tokens must have. Keys that are published may sign the tokens of other customers and other services,
/// so issuer and audience are required.
fn required_rules(options: &Options, location: &KeySetLocation) -> Result<String, ConfigError> {
    if options.jwt_audience.is_none() {
        return Err(ConfigError::new(
            "jwt_audience",
            "must be set with a key set, since its keys may sign tokens for other services too; a valid value is the \
             `aud` of your tokens, such as https://chat.example.com",
        ));
    }
    match (location.issuer(), &options.jwt_issuer) {
        (Some(issuer), None) => Ok(issuer.to_owned()),
        (Some(_), Some(_)) => Err(ConfigError::new(
            "jwt_issuer",
            format!(
                "must not be set beside {}, which is the issuer; leave it out",
                ConfigError::name_of("oidc_issuer")
            ),
        )),
        (None, Some(issuer)) => Ok(issuer.clone()),
        (None, None) => Err(ConfigError::new(
            "jwt_issuer",
            "must be set with a key set, since its keys may sign tokens of other issuers too; a valid value is the `iss` \
             of your tokens, such as https://login.example.com",
        )),
    }
}
