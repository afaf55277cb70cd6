//! Which tokens are refused, with each kind of key: every row about tokens of the project's table of inputs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_identity::{TokenDefect, TokenError, TokenRules};
use serde_json::json;
use test_servers::identity::{IdentityProvider, TokenSigningKey};

use crate::support::{Deployment, LATER, claims, deployments, good_claims, key, verify, verify_or_fetch};

fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// None of these is accepted, and none is a reason to ask the provider for anything.
async fn expect_refused(deployment: &Deployment, tokens: &[(&str, String)]) {
    let requests = deployment.provider.as_ref().map(IdentityProvider::requests);
    for (what, token) in tokens {
        let verified = verify_or_fetch(&deployment.verifier, token).await;
        assert!(verified.is_err(), "{}: accepted: {what}", deployment.name);
    }
    assert_eq!(deployment.provider.as_ref().map(IdentityProvider::requests), requests, "{}", deployment.name);
}

#[tokio::test]
async fn a_token_of_the_issuer_is_accepted_with_each_kind_of_key() {
    for deployment in deployments(&TokenRules::default()).await {
        let verified = verify(&deployment.verifier, &deployment.with_claims(&good_claims()));
        assert_eq!(verified.unwrap().principal.id.as_str(), "alice", "{}", deployment.name);
    }
}

