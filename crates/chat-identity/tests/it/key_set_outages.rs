//! An identity provider that is unreachable: the last keys count, also over a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::ports::{Clock, HealthProbe};
use chat_identity::{KeySetError, KeySetLocation, KeySetSettings, RemoteKeySet, TokenRules, TokenVerifier};
use chat_testkit::FixedClock;
use test_servers::identity::{Behaviour, IdentityProvider, TokenSigningKey};

use crate::support::{CurrentKeys, good_claims, key, requested, settings, verify};

fn provider() -> Arc<IdentityProvider> {
    let provider = IdentityProvider::start().unwrap();
    provider.publish(&[key("ES256")]).unwrap();
    Arc::new(provider)
}

fn good() -> String {
    key("ES256").token(&good_claims()).unwrap()
}

#[tokio::test]
async fn while_the_provider_is_unreachable_the_last_keys_count_and_readiness_reports_it() {
    let outages = [
        Behaviour::Disconnects,
        Behaviour::Status(503),
        Behaviour::Status(200),
        Behaviour::KeySet("<html>".to_owned()),
        Behaviour::Redirecting("https://example.com/".to_owned()),
        Behaviour::Oversized,
    ];
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    for outage in outages {
        assert_eq!(current.keys.degraded(), None);
        provider.behave(outage.clone());
        let fetches = current.fetches();
        current.after(Duration::from_mins(1)).await;
        current.until_fetched(fetches + 1).await;
        assert_eq!(
            current.keys.degraded(),
            Some("the key set cannot be fetched; the last keys are used"),
            "{outage:?}"
        );
        assert_eq!(current.keys.check().await, Ok(()), "a node without its provider goes on");
        assert!(current.accepts(&good()).await, "{outage:?}");
        let age = current.keys.age();
        assert!(age >= Duration::from_mins(1), "{age:?}");
        provider.behave(Behaviour::Healthy);
        // It is tried again soon.
        current.after(Duration::from_secs(10)).await;
        current.until_fetched(fetches + 2).await;
        assert_eq!(current.keys.age(), Duration::ZERO);
    }
    assert_eq!(current.keys.degraded(), None);
}

#[tokio::test]
async fn a_provider_that_publishes_no_key_any_more_ends_all_tokens() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    assert!(current.accepts(&good()).await);
    provider.publish(&[]).unwrap();
    current.after(Duration::from_mins(1)).await;
    current.until_fetched(1).await;
    assert!(!current.accepts(&good()).await);
    assert!(current.keys.degraded().unwrap().contains("no key that can be used"));
}

#[tokio::test]
async fn a_silent_provider_delays_only_tokens_with_unknown_keys() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    provider.behave(Behaviour::Silent);
    let unknown = TokenSigningKey::generate("ES256", "unknown").unwrap().token(&good_claims()).unwrap();
    let verifier = current.verifier.clone();
    let waiting = tokio::spawn(async move { crate::support::verify_or_fetch(&verifier, &unknown).await.is_ok() });
    assert_eq!(requested(&provider, 2).await, 2);
    assert!(current.accepts(&good()).await);
    assert!(!waiting.is_finished());
    // A client waits for 5 seconds, a fetch lasts 10.
    current.after(Duration::from_secs(5)).await;
    assert!(!waiting.await.unwrap());
    current.after(Duration::from_secs(5)).await;
    current.until_fetched(1).await;
    assert!(current.keys.degraded().is_some() && current.accepts(&good()).await);
}

/// A node that starts with this directory at this time.
async fn start(provider: &IdentityProvider, dir: &Path, after: Duration) -> Result<TokenVerifier, KeySetError> {
    let location = KeySetLocation::parse_url(&provider.key_set_url());
    let settings = KeySetSettings { kept_in: Some(dir.join("token-keys.json")), ..settings(location) };
    let clock = FixedClock::new();
    clock.advance(after);
    let keys = RemoteKeySet::open(settings, Arc::new(clock) as Arc<dyn Clock>).await?;
    let is_unreachable = keys.degraded().is_some();
    assert_eq!(keys.age() > Duration::ZERO, is_unreachable);
    Ok(TokenVerifier::with_key_set(keys, TokenRules::default()))
}

#[tokio::test]
async fn a_node_starts_with_the_keys_of_the_last_day_while_the_provider_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let provider = provider();
    let hours = Duration::from_hours;
    start(&provider, dir.path(), Duration::ZERO).await.unwrap();
    provider.behave(Behaviour::Disconnects);
    for after in [Duration::from_secs(1), hours(24)] {
        let verifier = start(&provider, dir.path(), after).await.unwrap();
        verify(&verifier, &good()).unwrap();
    }
    assert!(start(&provider, dir.path(), hours(24) + Duration::from_millis(1)).await.is_err());
    let other = IdentityProvider::start().unwrap();
    assert!(start(&other, dir.path(), Duration::from_secs(1)).await.is_err(), "they are another provider's");
}

#[tokio::test]
async fn keys_are_kept_with_every_refresh() {
    let dir = tempfile::tempdir().unwrap();
    let provider = provider();
    let location = KeySetLocation::parse_url(&provider.key_set_url());
    let path = dir.path().join("token-keys.json");
    let current = CurrentKeys::with(KeySetSettings { kept_in: Some(path.clone()), ..settings(location) }).await;
    let first = std::fs::read_to_string(&path).unwrap();
    let second = TokenSigningKey::generate("ES256", "second").unwrap();
    provider.publish(&[&second]).unwrap();
    assert!(current.accepts(&second.token(&good_claims()).unwrap()).await);
    current.until_fetched(1).await;
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept != first && kept.contains("second"), "{kept}");
}
