//! Bearer tokens: which are refused, what their claims mean.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::model::{Role, Timestamp};
use chat_identity::{TokenDefect, TokenError, TokenRules, TokenVerifier};
use chat_testkit::fixtures;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::app::{Options, SECRET, send};
use crate::support::{Answer, Store, TestApp};

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const PATH: &str = "/api/chat/sessions";

/// Seconds since 1970, an hour after the tests' time starts.
const LATER: i64 = fixtures::START / 1_000 + 3_600;

fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn sign(signed: &str, secret: &[u8], algorithm: Algorithm) -> String {
    jsonwebtoken::crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(secret), algorithm).unwrap()
}

/// A token with exactly this header and these claims, signed with the secret that the server trusts.
fn forge(header: &str, claims: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(&signed, SECRET, Algorithm::HS256);
    format!("{signed}.{signature}")
}

/// A token with these claims, `sub` and `exp` unless they are among them.
fn with_claims(claims: &Value) -> String {
    let mut all = json!({ "sub": "alice", "exp": LATER });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    forge(HEADER, all.to_string())
}

/// A token with this header and good claims.
fn with_header(header: &Value) -> String {
    forge(&header.to_string(), good_claims())
}

fn good_claims() -> String {
    json!({ "sub": "alice", "exp": LATER }).to_string()
}

#[track_caller]
fn expect_refusal(answer: Answer, what: &str) {
    assert_eq!(answer.status, 401, "accepted: {what}");
    assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
    answer.expect_error(401, "UNAUTHENTICATED");
}

async fn expect_refused(app: &TestApp, tokens: &[(&str, String)]) {
    for (what, token) in tokens {
        expect_refusal(send(app.anonymous(Method::GET, PATH).bearer_auth(token)).await, what);
    }
}

async fn memory_app(tokens: TokenRules) -> TestApp {
    TestApp::with(Store::Memory, Options { tokens, ..Options::default() }).await
}

fn list(app: &TestApp) -> RequestBuilder {
    app.anonymous(Method::GET, PATH)
}

/// What the server's verifier says of a token at a moment, in milliseconds from the start of the tests' time.
fn verify_at(token: &str, milliseconds: i64) -> Result<(), TokenError> {
    let verifier = TokenVerifier::hs256(SECRET, TokenRules::default());
    verifier.verify(token, Timestamp::from_unix_ms(fixtures::START + milliseconds)).map(|_| ())
}

#[tokio::test]
async fn a_request_needs_exactly_one_bearer_token_in_its_header() {
    let app = memory_app(TokenRules::default()).await;
    let token = with_claims(&json!({}));
    send(list(&app).bearer_auth(&token)).await.expect(200);
    // The scheme's letter case does not matter (RFC 9110, 11.1).
    send(list(&app).header("Authorization", format!("bEARER {token}"))).await.expect(200);
    expect_refusal(send(list(&app)).await, "none");
    let wrong = ["", "Bearer", "Bearer ", &token, &format!("Basic {token}"), "Basic YWxpY2U6cHc=", "Bearer null"];
    for value in wrong.into_iter().map(str::to_owned).chain([
        format!("Token {token}"),
        format!("Bearer\t{token}"),
        format!("Bearer  {token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer \"{token}\""),
    ]) {
        expect_refusal(send(list(&app).header("Authorization", &value)).await, &value);
    }
    let twice = list(&app).bearer_auth(&token).header("Authorization", format!("Bearer {token}"));
    expect_refusal(send(twice).await, "two headers");
    let bytes = [b"Bearer \xff\xfe".as_slice(), token.as_bytes()].concat();
    expect_refusal(send(list(&app).header("Authorization", bytes)).await, "not ASCII");
    app.stop().await;
}