#[tokio::test]
async fn a_token_without_iat_is_refused_where_it_is_required() {
    let required = TokenRules { requires_issued_at: true, ..TokenRules::default() };
    for (rules, accepts) in [(TokenRules::default(), true), (required, false)] {
        for deployment in deployments(&rules).await {
            for iat in [json!(null), json!("1"), json!(LATER * 1_000)] {
                let mut claims: serde_json::Value = serde_json::from_str(&good_claims()).unwrap();
                claims["iat"] = iat;
                let verified = verify(&deployment.verifier, &deployment.with_claims(&claims.to_string()));
                assert_eq!(verified.is_ok(), accepts, "{}: {claims}: {verified:?}", deployment.name);
                assert!(accepts || verified == Err(TokenError::Invalid(TokenDefect::Claim("iat"))));
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_signed_with_the_algorithm_of_its_key_and_no_other() {
    for deployment in deployments(&TokenRules::default()).await {
        let own = deployment.key.algorithm();
        let good = deployment.with_claims(&good_claims());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (_, claims) = signed.split_once('.').unwrap();
        let mut refused = Vec::new();
        let names =
            ["none", "None", "NONE", "nOnE", "", "hs256", "Rs256", "HS256 ", "HS384", "HS512", "ES512", "ES256K"];
        let others = ["HS256", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
        for name in names.into_iter().chain(others).filter(|name| *name != own) {
            let header = json!({ "alg": name, "kid": "one" }).to_string();
            let signed = format!("{}.{claims}", encode(&header));
            refused.push(("another alg, unsigned", format!("{signed}.")));
            refused.push(("another alg, the signature of this one", format!("{signed}.{signature}")));
            refused.push(("another alg, signed as this one", deployment.key.sign(&header, good_claims()).unwrap()));
            // An RSA key can make the signatures of six algorithms, and is for one of them.
            if let Ok(token) = deployment.key.sign_with(name, &header, good_claims()) {
                refused.push(("another alg, signed with it", token));
            }
            for length in [0, 32, 64, 96, 256] {
                refused.push(("another alg, all zero", format!("{signed}.{}", encode(vec![0; length]))));
            }
        }
        for length in [0, 32, 63, 64, 65, 96, 256] {
            refused.push(("all zero", format!("{signed}.{}", encode(vec![0; length]))));
        }
        for alg in [json!(null), json!(["HS256"]), json!([own]), json!(256)] {
            refused.push(("alg of another type", deployment.with_header(&json!({ "alg": alg }))));
        }
        let twice = format!(r#"{{"alg":"none","kid":"one","alg":"{own}"}}"#);
        refused.push(("alg twice", deployment.key.sign(&twice, good_claims()).unwrap()));
        refused.push(("no alg", deployment.key.sign(r#"{"kid":"one"}"#, good_claims()).unwrap()));
        expect_refused(&deployment, &refused).await;
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret_that_a_token_is_signed_with() {
    for deployment in deployments(&TokenRules::default()).await {
        for public in &deployment.public {
            let forger = TokenSigningKey::secret(public.as_bytes());
            for header in [r#"{"alg":"HS256","kid":"one"}"#, r#"{"alg":"HS256"}"#] {
                let forged = forger.sign(header, good_claims()).unwrap();
                let refused = verify(&deployment.verifier, &forged).unwrap_err();
                assert_eq!(refused, TokenDefect::Algorithm.into(), "{}", deployment.name);
            }
        }
    }
}

#[tokio::test]
async fn a_signature_that_is_missing_or_changed_is_refused() {
    for deployment in deployments(&TokenRules::default()).await {
        let foreign = TokenSigningKey::secret(b"another secret of more than 32 bytes, for tests");
        let good = deployment.with_claims(&good_claims());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, claims_part) = signed.split_once('.').unwrap();
        let admin = encode(claims(&json!({ "role": "admin" })));
        let half = &signature[..signature.len() / 2];
        let mut changed = URL_SAFE_NO_PAD.decode(signature).unwrap();
        changed[0] ^= 1;
        let refused = [
            ("signature stripped", format!("{signed}.")),
            ("two parts", signed.to_owned()),
            ("one part", header.to_owned()),
            ("four parts", format!("{good}.{signature}")),
            ("an empty part at the end", format!("{good}.")),
            ("an empty part in front", format!(".{good}")),
            ("five parts, as if encrypted", format!("{good}.a.b")),
            ("trailing bytes", format!("{good}AAAA")),
            ("trailing text", format!("{good}A")),
            ("padding", format!("{good}=")),
            ("a line end", format!("{good}\n")),
            ("half a signature", format!("{signed}.{half}")),
            ("a changed signature", format!("{signed}.{}", encode(&changed))),
            ("claims exchanged", format!("{header}.{admin}.{signature}")),
            ("no Base64", format!("{header}.{claims_part}.!!!!")),
            ("only dots", "..".to_owned()),
            ("empty", String::new()),
            ("signed by another", foreign.sign(r#"{"alg":"HS256","kid":"one"}"#, good_claims()).unwrap()),
        ];
        expect_refused(&deployment, &refused).await;
        let other = match deployment.key.algorithm() {
            "HS256" => foreign,
            algorithm => TokenSigningKey::generate(algorithm, "one").unwrap(),
        };
        let refused = verify(&deployment.verifier, &other.token(&good_claims()).unwrap()).unwrap_err();
        assert_eq!(refused, TokenDefect::Signature.into(), "{}", deployment.name);
    }
}

#[tokio::test]
async fn a_header_that_names_a_key_or_an_extension_is_refused_and_nothing_is_fetched() {
    let elsewhere = IdentityProvider::start().unwrap();
    let url = elsewhere.key_set_url();
    for deployment in deployments(&TokenRules::default()).await {
        let jwk: serde_json::Value = serde_json::from_str(&key("ES256").jwk().unwrap()).unwrap();
        let headers = [
            ("jwk", json!({ "jwk": jwk })),
            ("jku", json!({ "jku": url })),
            ("x5u", json!({ "x5u": url })),
            ("x5c", json!({ "x5c": ["MIIB"] })),
            ("crit", json!({ "crit": ["exp"] })),
            ("crit, empty", json!({ "crit": [] })),
            ("b64", json!({ "b64": false, "crit": ["b64"] })),
            ("kid, a number", json!({ "kid": 1 })),
            ("kid, null", json!({ "kid": null })),
            ("kid, an object", json!({ "kid": {} })),
            ("kid, in an array", json!({ "kid": ["one"] })),
            ("kid, 257 bytes", json!({ "kid": "k".repeat(257) })),
        ];
        let refused: Vec<_> =
            headers.into_iter().map(|(what, header)| (what, deployment.with_header(&header))).collect();
        expect_refused(&deployment, &refused).await;
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn an_unknown_kid_is_refused_where_several_keys_have_ids_and_ignored_with_one_key() {
    for deployment in deployments(&TokenRules::default()).await {
        let counts = deployment.name.contains("JWK Set") || deployment.provider.is_some();
        for kid in ["", "any", "../../etc/passwd", "' OR 1=1 --", &"k".repeat(256)] {
            let verified = verify(&deployment.verifier, &deployment.with_header(&json!({ "kid": kid })));
            match verified {
                Ok(_) => assert!(!counts, "{}: {kid:?} was accepted", deployment.name),
                Err(error) => {
                    assert!(counts, "{}: {kid:?} was refused", deployment.name);
                    assert_eq!(error, TokenDefect::UnknownKey.into(), "{}", deployment.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn claims_must_name_a_person_and_an_end() {
    for deployment in deployments(&TokenRules::default()).await {
        let with = |more: serde_json::Value| deployment.with_claims(&claims(&more));
        let raw = |claims: &str| deployment.with_claims(claims);
        let refused = [
            ("no exp", raw(r#"{"sub":"alice"}"#)),
            ("exp null", with(json!({ "exp": null }))),
            ("exp in a string", with(json!({ "exp": LATER.to_string() }))),
            ("exp in an array", with(json!({ "exp": [LATER] }))),
            ("exp past", with(json!({ "exp": LATER - 7_200 }))),
            ("exp 0", with(json!({ "exp": 0 }))),
            ("exp negative", with(json!({ "exp": -LATER }))),
            ("exp infinite", raw(r#"{"sub":"alice","exp":1e400}"#)),
            ("exp more than a year ahead", with(json!({ "exp": LATER + 366 * 86_400 }))),
            ("exp in milliseconds", with(json!({ "exp": LATER * 1_000 }))),
            ("nbf 31 seconds ahead", with(json!({ "nbf": LATER - 3_600 + 31 }))),
            ("nbf in a string", with(json!({ "nbf": "0" }))),
            ("no sub", raw(&json!({ "exp": LATER }).to_string())),
            ("sub empty", with(json!({ "sub": "" }))),
            ("sub null", with(json!({ "sub": null }))),
            ("sub a number", with(json!({ "sub": 7 }))),
            ("sub of 129 characters", with(json!({ "sub": "x".repeat(129) }))),
            ("sub with NUL", with(json!({ "sub": "ali\u{0}ce" }))),
            ("sub twice", raw(&format!(r#"{{"sub":"root","exp":{LATER},"sub":"alice"}}"#))),
            ("sub twice, once escaped", raw(&format!(r#"{{"sub":"root","exp":{LATER},"\u0073ub":"alice"}}"#))),
            ("exp twice", raw(&format!(r#"{{"sub":"alice","exp":1,"exp":{LATER}}}"#))),
            ("a key twice inside", raw(&format!(r#"{{"sub":"alice","exp":{LATER},"a":{{"b":1,"b":2}}}}"#))),
            ("an array", raw("[]")),
            ("empty", raw("")),
            ("two values", raw(&format!("{}{}", good_claims(), good_claims()))),
            ("deep", raw(&format!("{{\"sub\":\"alice\",\"exp\":{LATER},\"a\":{}}}", "[".repeat(2_000)))),
        ];
        expect_refused(&deployment, &refused).await;
        verify(&deployment.verifier, &with(json!({ "nbf": LATER - 3_600 + 30 }))).unwrap();
    }
}

#[tokio::test]
async fn issuer_and_audience_must_be_those_that_are_configured() {
    let rules =
        TokenRules { issuer: Some("us".to_owned()), audience: Some("chat".to_owned()), ..TokenRules::default() };
    for deployment in deployments(&rules).await {
        let with = |more: serde_json::Value| deployment.with_claims(&claims(&more));
        let refused = [
            ("neither", with(json!({}))),
            ("no iss", with(json!({ "aud": "chat" }))),
            ("no aud", with(json!({ "iss": "us" }))),
            ("another iss", with(json!({ "iss": "us/", "aud": "chat" }))),
            ("iss in an array", with(json!({ "iss": ["us"], "aud": "chat" }))),
            ("another aud", with(json!({ "iss": "us", "aud": "Chat" }))),
            ("others in aud", with(json!({ "iss": "us", "aud": ["shop", "account"] }))),
            ("aud empty", with(json!({ "iss": "us", "aud": [] }))),
        ];
        expect_refused(&deployment, &refused).await;
        for aud in [json!("chat"), json!(["account", "chat"])] {
            verify(&deployment.verifier, &with(json!({ "iss": "us", "aud": aud }))).unwrap();
        }
    }
}

#[tokio::test]
async fn a_token_has_at_most_8_kib() {
    for deployment in deployments(&TokenRules::default()).await {
        let of = |padding: usize| deployment.with_claims(&claims(&json!({ "padding": "x".repeat(padding) })));
        let refused = verify(&deployment.verifier, &of(6_144)).unwrap_err();
        assert_eq!(refused, TokenError::TooLong, "{}", deployment.name);
        let length = of(0).len();
        let fits = of((8_192 - length) / 4 * 3 - 4);
        assert!((8_180..=8_192).contains(&fits.len()), "{}", fits.len());
        verify(&deployment.verifier, &fits).unwrap();
    }
}
