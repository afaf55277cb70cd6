//! Key sets that change: new keys, removed keys, unknown keys.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_identity::{TokenDefect, TokenRules, TokenVerifier};
use serde_json::json;
use test_servers::identity::{IdentityProvider, TokenSigningKey};
use tokio::time::Instant;

use crate::support::{CurrentKeys, SECRET, claims, good_claims, key, verify, verify_or_fetch};

fn provider() -> Arc<IdentityProvider> {
    let provider = IdentityProvider::start().unwrap();
    provider.publish(&[key("ES256")]).unwrap();
    Arc::new(provider)
}

fn second_key() -> TokenSigningKey {
    TokenSigningKey::generate("ES256", "second").unwrap()
}

#[tokio::test]
async fn a_new_key_works_on_the_first_request_after_its_publication() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    let second = second_key();
    provider.publish(&[key("ES256"), &second]).unwrap();
    let token = second.token(&good_claims()).unwrap();
    assert_eq!(verify(&current.verifier, &token), Err(TokenDefect::UnknownKey.into()));
    assert!(current.accepts(&token).await);
    assert!(current.accepts(&key("ES256").token(&good_claims()).unwrap()).await);
    assert_eq!(provider.key_set_requests(), 2);
}

#[tokio::test]
async fn a_new_key_of_another_algorithm_is_found_too() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    let second = TokenSigningKey::generate("EdDSA", "second").unwrap();
    provider.publish(&[&second]).unwrap();
    assert!(current.accepts(&second.token(&good_claims()).unwrap()).await);
}

#[tokio::test]
async fn requests_with_a_new_key_at_the_same_time_share_one_fetch() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    let second = second_key();
    provider.publish(&[&second]).unwrap();
    let mut requests = tokio::task::JoinSet::new();
    for n in 0..100 {
        let token = second.token(&claims(&json!({ "n": n }))).unwrap();
        let verifier = current.verifier.clone();
        requests.spawn(async move { verify_or_fetch(&verifier, &token).await.is_ok() });
    }
    assert_eq!(requests.join_all().await, [true; 100]);
    assert_eq!(provider.key_set_requests(), 2);
}

#[tokio::test]
async fn a_removed_key_ends_its_tokens_with_the_next_refresh() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    let (first, second) = (key("ES256").token(&good_claims()).unwrap(), second_key());
    provider.publish(&[key("ES256"), &second]).unwrap();
    assert!(current.accepts(&second.token(&good_claims()).unwrap()).await);
    // Twice: the second time it is remembered.
    assert!(current.accepts(&first).await && current.accepts(&first).await);
    provider.publish(&[&second]).unwrap();
    assert!(current.accepts(&first).await, "it is not known yet");
    let before = current.fetches();
    current.after(Duration::from_mins(1)).await;
    current.until_fetched(before + 1).await;
    assert_eq!(verify(&current.verifier, &first), Err(TokenDefect::UnknownKey.into()));
    assert!(current.accepts(&second.token(&good_claims()).unwrap()).await);
}

#[tokio::test]
async fn the_key_of_a_token_is_there_until_the_refresh_after_its_removal() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    let who = verify(&current.verifier, &key("ES256").token(&good_claims()).unwrap()).unwrap().principal;
    assert!(who.token_key.is_some() && current.verifier.has_key_of(&who));
    let refresh = async || {
        let before = current.fetches();
        current.after(Duration::from_mins(1)).await;
        current.until_fetched(before + 1).await;
        current.verifier.has_key_of(&who)
    };
    // The same key under another id is the same key.
    provider.publish_jwks(vec![second_key().jwk().unwrap(), key("ES256").jwk_with(r#""kid":"renamed""#).unwrap()]);
    assert!(refresh().await);
    provider.publish(&[&second_key()]).unwrap();
    assert!(current.verifier.has_key_of(&who), "it is not known yet");
    assert!(!refresh().await);
    // What cannot change while a node runs need not be looked for.
    let fixed = TokenVerifier::hs256(SECRET, TokenRules::default());
    let of_secret = verify(&fixed, &TokenSigningKey::secret(SECRET).token(&good_claims()).unwrap()).unwrap().principal;
    assert_eq!(of_secret.token_key, None);
    assert!(fixed.has_key_of(&of_secret) && fixed.has_key_of(&who) && current.verifier.has_key_of(&of_secret));
}

#[tokio::test]
async fn a_thousand_random_kids_a_second_cause_one_fetch_in_30_seconds() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    let good = key("ES256").token(&good_claims()).unwrap();
    let begun = Instant::now();
    for second in 0..31 {
        for n in 0..1_000 {
            let refused = verify_or_fetch(&current.verifier, &forged(second * 1_000 + n)).await;
            assert_eq!(refused, Err(TokenDefect::UnknownKey.into()));
        }
        assert!(verify(&current.verifier, &good).is_ok());
        current.after(Duration::from_secs(1)).await;
    }
    // One at each start of 30 seconds. (The check of so many tokens takes a part of the time.)
    let fetches = current.fetches();
    assert!((2..=1 + begun.elapsed().as_secs() / 30).contains(&fetches), "{fetches} in {:?}", begun.elapsed());
}

/// What a client can make without a key.
fn forged(kid: u32) -> String {
    let attacker = TokenSigningKey::secret(b"nothing that this server knows");
    attacker.sign(&format!(r#"{{"alg":"ES256","kid":"random-{kid}"}}"#), r#"{"sub":"root"}"#).unwrap()
}

#[tokio::test]
async fn keys_that_are_not_for_tokens_or_are_secrets_are_passed_over() {
    let provider = provider();
    let secret = b"a secret that everyone who reads the key set knows";
    let oct = format!(r#"{{"kty":"oct","alg":"HS256","kid":"one","k":"{}"}}"#, URL_SAFE_NO_PAD.encode(secret));
    provider.publish_jwks(vec![oct, key("ES256").jwk().unwrap()]);
    let current = CurrentKeys::of(&provider).await;
    let forged = TokenSigningKey::secret(secret).sign(r#"{"alg":"HS256","kid":"one"}"#, good_claims()).unwrap();
    assert_eq!(verify(&current.verifier, &forged), Err(TokenDefect::Algorithm.into()));
    assert!(current.accepts(&key("ES256").token(&good_claims()).unwrap()).await);
}

#[tokio::test]
async fn a_token_without_a_kid_is_verified_with_all_keys_of_its_algorithm() {
    let provider = provider();
    let second = second_key();
    provider.publish(&[key("RS256"), key("ES256"), &second]).unwrap();
    let current = CurrentKeys::of(&provider).await;
    for key in [key("ES256"), &second] {
        let token = key.sign(r#"{"alg":"ES256"}"#, good_claims()).unwrap();
        assert!(current.accepts(&token).await);
    }
    let other = TokenSigningKey::generate("ES256", "other").unwrap().sign(r#"{"alg":"ES256"}"#, good_claims()).unwrap();
    assert_eq!(verify(&current.verifier, &other), Err(TokenDefect::Signature.into()));
    assert_eq!(provider.key_set_requests(), 1, "it is no reason to fetch");
}

#[tokio::test]
async fn the_age_of_the_keys_is_the_time_since_the_last_fetch() {
    let provider = provider();
    let current = CurrentKeys::of(&provider).await;
    assert_eq!(current.keys.age(), Duration::ZERO);
    current.clock.advance(Duration::from_secs(90));
    assert_eq!(current.keys.age(), Duration::from_secs(90));
}
