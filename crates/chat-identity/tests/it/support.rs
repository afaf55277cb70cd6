//! Keys, claims, and the deployments that the tests are run against.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chat_domain::ports::Clock;
use chat_identity::{
    KeySetError, KeySetLocation, KeySetSettings, RemoteKeySet, TokenError, TokenKeys, TokenRules, TokenVerifier,
    VerifiedToken,
};
use chat_testkit::{FixedClock, fixtures};
use serde_json::{Value, json};
use test_servers::identity::{IdentityProvider, TokenSigningKey};
use tokio::task::JoinSet;

pub(crate) const SECRET: &[u8] = b"a secret of more than 32 bytes, for tests only";

/// All algorithms with a public key.
pub(crate) const PUBLIC: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
/// Those that a key in PEM can be for.
const PEM: [&str; 4] = ["RS256", "ES256", "ES384", "EdDSA"];

/// Seconds since 1970, an hour after the tests' time starts.
pub(crate) const LATER: i64 = fixtures::START / 1_000 + 3_600;

/// Keys of RSA take long to make, so each algorithm has one for all tests.
static KEYS: LazyLock<HashMap<&'static str, TokenSigningKey>> = LazyLock::new(|| {
    PUBLIC.into_iter().map(|algorithm| (algorithm, TokenSigningKey::generate(algorithm, "one").unwrap())).collect()
});

/// The key of the algorithm that all tests share. Its id is `one`.
pub(crate) fn key(algorithm: &str) -> &'static TokenSigningKey {
    &KEYS[algorithm]
}

pub(crate) fn claims(more: &Value) -> String {
    let mut all = json!({ "sub": "alice", "exp": LATER });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all.to_string()
}

pub(crate) fn good_claims() -> String {
    claims(&json!({}))
}

pub(crate) fn jwk_set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

pub(crate) fn verify(verifier: &TokenVerifier, token: &str) -> Result<VerifiedToken, TokenError> {
    verifier.verify(token, fixtures::start())
}

pub(crate) async fn verify_or_fetch(verifier: &TokenVerifier, token: &str) -> Result<VerifiedToken, TokenError> {
    verifier.verify_or_fetch(token, fixtures::start).await
}

/// A server that verifies tokens, and the issuer's key.
pub(crate) struct Deployment {
    pub(crate) name: String,
    pub(crate) verifier: TokenVerifier,
    pub(crate) key: SigningKeyRef,
    /// What a client may know of the keys.
    pub(crate) public: Vec<String>,
    pub(crate) provider: Option<IdentityProvider>,
}

/// A shared key, or the secret.
pub(crate) enum SigningKeyRef {
    Shared(&'static TokenSigningKey),
    Secret(TokenSigningKey),
}

impl std::ops::Deref for SigningKeyRef {
    type Target = TokenSigningKey;

    fn deref(&self) -> &TokenSigningKey {
        match self {
            Self::Shared(key) => key,
            Self::Secret(key) => key,
        }
    }
}

impl Deployment {
    /// A token with this header in place of `alg`, with good claims.
    pub(crate) fn with_header(&self, header: &Value) -> String {
        let mut all = json!({ "alg": self.key.algorithm(), "kid": "one" });
        all.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        self.key.sign(&all.to_string(), good_claims()).unwrap()
    }

