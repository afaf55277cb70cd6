//! Keys from files: PEM and JWK Sets, and the files that are refused.

use std::slice;

use chat_identity::{KeyFileError, TokenDefect, TokenKeys, TokenRules, TokenVerifier};
use test_servers::identity::TokenSigningKey;

use crate::support::{PUBLIC, SECRET, good_claims, jwk_set, key, verify};

/// A key of RSA with 1024 bits, which is too short.
const SHORT_RSA: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDvcRaap+dWsHGKd/e9H819M4l5
/J6WBZkv8aZYrTbBO1KmJGLldTzIEO0U/UfTuctBgqwQ7dljYW8dsyp6mS40yAr4
1f6WF9jw526lFwwrsz65S5GwpmvBdIuu0eCnVsjDOMaBX3hN3xDGEmZ2+l4Ysa3b
1T0tR59/9SihhDiLIQIDAQAB
-----END PUBLIC KEY-----
";

fn verifier(file: &str) -> TokenVerifier {
    TokenVerifier::new(TokenKeys::from_file(file).unwrap(), TokenRules::default())
}

fn refusal(file: &str) -> KeyFileError {
    TokenKeys::from_file(file).unwrap_err()
}

#[test]
fn several_keys_in_pem_are_tried_in_turn() {
    let keys = ["RS256", "ES256", "ES384", "EdDSA"].map(key);
    let second = TokenSigningKey::generate("ES256", "two").unwrap();
    let mut file: String = keys.iter().map(|key| key.public_pem().unwrap()).collect();
    file.push_str(&second.public_pem().unwrap());
    let verifier = verifier(&format!("Keys of the shop\n\n{}\r\n", file.replace('\n', "\r\n")));
    for key in keys.into_iter().chain([&second]) {
        // PEM has no ids, so that of a token does not count.
        verify(&verifier, &key.token(&good_claims()).unwrap()).unwrap();
        let without_kid = key.sign(&format!(r#"{{"alg":"{}"}}"#, key.algorithm()), good_claims()).unwrap();
        verify(&verifier, &without_kid).unwrap();
    }
    let third = TokenSigningKey::generate("ES256", "three").unwrap();
    assert_eq!(verify(&verifier, &third.token(&good_claims()).unwrap()), Err(TokenDefect::Signature.into()));
    let other_alg = key("RS384").token(&good_claims()).unwrap();
    assert_eq!(verify(&verifier, &other_alg), Err(TokenDefect::Algorithm.into()));
}

#[test]
fn an_rsa_key_in_the_form_of_pkcs_1_is_read_too() {
    // The same key in both forms: PKCS #1 is what `SubjectPublicKeyInfo` has behind its head of 24 bytes.
    let pem = key("RS256").public_pem().unwrap();
    let der = pem::parse(&pem).unwrap();
    let inner = pem::encode(&pem::Pem::new("RSA PUBLIC KEY", &der.contents()[24..]));
    verify(&verifier(&inner), &key("RS256").token(&good_claims()).unwrap()).unwrap();
}

#[test]
fn a_jwk_without_an_algorithm_has_the_usual_one_of_its_kind() {
    for (algorithm, usual) in [("RS256", "RS256"), ("ES256", "ES256"), ("ES384", "ES384"), ("EdDSA", "EdDSA")] {
        let set = jwk_set(&[key(algorithm).jwk_with(r#""kid":"one""#).unwrap()]);
        let token = key(algorithm).token(&good_claims()).unwrap();
        assert!(verify(&verifier(&set), &token).is_ok(), "{algorithm} is not {usual}");
    }
    // An RSA key without `alg` is for RS256 and nothing else.
    let set = jwk_set(&[key("PS256").jwk_with("").unwrap()]);
    let refused = verify(&verifier(&set), &key("PS256").token(&good_claims()).unwrap());
    assert_eq!(refused, Err(TokenDefect::Algorithm.into()));
}

#[test]
fn a_jwk_is_for_the_algorithm_that_it_names() {
    for algorithm in PUBLIC {
        let set = jwk_set(&[key(algorithm).jwk().unwrap()]);
        verify(&verifier(&set), &key(algorithm).token(&good_claims()).unwrap()).unwrap();
    }
    for (of, named) in
        [("ES256", "ES384"), ("RS256", "ES256"), ("ES256", "RS256"), ("EdDSA", "ES256"), ("RS256", "HS256")]
    {
        let set = jwk_set(&[key(of).jwk_with(&format!(r#""alg":"{named}""#)).unwrap()]);
        assert!(refusal(&set).to_string().contains("`alg`"), "{of} as {named}: {}", refusal(&set));
    }
}

#[test]
fn keys_of_a_set_that_cannot_be_used_are_passed_over() {
    let unusable = [
        r#"{"kty":"oct","k":"c2VjcmV0","kid":"one"}"#.to_owned(),
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#.to_owned(),
        r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.to_owned(),
        r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.to_owned(),
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
        r#"{"kty":"RSA"}"#.to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        key("RS256").jwk_with(r#""use":"enc""#).unwrap(),
        key("RS256").jwk_with(r#""key_ops":["encrypt"]"#).unwrap(),
        key("RS256").jwk_with(r#""alg":"RSA-OAEP""#).unwrap(),
    ];
    for jwk in &unusable {
        assert!(matches!(refusal(&jwk_set(slice::from_ref(jwk))), KeyFileError::NoUsableKey(_)), "{jwk}");
    }
    let mut all = unusable.to_vec();
    all.push(key("ES256").jwk().unwrap());
    verify(&verifier(&jwk_set(&all)), &key("ES256").token(&good_claims()).unwrap()).unwrap();
}

#[test]
fn a_set_with_a_private_key_is_refused_although_others_can_be_used() {
    let private = key("ES256").jwk_with(r#""d":"c2VjcmV0""#).unwrap();
    for set in [vec![private.clone()], vec![key("RS256").jwk().unwrap(), private]] {
        let place = set.len();
        assert_eq!(refusal(&jwk_set(&set)), KeyFileError::PrivateKey { number: place });
    }
}

#[test]
fn a_set_of_more_keys_than_are_read_is_refused() {
    let jwk = key("ES256").jwk().unwrap();
    assert!(TokenKeys::from_file(&jwk_set(&vec![jwk.clone(); 100])).is_ok());
    assert_eq!(refusal(&jwk_set(&vec![jwk; 101])), KeyFileError::TooManyKeys { found: 101, most: 100 });
}

#[test]
fn a_file_without_a_public_key_is_refused_with_what_to_do() {
    let cases = [
        ("", "BEGIN PUBLIC KEY"),
        ("nonsense", "BEGIN PUBLIC KEY"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "openssl pkey"),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "openssl pkey"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "openssl x509"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "key 1 cannot be used"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "BEGIN PUBLIC KEY"),
        (r#"{"keys":[]}"#, "it has none"),
        (r#"{"keys":7}"#, "JWK Set"),
        (r#"{"issuer":"https://login.example.com"}"#, "JWK Set"),
    ];
    for (file, part) in cases {
        let refusal = refusal(file).to_string();
        assert!(refusal.contains(part), "{file:?}: {refusal}");
    }
    let whole = key("ES256").public_pem().unwrap();
    for cut in [whole.len() - 2, whole.len() - 26, 60, 28] {
        // Before the end of its last line, in its bytes, and right behind its first line.
        let refused = refusal(&format!("Keys of the shop\n\n{whole}{}", &whole[..cut]));
        assert_eq!(refused, KeyFileError::CutOff { number: 2, line: 7, label: "PUBLIC KEY".to_owned() }, "{cut}");
        let refused = refusal(&format!("{}\n{whole}", &whole[..cut]));
        assert_eq!(refused, KeyFileError::CutOff { number: 1, line: 1, label: "PUBLIC KEY".to_owned() }, "{cut}");
    }
    let half_a_line = format!("{whole}-----BEGIN PUB");
    assert!(matches!(refusal(&half_a_line), KeyFileError::CutOff { number: 2, line: 5, .. }));
    let second = format!("{}{SHORT_RSA}", key("ES256").public_pem().unwrap());
    let refusal = refusal(&second).to_string();
    assert!(refusal.contains("key 2") && refusal.contains("1024 bits"), "{refusal}");
}

#[test]
fn the_previous_secret_stays_valid_while_both_are_set() {
    let previous = b"the secret of last year, of more than 32 bytes";
    let (old, new) = (TokenSigningKey::secret(previous), TokenSigningKey::secret(SECRET));
    let during = TokenVerifier::new(TokenKeys::secrets(SECRET, Some(previous)), TokenRules::default());
    let after = TokenVerifier::new(TokenKeys::secrets(SECRET, None), TokenRules::default());
    for key in [&old, &new] {
        verify(&during, &key.token(&good_claims()).unwrap()).unwrap();
    }
    assert!(verify(&after, &new.token(&good_claims()).unwrap()).is_ok());
    assert_eq!(verify(&after, &old.token(&good_claims()).unwrap()), Err(TokenDefect::Signature.into()));
}
