//! What a token has to say beyond its signature.

use std::collections::HashMap;
use std::time::Duration;

use chat_domain::model::Role;

/// What a token has to say beyond its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// The issuer (`iss`) that is required, if any.
    pub issuer: Option<String>,
    /// The audience (`aud`) that is required, if any.
    pub audience: Option<String>,
    /// Where the role stands: a claim's name, or a path with dots such as `realm_access.roles`.
    pub role_claim: String,
    /// The names of roles. Unless it is empty it is the whole truth: a name that it does not have is no role, also when
    /// it is one of ours.
    pub role_names: HashMap<String, Role>,
    /// Where the name stands: a claim's name, or a path with dots.
    pub name_claim: String,
    /// Where the address of a picture stands: a claim's name, or a path with dots.
    pub picture_claim: String,
    /// How long a token lives at most: from `iat`, or from now if it has none, to `exp`.
    pub max_lifetime: Duration,
    /// Whether a token must say when it was issued (`iat`).
    pub requires_issued_at: bool,
}

impl TokenRules {
    /// The default of [`Self::role_claim`].
    pub const ROLE_CLAIM: &str = "role";
    /// The default of [`Self::name_claim`].
    pub const NAME_CLAIM: &str = "name";
    /// The default of [`Self::picture_claim`].
    pub const PICTURE_CLAIM: &str = "picture";
    /// The default of [`Self::max_lifetime`].
    pub const MAX_LIFETIME: Duration = Duration::from_hours(365 * 24);
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            role_claim: Self::ROLE_CLAIM.to_owned(),
            role_names: HashMap::new(),
            name_claim: Self::NAME_CLAIM.to_owned(),
            picture_claim: Self::PICTURE_CLAIM.to_owned(),
            max_lifetime: Self::MAX_LIFETIME,
            requires_issued_at: false,
        }
    }
}