    /// A token with these claims, whatever they are.
    pub(crate) fn with_claims(&self, claims: &str) -> String {
        self.key.token(claims).unwrap()
    }
}

/// One deployment for each kind of key: a secret, PEM, a JWK Set in a file, and a key set that is fetched.
pub(crate) async fn deployments(rules: &TokenRules) -> Vec<Deployment> {
    let mut all = vec![Deployment {
        name: "HS256, secret".to_owned(),
        verifier: TokenVerifier::hs256(SECRET, rules.clone()),
        key: SigningKeyRef::Secret(TokenSigningKey::secret(SECRET)),
        public: Vec::new(),
        provider: None,
    }];
    let fixed = |algorithm, form, text: String, public| Deployment {
        name: format!("{algorithm}, {form}"),
        verifier: TokenVerifier::new(TokenKeys::from_file(&text).unwrap(), rules.clone()),
        key: SigningKeyRef::Shared(key(algorithm)),
        public,
        provider: None,
    };
    for algorithm in PEM {
        let pem = key(algorithm).public_pem().unwrap();
        let public = vec![pem.clone(), pem.trim_end().to_owned()];
        all.push(fixed(algorithm, "PEM", pem, public));
    }
    for algorithm in PUBLIC {
        let jwk = key(algorithm).jwk().unwrap();
        // Two keys, so that the `kid` of a token counts.
        let other = TokenSigningKey::generate("ES256", "two").unwrap().jwk().unwrap();
        all.push(fixed(algorithm, "JWK Set", jwk_set(&[jwk.clone(), other]), vec![jwk]));
    }
    for algorithm in PUBLIC {
        let provider = IdentityProvider::start().unwrap();
        provider.publish(&[key(algorithm)]).unwrap();
        let verifier = TokenVerifier::with_key_set(open(&provider).await.unwrap(), rules.clone());
        let public = vec![key(algorithm).public_pem().unwrap(), key(algorithm).jwk().unwrap()];
        let key = SigningKeyRef::Shared(key(algorithm));
        all.push(Deployment { name: format!("{algorithm}, fetched"), verifier, key, public, provider: Some(provider) });
    }
    all
}

pub(crate) fn settings(location: Result<KeySetLocation, String>) -> KeySetSettings {
    KeySetSettings { location: location.unwrap(), allow_private_hosts: true, kept_in: None }
}

/// The provider's key set, fetched once.
pub(crate) async fn open(provider: &IdentityProvider) -> Result<Arc<RemoteKeySet>, KeySetError> {
    let settings = settings(KeySetLocation::parse_url(&provider.key_set_url()));
    RemoteKeySet::open(settings, Arc::new(FixedClock::new())).await
}

/// A key set that is kept current, and what verifies tokens with it.
pub(crate) struct CurrentKeys {
    pub(crate) keys: Arc<RemoteKeySet>,
    pub(crate) verifier: TokenVerifier,
    pub(crate) clock: Arc<FixedClock>,
    _task: JoinSet<()>,
}

impl CurrentKeys {
    pub(crate) async fn of(provider: &IdentityProvider) -> Self {
        Self::with(settings(KeySetLocation::parse_url(&provider.key_set_url()))).await
    }

    pub(crate) async fn with(settings: KeySetSettings) -> Self {
        let clock = Arc::new(FixedClock::new());
        let keys = RemoteKeySet::open(settings, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let verifier = TokenVerifier::with_key_set(Arc::clone(&keys), TokenRules::default());
        let mut task = JoinSet::new();
        task.spawn({
            let keys = Arc::clone(&keys);
            async move { keys.keep_current().await }
        });
        // Once, so that the task waits before the time moves.
        tokio::task::yield_now().await;
        Self { keys, verifier, clock, _task: task }
    }

    /// Lets so much time pass, for this test alone.
    pub(crate) async fn after(&self, time: Duration) {
        self.clock.advance(time);
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }

    /// How many fetches have finished.
    pub(crate) fn fetches(&self) -> u64 {
        *self.keys.finished_fetches().borrow()
    }

    /// Waits until so many fetches have finished.
    pub(crate) async fn until_fetched(&self, fetches: u64) {
        let mut finished = self.keys.finished_fetches();
        finished.wait_for(|finished| *finished >= fetches).await.unwrap();
    }

    pub(crate) async fn accepts(&self, token: &str) -> bool {
        verify_or_fetch(&self.verifier, token).await.is_ok()
    }
}

/// Waits for the provider's requests without holding up the test's runtime.
pub(crate) async fn requested(provider: &Arc<IdentityProvider>, at_least: usize) -> usize {
    let provider = Arc::clone(provider);
    tokio::task::spawn_blocking(move || provider.wait_for_key_set_requests(at_least)).await.unwrap()
}