#[tokio::test]
async fn a_token_anywhere_but_in_the_header_is_no_token() {
    let app = memory_app(TokenRules::default()).await;
    let token = with_claims(&json!({}));
    for name in ["token", "access_token", "ticket", "authorization", "bearer"] {
        let in_query = app.anonymous(Method::GET, &format!("{PATH}?{name}={token}"));
        expect_refusal(send(in_query).await, "in the query");
        let in_cookie = list(&app).header("Cookie", format!("{name}={token}"));
        expect_refusal(send(in_cookie).await, "in a cookie");
    }
    let other_headers = list(&app).header("X-Access-Token", &token).header("Proxy-Authorization", &token);
    expect_refusal(send(other_headers).await, "in other headers");
    app.stop().await;
}

#[tokio::test]
async fn the_signature_is_hs256_with_the_servers_secret_and_nothing_else() {
    let app = memory_app(TokenRules::default()).await;
    let good = with_claims(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let foreign = sign(signed, b"another secret of more than 32 bytes, for tests", Algorithm::HS256);
    let admin = encode(json!({ "sub": "alice", "exp": LATER, "role": "admin" }).to_string());
    let mut refused = vec![
        ("signature stripped", format!("{signed}.")),
        ("two parts", signed.to_owned()),
        ("one part", header.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("an empty part at the end", format!("{good}.")),
        ("an empty part in front", format!(".{good}")),
        ("five parts, as if encrypted", format!("{good}.a.b")),
        ("trailing text", format!("{good}A")),
        ("padding", format!("{good}=")),
        ("half a signature", format!("{signed}.{}", &signature[..20])),
        ("another secret", format!("{signed}.{foreign}")),
        ("claims exchanged", format!("{header}.{admin}.{signature}")),
        ("only dots", "..".to_owned()),
        ("no Base64", format!("{header}.!!!!.{signature}")),
    ];
    for name in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 "] {
        let signed = format!("{}.{claims}", encode(json!({ "alg": name }).to_string()));
        let signature = sign(&signed, SECRET, Algorithm::HS256);
        refused.push(("a wrong alg, unsigned", format!("{signed}.")));
        refused.push(("a wrong alg, signed", format!("{signed}.{signature}")));
    }
    for (name, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        let signed = format!("{}.{claims}", encode(json!({ "alg": name }).to_string()));
        refused.push((name, format!("{signed}.{}", sign(&signed, SECRET, algorithm))));
    }
    for name in ["RS256", "ES256", "PS256", "EdDSA"] {
        let signed = format!("{}.{claims}", encode(json!({ "alg": name }).to_string()));
        refused.push((
            "an asymmetric alg, signed with the secret",
            format!("{signed}.{}", sign(&signed, SECRET, Algorithm::HS256)),
        ));
        refused.push(("an asymmetric alg, all zero", format!("{signed}.{}", encode([0; 64]))));
    }
    expect_refused(&app, &refused).await;
    app.stop().await;
}

#[tokio::test]
async fn a_token_header_that_names_a_key_or_an_extension_is_refused() {
    let app = memory_app(TokenRules::default()).await;
    let refused = [
        ("jwk", with_header(&json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": encode(SECRET) } }))),
        ("jku", with_header(&json!({ "alg": "HS256", "jku": "https://example.com/jwks.json" }))),
        ("x5u", with_header(&json!({ "alg": "HS256", "x5u": "https://example.com/cert.pem" }))),
        ("x5c", with_header(&json!({ "alg": "HS256", "x5c": ["MIIB"] }))),
        ("crit", with_header(&json!({ "alg": "HS256", "crit": ["exp"] }))),
        ("crit, empty", with_header(&json!({ "alg": "HS256", "crit": [] }))),
        ("b64", with_header(&json!({ "alg": "HS256", "b64": false, "crit": ["b64"] }))),
        ("kid, a number", with_header(&json!({ "alg": "HS256", "kid": 1 }))),
        ("kid, null", with_header(&json!({ "alg": "HS256", "kid": null }))),
        ("kid, an object", with_header(&json!({ "alg": "HS256", "kid": {} }))),
        ("kid, 257 bytes", with_header(&json!({ "alg": "HS256", "kid": "k".repeat(257) }))),
        ("alg twice", forge(r#"{"alg":"none","alg":"HS256"}"#, good_claims())),
        ("no alg", forge("{}", good_claims())),
        ("alg in an array", forge(r#"{"alg":["HS256"]}"#, good_claims())),
        ("an array", forge(r#"["HS256"]"#, good_claims())),
        ("no JSON", forge("alg=HS256", good_claims())),
    ];
    expect_refused(&app, &refused).await;
    for kid in ["", "any", "../../etc/passwd", "' OR 1=1 --", &"k".repeat(256)] {
        let token = with_header(&json!({ "alg": "HS256", "kid": kid }));
        send(list(&app).bearer_auth(token)).await.expect(200);
    }
    app.stop().await;
}

#[tokio::test]
async fn claims_must_name_a_person_and_an_end() {
    let app = memory_app(TokenRules::default()).await;
    let refused = [
        ("no exp", forge(HEADER, r#"{"sub":"alice"}"#)),
        ("exp null", with_claims(&json!({ "exp": null }))),
        ("exp in a string", with_claims(&json!({ "exp": LATER.to_string() }))),
        ("exp in an array", with_claims(&json!({ "exp": [LATER] }))),
        ("exp true", with_claims(&json!({ "exp": true }))),
        ("exp past", with_claims(&json!({ "exp": LATER - 7_200 }))),
        ("exp 0", with_claims(&json!({ "exp": 0 }))),
        ("exp negative", with_claims(&json!({ "exp": -LATER }))),
        ("exp infinite", forge(HEADER, r#"{"sub":"alice","exp":1e400}"#)),
        ("nbf far ahead", with_claims(&json!({ "nbf": LATER }))),
        ("nbf in a string", with_claims(&json!({ "nbf": "0" }))),
        ("nbf null", with_claims(&json!({ "nbf": null }))),
        ("no sub", forge(HEADER, json!({ "exp": LATER }).to_string())),
        ("sub empty", with_claims(&json!({ "sub": "" }))),
        ("sub null", with_claims(&json!({ "sub": null }))),
        ("sub a number", with_claims(&json!({ "sub": 7 }))),
        ("sub in an array", with_claims(&json!({ "sub": ["alice"] }))),
        ("sub of 129 characters", with_claims(&json!({ "sub": "x".repeat(129) }))),
        ("sub with NUL", with_claims(&json!({ "sub": "ali\u{0}ce" }))),
        ("sub twice", forge(HEADER, format!(r#"{{"sub":"root","exp":{LATER},"sub":"alice"}}"#))),
        ("sub twice, once escaped", forge(HEADER, format!(r#"{{"sub":"root","exp":{LATER},"\u0073ub":"alice"}}"#))),
        ("exp twice", forge(HEADER, format!(r#"{{"sub":"alice","exp":1,"exp":{LATER}}}"#))),
        ("a key twice inside", forge(HEADER, format!(r#"{{"sub":"alice","exp":{LATER},"a":{{"b":1,"b":2}}}}"#))),
        ("a key twice in an array", forge(HEADER, format!(r#"{{"sub":"alice","exp":{LATER},"a":[{{"b":1,"b":2}}]}}"#))),
        ("an array", forge(HEADER, "[]")),
        ("null", forge(HEADER, "null")),
        ("a string", forge(HEADER, "\"alice\"")),
        ("empty", forge(HEADER, "")),
        ("two values", forge(HEADER, format!("{}{}", good_claims(), good_claims()))),
        ("not UTF-8", forge(HEADER, b"{\"sub\":\"\xff\xfe\"}")),
        ("a lone surrogate", forge(HEADER, format!(r#"{{"sub":"\ud800","exp":{LATER}}}"#))),
        ("deep", forge(HEADER, format!("{{\"sub\":\"alice\",\"exp\":{LATER},\"a\":{}}}", "[".repeat(2_000)))),
    ];
    expect_refused(&app, &refused).await;
    for sub in ["a", &"x".repeat(128), &"é".repeat(128), "auth0|5f7c8ec7c33c6c004bbafe82", "a b"] {
        send(list(&app).bearer_auth(with_claims(&json!({ "sub": sub })))).await.expect(200);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_token_has_at_most_8_kib() {
    let app = memory_app(TokenRules::default()).await;
    let of_length = |padding: usize| with_claims(&json!({ "padding": "x".repeat(padding) }));
    let fits = (0..6_144).rev().map(of_length).find(|token| token.len() <= 8_192).unwrap();
    send(list(&app).bearer_auth(&fits)).await.expect(200);
    let too_long = of_length(6_144);
    assert!(too_long.len() > 8_192);
    expect_refused(&app, &[("over 8 KiB", too_long.clone())]).await;
    // The content of such a token was not looked at.
    for token in [too_long, "x".repeat(8_193)] {
        let message = message(send(list(&app).bearer_auth(token)).await);
        assert!(message.contains("longer than 8 KiB"), "{message}");
    }
    app.stop().await;
}

/// What a refusal tells a person.
fn message(answer: Answer) -> String {
    answer.expect_error(401, "UNAUTHENTICATED")["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_that_ends_more_than_a_year_ahead_is_refused_with_the_reason() {
    let app = memory_app(TokenRules::default()).await;
    // The clock of the tests moves on by a millisecond with each look, and never back.
    let year = fixtures::START / 1_000 + 365 * 86_400;
    send(list(&app).bearer_auth(with_claims(&json!({ "exp": year })))).await.expect(200);
    for exp in [json!(year + 60), json!(LATER * 1_000), json!(i64::MAX), json!(u64::MAX), json!(1e300)] {
        let message = message(send(list(&app).bearer_auth(with_claims(&json!({ "exp": exp })))).await);
        for part in ["more than 365 days ahead", "in seconds since 1970, not in milliseconds"] {
            assert!(message.contains(part), "{exp}: {message}");
        }
    }
    app.stop().await;
}

#[test]
fn how_far_ahead_a_token_may_end_is_configured() {
    let rules = TokenRules { max_lifetime: Duration::from_hours(12), ..TokenRules::default() };
    let limit = rules.max_lifetime;
    let verifier = TokenVerifier::hs256(SECRET, rules);
    let twelve_hours = with_claims(&json!({ "exp": fixtures::START / 1_000 + 12 * 3_600 }));
    assert!(verifier.verify(&twelve_hours, fixtures::start()).is_ok());
    let early = fixtures::start().minus(Duration::from_millis(1));
    let verifier = TokenVerifier::hs256(SECRET, TokenRules { max_lifetime: limit, ..TokenRules::default() });
    let refused = verifier.verify(&twelve_hours, early).unwrap_err();
    assert_eq!(refused, TokenError::EndsTooLate { max_lifetime: limit });
    assert!(refused.to_string().contains("more than 12 hours ahead"), "{refused}");
}

#[test]
fn a_token_ends_exactly_at_its_exp() {
    let token = with_claims(&json!({ "exp": fixtures::START / 1_000 + 10 }));
    assert_eq!(verify_at(&token, 9_999), Ok(()));
    assert_eq!(verify_at(&token, 10_000), Err(TokenError::Expired));
    let fraction = with_claims(&json!({ "exp": 1_769_850_310.5 }));
    assert_eq!(verify_at(&fraction, 10_499), Ok(()));
    assert_eq!(verify_at(&fraction, 10_500), Err(TokenError::Expired));
    // Milliseconds that a float does not hold exactly are not lost.
    for ms in [1, 9, 113, 123, 999] {
        let token = with_claims(&json!({ "exp": f64::from(ms) / 1_000.0 + 1_769_850_310.0 }));
        assert_eq!(verify_at(&token, 9_999 + i64::from(ms)), Ok(()), "{ms}");
        assert_eq!(verify_at(&token, 10_000 + i64::from(ms)), Err(TokenError::Expired), "{ms}");
    }
    // The response says of a genuine token that it has expired, of a forged one it does not.
    let forged = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(verify_at(&forged, 10_000), Err(TokenDefect::Signature.into()));
}

#[test]
fn a_token_may_come_30_seconds_early_and_no_more() {
    let token = with_claims(&json!({ "nbf": fixtures::START / 1_000 + 30 }));
    assert_eq!(verify_at(&token, 0), Ok(()));
    assert!(matches!(verify_at(&token, -1), Err(TokenError::Invalid(TokenDefect::NotYet { .. }))));
    assert_eq!(verify_at(&token, 30_000), Ok(()));
}

#[test]
fn a_refused_token_has_a_reason_for_the_log_and_none_for_the_caller() {
    let rules =
        TokenRules { issuer: Some("us".to_owned()), audience: Some("chat".to_owned()), ..TokenRules::default() };
    let verifier = TokenVerifier::hs256(SECRET, rules);
    let claims = |more: Value| {
        let mut claims = json!({ "iss": "us", "aud": ["chat"] });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with_claims(&claims)
    };
    let good = claims(json!({}));
    let forged = format!("{}x", &good[..good.len() - 1]);
    let without_exp = forge(HEADER, json!({ "sub": "alice", "iss": "us", "aud": "chat" }).to_string());
    for (token, part) in [
        ("canary".to_owned(), "three parts"),
        (with_header(&json!({ "alg": "none" })), "`alg`"),
        (with_header(&json!({ "alg": "HS256", "jku": "https://canary" })), "header"),
        (forged, "signature"),
        (without_exp, "`exp`"),
        (claims(json!({ "exp": "canary" })), "`exp`"),
        (claims(json!({ "nbf": LATER })), "`nbf`"),
        (claims(json!({ "iss": "canary" })), "`iss`"),
        (claims(json!({ "aud": "canary" })), "`aud`"),
        (claims(json!({ "sub": 5 })), "`sub`"),
        (claims(json!({ "sub": "" })), "`sub`"),
    ] {
        let error = verifier.verify(&token, Timestamp::from_unix_ms(fixtures::START)).unwrap_err();
        assert!(error.reason().contains(part) && !error.reason().contains("canary"), "{part}: {}", error.reason());
        assert_eq!(error.to_string(), "the bearer token is not valid");
    }
    assert!(verifier.verify(&good, Timestamp::from_unix_ms(fixtures::START)).is_ok());
}

#[tokio::test]
async fn an_expired_token_is_refused_like_any_other() {
    let app = memory_app(TokenRules::default()).await;
    let token = with_claims(&json!({}));
    send(list(&app).bearer_auth(&token)).await.expect(200);
    app.clock.advance(Duration::from_hours(1));
    expect_refused(&app, &[("expired", token)]).await;
    app.stop().await;
}

#[tokio::test]
async fn issuer_and_audience_count_where_they_are_configured() {
    let rules = TokenRules {
        issuer: Some("https://id.example.com".to_owned()),
        audience: Some("chat".to_owned()),
        ..TokenRules::default()
    };
    let app = memory_app(rules).await;
    let iss = "https://id.example.com";
    for aud in [json!("chat"), json!(["chat"]), json!(["shop", "chat"])] {
        let token = with_claims(&json!({ "iss": iss, "aud": aud }));
        send(list(&app).bearer_auth(token)).await.expect(200);
    }
    let refused = [
        ("neither", with_claims(&json!({}))),
        ("no iss", with_claims(&json!({ "aud": "chat" }))),
        ("no aud", with_claims(&json!({ "iss": iss }))),
        ("another iss", with_claims(&json!({ "iss": "https://id.example.org", "aud": "chat" }))),
        ("nearly the iss", with_claims(&json!({ "iss": "https://id.example.com/", "aud": "chat" }))),
        ("iss in an array", with_claims(&json!({ "iss": [iss], "aud": "chat" }))),
        ("another aud", with_claims(&json!({ "iss": iss, "aud": "shop" }))),
        ("aud empty", with_claims(&json!({ "iss": iss, "aud": [] }))),
        ("a longer aud", with_claims(&json!({ "iss": iss, "aud": "chat2" }))),
        ("aud in an object", with_claims(&json!({ "iss": iss, "aud": { "chat": true } }))),
    ];
    expect_refused(&app, &refused).await;
    app.stop().await;
    let app = memory_app(TokenRules::default()).await;
    let token = with_claims(&json!({ "iss": "anyone", "aud": "anything" }));
    send(list(&app).bearer_auth(token)).await.expect(200);
    app.stop().await;
}

/// The role that the server gives to someone with these claims.
fn role(rules: &TokenRules, claims: &Value) -> Role {
    let verifier = TokenVerifier::hs256(SECRET, rules.clone());
    verifier.verify(&with_claims(claims), fixtures::start()).unwrap().principal.role
}

#[test]
fn a_person_has_their_highest_known_role_and_is_a_user_without_one() {
    let rules = TokenRules::default();
    for (claims, expected) in [
        (json!({}), Role::User),
        (json!({ "role": "user" }), Role::User),
        (json!({ "role": "agent" }), Role::Agent),
        (json!({ "role": "admin" }), Role::Admin),
        (json!({ "role": ["user", "agent"] }), Role::Agent),
        (json!({ "role": ["admin", "agent", "user"] }), Role::Admin),
        (json!({ "role": ["baker", "agent", 7, null] }), Role::Agent),
        (json!({ "role": "Admin" }), Role::User),
        (json!({ "role": "admin " }), Role::User),
        (json!({ "role": "admin,user" }), Role::User),
        (json!({ "role": "baker" }), Role::User),
        (json!({ "role": "" }), Role::User),
        (json!({ "role": [] }), Role::User),
        (json!({ "role": [["admin"]] }), Role::User),
        (json!({ "role": { "admin": true } }), Role::User),
        (json!({ "role": 2 }), Role::User),
        (json!({ "role": null }), Role::User),
        (json!({ "roles": ["admin"], "admin": true, "scope": "admin" }), Role::User),
    ] {
        assert_eq!(role(&rules, &claims), expected, "{claims}");
    }
}

#[test]
fn the_role_claim_and_its_names_are_configurable() {
    let nested = TokenRules { role_claim: "realm_access.roles".to_owned(), ..TokenRules::default() };
    assert_eq!(role(&nested, &json!({ "realm_access": { "roles": ["offline", "agent"] } })), Role::Agent);
    assert_eq!(role(&nested, &json!({ "role": "admin", "realm_access": { "roles": ["user"] } })), Role::User);
    assert_eq!(role(&nested, &json!({ "realm_access": "admin" })), Role::User);
    assert_eq!(role(&nested, &json!({ "roles": "admin" })), Role::User);
    let named_by_url = TokenRules { role_claim: "https://shop.example.com/role".to_owned(), ..TokenRules::default() };
    assert_eq!(role(&named_by_url, &json!({ "https://shop.example.com/role": "admin" })), Role::Admin);
    let names = [("support-lead".to_owned(), Role::Admin), ("support".to_owned(), Role::Agent)];
    let foreign = TokenRules { role_names: names.into(), ..TokenRules::default() };
    assert_eq!(role(&foreign, &json!({ "role": ["support", "support-lead"] })), Role::Admin);
    assert_eq!(role(&foreign, &json!({ "role": "support" })), Role::Agent);
    assert_eq!(role(&foreign, &json!({ "role": "Support" })), Role::User);
}

/// The name and the picture that the server reads from these claims.
fn shown(rules: &TokenRules, claims: &Value) -> (Option<String>, Option<String>) {
    let verifier = TokenVerifier::hs256(SECRET, rules.clone());
    let principal = verifier.verify(&with_claims(claims), fixtures::start()).unwrap().principal;
    let name = principal.name.map(|name| name.as_str().to_owned());
    (name, principal.avatar_url.map(|url| url.as_str().to_owned()))
}

#[test]
fn the_name_and_picture_claims_are_configurable() {
    const URL: &str = "https://example.com/a.png";
    let some = |text: &str| Some(text.to_owned());
    let claims =
        json!({ "name": " Alice ", "picture": URL, "nick": "Al", "profile": { "image": "https://b.example" } });
    assert_eq!(shown(&TokenRules::default(), &claims), (some("Alice"), some(URL)));
    let (name_claim, picture_claim) = ("nick".to_owned(), "profile.image".to_owned());
    let rules = TokenRules { name_claim, picture_claim, ..TokenRules::default() };
    assert_eq!(shown(&rules, &claims), (some("Al"), some("https://b.example")));
    assert_eq!(shown(&rules, &json!({ "name": "Alice", "picture": URL })), (None, None));
}

#[test]
fn a_name_and_a_picture_that_cannot_be_shown_do_not_refuse_a_token() {
    for claims in [
        json!({ "name": 5, "picture": ["https://example.com"] }),
        json!({ "name": { "first": "Alice" }, "picture": null }),
        json!({ "name": "x".repeat(101), "picture": "ftp://example.com/a.png" }),
        json!({ "name": "\n", "picture": "//example.com/a.png" }),
    ] {
        assert_eq!(shown(&TokenRules::default(), &claims), (None, None), "{claims}");
    }
}

#[test]
fn a_claim_whose_own_name_has_dots_is_read_before_the_path() {
    let rules = TokenRules { role_claim: "realm_access.roles".to_owned(), ..TokenRules::default() };
    let both = json!({ "realm_access.roles": "user", "realm_access": { "roles": "admin" } });
    assert_eq!(role(&rules, &both), Role::User);
}

#[test]
fn a_role_map_that_is_set_is_the_whole_truth() {
    let names = [("support-lead".to_owned(), Role::Admin), ("support".to_owned(), Role::Agent)];
    let rules = TokenRules { role_names: names.into(), ..TokenRules::default() };
    for name in ["admin", "agent", "user", "offline_access"] {
        assert_eq!(role(&rules, &json!({ "role": name })), Role::User, "{name}");
        assert_eq!(role(&rules, &json!({ "role": [name, "support"] })), Role::Agent, "{name}");
    }
    // What the identity provider calls an agent may be an admin here, and the other way round.
    let crossed = [("agent".to_owned(), Role::Admin), ("admin".to_owned(), Role::Agent)];
    let rules = TokenRules { role_names: crossed.into(), ..TokenRules::default() };
    assert_eq!(role(&rules, &json!({ "role": "admin" })), Role::Agent);
    assert_eq!(role(&rules, &json!({ "role": ["admin", "agent"] })), Role::Admin);
}

#[tokio::test]
async fn the_role_is_read_from_the_token() {
    let app = memory_app(TokenRules::default()).await;
    let stats = |claims: Value| {
        let token = with_claims(&claims);
        send(app.anonymous(Method::GET, "/api/chat/stats").bearer_auth(token))
    };
    stats(json!({ "role": ["user", "admin"] })).await.expect(200);
    stats(json!({ "role": "superuser" })).await.expect_error(403, "FORBIDDEN");
    stats(json!({})).await.expect_error(403, "FORBIDDEN");
    app.stop().await;
}
