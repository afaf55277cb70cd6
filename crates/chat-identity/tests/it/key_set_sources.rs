//! Where a key set may be fetched from, and what is refused at start.

use std::sync::Arc;

use chat_identity::{KeySetError, KeySetLocation, KeySetSettings, RemoteKeySet, TokenRules, TokenVerifier};
use chat_testkit::FixedClock;
use test_servers::identity::{Behaviour, IdentityProvider};

use crate::support::{good_claims, key, open, settings, verify};

async fn open_with(settings: KeySetSettings) -> Result<Arc<RemoteKeySet>, KeySetError> {
    RemoteKeySet::open(settings, Arc::new(FixedClock::new())).await
}

fn provider() -> IdentityProvider {
    let provider = IdentityProvider::start().unwrap();
    provider.publish(&[key("ES256")]).unwrap();
    provider
}

async fn discover(provider: &IdentityProvider) -> Result<Arc<RemoteKeySet>, KeySetError> {
    open_with(settings(KeySetLocation::parse_issuer(&provider.issuer()))).await
}

#[tokio::test]
async fn an_issuer_is_followed_to_its_keys() {
    for path in ["", "/", "/realms/shop", "/v2.0"] {
        let provider = provider();
        provider.name_issuer(path);
        let verifier = TokenVerifier::with_key_set(discover(&provider).await.unwrap(), TokenRules::default());
        verify(&verifier, &key("ES256").token(&good_claims()).unwrap()).unwrap();
        assert_eq!((provider.requests(), provider.key_set_requests()), (2, 1));
    }
}

#[tokio::test]
async fn a_discovery_document_that_cannot_be_meant_is_refused_with_the_reason() {
    let provider = provider();
    let (issuer, keys) = (provider.issuer(), provider.key_set_url());
    let cases = [
        ("{}".to_owned(), "no `issuer`"),
        (format!(r#"{{"jwks_uri":"{keys}"}}"#), "no `issuer`"),
        (format!(r#"{{"issuer":"{issuer}"}}"#), "no `jwks_uri`"),
        (format!(r#"{{"issuer":"{issuer}/","jwks_uri":"{keys}"}}"#), "to the last slash"),
        (format!(r#"{{"issuer":"https://other.example.com","jwks_uri":"{keys}"}}"#), "other.example.com"),
        (format!(r#"{{"issuer":"{issuer}","jwks_uri":"/keys"}}"#), "no URL"),
        (format!(r#"{{"issuer":"{issuer}","jwks_uri":"ftp://127.0.0.1/keys"}}"#), "not https"),
        (format!(r#"{{"issuer":7,"jwks_uri":"{keys}"}}"#), "no discovery document"),
        ("<html>".to_owned(), "no discovery document"),
    ];
    for (document, part) in cases {
        provider.behave(Behaviour::Discovery(document.clone()));
        let refusal = discover(&provider).await.err().unwrap().to_string();
        assert!(refusal.contains(part), "{document}: {refusal}");
    }
    assert_eq!(provider.key_set_requests(), 0);
}

#[tokio::test]
async fn a_first_start_without_a_usable_key_is_refused_with_the_reason() {
    let provider = provider();
    let cases = [
        (Behaviour::Disconnects, "cannot read"),
        (Behaviour::Status(404), "status 404"),
        (Behaviour::Status(204), "status 204"),
        (Behaviour::Redirecting("https://example.com/".to_owned()), "is not followed"),
        (Behaviour::Oversized, "more than 512 KiB"),
        (Behaviour::KeySet("<html>".to_owned()), "no JWK Set"),
        (Behaviour::KeySet(String::new()), "no JWK Set"),
        (Behaviour::KeySet("[]".to_owned()), "no JWK Set"),
        (Behaviour::KeySet(r#"{"keys":[]}"#.to_owned()), "it is empty"),
        (Behaviour::KeySet(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#.to_owned()), "shared secret"),
    ];
    for (behaviour, part) in cases {
        provider.behave(behaviour.clone());
        let refusal = open(&provider).await.err().unwrap().to_string();
        assert!(refusal.contains(part), "{behaviour:?}: {refusal}");
    }
}

#[tokio::test]
async fn a_redirected_key_set_is_not_followed() {
    let (first, second) = (provider(), provider());
    first.behave(Behaviour::Redirecting(second.key_set_url()));
    assert!(matches!(open(&first).await.err().unwrap(), KeySetError::Redirected { status: 302, .. }));
    assert_eq!(second.requests(), 0);
}

#[tokio::test]
async fn http_and_private_addresses_are_refused_unless_they_are_allowed() {
    let provider = provider();
    let port = provider.key_set_url().rsplit_once(':').unwrap().1.to_owned();
    let refused = |url: String| async move {
        let location = KeySetLocation::parse_url(&url).unwrap();
        open_with(KeySetSettings { location, allow_private_hosts: false, kept_in: None }).await.err().unwrap()
    };
    assert!(matches!(refused(provider.key_set_url()).await, KeySetError::Plain { .. }));
    // By name and by each form of an address: nothing is connected to.
    let hosts = [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[fe80::1]",
    ];
    for host in hosts {
        let error = refused(format!("https://{host}:{port}")).await;
        assert!(matches!(error, KeySetError::PrivateAddress { .. }), "{host}: {error}");
    }
    assert_eq!(provider.requests(), 0);
}

#[tokio::test]
async fn a_key_set_behind_a_certificate_of_an_unknown_authority_is_refused() {
    let provider = IdentityProvider::start_encrypted().unwrap();
    provider.publish(&[key("ES256")]).unwrap();
    let refusal = open(&provider).await.err().unwrap().to_string();
    assert!(refusal.contains("TLS") && refusal.contains("localhost"), "{refusal}");
    assert_eq!(provider.requests(), 0);
}
