//! The keys of tokens as the operator sets them: secrets in files, public keys, key sets.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use test_servers::identity::{Behaviour, IdentityProvider, TokenSigningKey};

use crate::support::{ExtendedSocket, Finished, PATIENCE, Person, Scrape, TestServer, chat_server, eventually, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const AUDIENCE: &str = "https://chat.example.com";

/// A provider with one key.
fn provider() -> (IdentityProvider, TokenSigningKey) {
    let (provider, key) = (IdentityProvider::start().unwrap(), TokenSigningKey::generate("ES256", "first").unwrap());
    provider.publish(&[&key]).unwrap();
    (provider, key)
}

/// The claims of a token that ends in an hour.
pub(crate) fn claims(issuer: &str, more: &Value) -> String {
    let exp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3_600;
    let mut all = json!({ "sub": "alice", "iss": issuer, "aud": AUDIENCE, "exp": exp });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all.to_string()
}

fn of_provider<'a>(provider: &IdentityProvider, command: &'a mut Command) -> &'a mut Command {
    command
        .env("CHAT_OIDC_ISSUER", provider.issuer())
        .env("CHAT_JWT_AUDIENCE", AUDIENCE)
        .env("CHAT_JWT_ALLOW_PRIVATE_HOSTS", "on")
}

async fn status(server: &TestServer, token: &str) -> u16 {
    Person::new(server.addr, token).get("/api/chat/sessions").await.status().as_u16()
}

async fn token_check(server: &TestServer) -> Value {
    let ready: Value = reqwest::get(server.url("/readyz")).await.unwrap().json().await.unwrap();
    ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "token keys").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_the_provider_works_for_requests_bodies_and_sockets_at_once() {
    let home = tempfile::tempdir().unwrap();
    let (provider, first) = provider();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        of_provider(&provider, command);
    })
    .await;
    let token = |key: &TokenSigningKey, more: Value| key.token(&claims(&provider.issuer(), &more)).unwrap();
    let alice = Person::new(server.addr, &token(&first, json!({})));
    let session = alice.open_session("My order is late").await;
    assert_eq!(token_check(&server).await, json!({ "name": "token keys", "ok": true }));
    // The newer key is seen first in a frame of an open socket.
    let mut socket = ExtendedSocket::open(server.addr, &alice.token, &session, "").await.unwrap();
    let second = TokenSigningKey::generate("EdDSA", "second").unwrap();
    provider.publish(&[&first, &second]).unwrap();
    socket.send("auth", json!({ "token": token(&second, json!({})) })).await;
    let heard = socket.next().await;
    assert_eq!(heard["type"], "auth_ok", "{heard}");
    Person::new(server.addr, &token(&second, json!({}))).open_session("Another").await;
    assert_eq!(status(&server, &token(&first, json!({ "iss": "https://other.example.com" }))).await, 401);
    assert_eq!(status(&server, &token(&first, json!({ "aud": "https://other.example.com" }))).await, 401);
    assert_eq!(provider.key_set_requests(), 2);
    let metrics = Scrape::of(&server).await;
    assert!(metrics.number("chat_key_set_age_seconds") < 60.0);
    assert_eq!(metrics.value("chat_key_set_fetches_total{outcome=\"ok\"}"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_with_the_last_keys_while_its_provider_is_unreachable_and_reports_it() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let (provider, key) = provider();
    let token = key.token(&claims(&provider.issuer(), &json!({}))).unwrap();
    let server = TestServer::start_on(&data_dir, |command| {
        of_provider(&provider, command);
    })
    .await;
    assert_eq!(status(&server, &token).await, 200);
    server.kill();
    provider.behave(Behaviour::Disconnects);
    let server = TestServer::start_on(&data_dir, |command| {
        of_provider(&provider, command);
    })
    .await;
    assert_eq!(status(&server, &token).await, 200);
    let check = token_check(&server).await;
    assert_eq!(check["ok"], true);
    assert!(check["degraded"].as_str().unwrap().contains("the last keys are used"), "{check}");
    provider.behave(Behaviour::Healthy);
    // It is tried again every ten seconds.
    eventually("the keys are fetched", async || token_check(&server).await.get("degraded").is_none()).await;
    let lines = server.stderr.clone();
    server.kill();
    let outages = lines.all().iter().filter(|line| line.contains("cannot be fetched")).count();
    assert_eq!(outages, 1, "one warning for an outage");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_on_keys_that_were_kept_of_another_provider() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let (old, _) = provider();
    let (new, _) = provider();
    let start = |name: &str, value: String| {
        let mut command = chat_server(&data_dir);
        command.env("CHAT_LISTEN", "127.0.0.1:0").env("CHAT_JWT_ALLOW_PRIVATE_HOSTS", "on");
        command.env("CHAT_JWT_AUDIENCE", AUDIENCE).env(name, value);
        command
    };
    TestServer::start_on(&data_dir, |command| {
        of_provider(&old, command);
    })
    .await
    .kill();
    assert!(data_dir.join("token-keys.json").exists());
    new.behave(Behaviour::Disconnects);
    old.behave(Behaviour::Disconnects);
    let refused = [
        run(&mut start("CHAT_OIDC_ISSUER", new.issuer())),
        run(start("CHAT_JWT_JWKS_URL", new.key_set_url()).env("CHAT_JWT_ISSUER", old.issuer())),
        run(start("CHAT_JWT_JWKS_URL", old.key_set_url()).env("CHAT_JWT_ISSUER", old.issuer())),
    ];
    for refused in refused {
        assert!(refused.code == 1 && refused.stderr.contains("no keys for tokens"), "{}", refused.stderr);
    }
    // They are there for their own provider.
    TestServer::start_on(&data_dir, |command| {
        of_provider(&old, command);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_set_beyond_those_that_are_read_are_logged() {
    let home = tempfile::tempdir().unwrap();
    let (provider, key) = provider();
    let jwk = key.jwk().unwrap();
    provider.behave(Behaviour::KeySet(format!("{{\"keys\":[{}]}}", vec![jwk; 101].join(","))));
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        of_provider(&provider, command);
    })
    .await;
    server.stderr.wait_for(PATIENCE, |lines| {
        lines.iter().any(|line| line.contains("has 1 keys more than the first 100")).then_some(())
    });
}

#[test]
fn a_first_start_without_keys_is_refused_with_the_reason() {
    let (provider, _) = provider();
    let start = |allowed: &str| {
        let home = tempfile::tempdir().unwrap();
        let mut command = chat_server(&home.path().join("data"));
        of_provider(&provider, &mut command).env("CHAT_LISTEN", "127.0.0.1:0");
        run(command.env("CHAT_JWT_ALLOW_PRIVATE_HOSTS", allowed))
    };
    let refused = start("off");
    assert_eq!(refused.code, 1);
    for part in ["--oidc-issuer (CHAT_OIDC_ISSUER)", "https://", "CHAT_JWT_ALLOW_PRIVATE_HOSTS"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let other = r#"{"issuer":"https://other.example.com","jwks_uri":"https://other.example.com/keys"}"#;
    let cases = [
        (Behaviour::Disconnects, "cannot read"),
        (Behaviour::Discovery("{}".to_owned()), "no `issuer`"),
        (Behaviour::Discovery(other.to_owned()), "https://other.example.com"),
        (Behaviour::KeySet(r#"{"keys":[]}"#.to_owned()), "no key that can be used"),
    ];
    for (behaviour, part) in cases {
        provider.behave(behaviour);
        let refused = start("on");
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_set_over_https_is_trusted_by_the_authority_in_ssl_cert_file() {
    let home = tempfile::tempdir().unwrap();
    let (provider, key) =
        (IdentityProvider::start_encrypted().unwrap(), TokenSigningKey::generate("ES384", "one").unwrap());
    provider.publish(&[&key]).unwrap();
    let configure = |command: &mut Command| {
        command
            .env("CHAT_JWT_JWKS_URL", provider.key_set_url())
            .env("CHAT_JWT_ISSUER", "shop")
            .env("CHAT_JWT_AUDIENCE", AUDIENCE)
            .env("CHAT_JWT_ALLOW_PRIVATE_HOSTS", "on");
    };
    let mut untrusting = chat_server(&home.path().join("untrusting"));
    configure(&mut untrusting);
    let refused = run(untrusting.env("CHAT_LISTEN", "127.0.0.1:0"));
    assert!(refused.code == 1 && refused.stderr.contains("TLS"), "{}", refused.stderr);
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        configure(command);
        command.env("SSL_CERT_FILE", provider.authority().unwrap());
    })
    .await;
    assert_eq!(status(&server, &key.token(&claims("shop", &json!({}))).unwrap()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_public_keys_in_a_file_accepts_tokens_and_makes_none() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let (old, new) =
        (TokenSigningKey::generate("ES256", "a").unwrap(), TokenSigningKey::generate("EdDSA", "b").unwrap());
    let file = home.path().join("keys.pem");
    fs::write(&file, [old.public_pem().unwrap(), new.public_pem().unwrap()].concat()).unwrap();
    let server = TestServer::start_on(&data_dir, |command| {
        command.env("CHAT_JWT_PUBLIC_KEY_FILE", &file);
    })
    .await;
    for key in [&old, &new] {
        assert_eq!(status(&server, &key.token(&claims("any", &json!({}))).unwrap()).await, 200);
    }
    let made = run(chat_server(&data_dir)
        .env("CHAT_JWT_PUBLIC_KEY_FILE", &file)
        .args(["token", "--sub", "alice", "--role", "user"]));
    assert_eq!((made.code, made.stdout.as_str()), (1, ""));
    assert!(made.stderr.contains("only their issuer can make one"), "{}", made.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_previous_secret_is_accepted_until_it_is_taken_away() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let [current, previous] = ["current", "previous"].map(|name| home.path().join(name));
    fs::write(&current, format!("{SECRET}\n")).unwrap();
    fs::write(&previous, "the secret of last year, of more than 32 bytes\r\n").unwrap();
    let token = |secret: &str| TokenSigningKey::secret(secret.as_bytes()).token(&claims("any", &json!({}))).unwrap();
    for (with_previous, expected) in [(true, 200), (false, 401)] {
        let server = TestServer::start_on(&data_dir, |command| {
            command.env("CHAT_JWT_SECRET_FILE", &current);
            if with_previous {
                command.env("CHAT_JWT_SECRET_PREVIOUS_FILE", &previous);
            }
        })
        .await;
        assert_eq!(status(&server, &token(SECRET)).await, 200);
        assert_eq!(status(&server, &token("the secret of last year, of more than 32 bytes")).await, expected);
    }
}

fn check(variables: &[(&str, &str)], directory: &Path) -> Finished {
    run(chat_server(&directory.join("data")).arg("check-config").envs(variables.iter().copied()))
}

/// Options, and what their refusal says.
type RefusedOptions<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn options_about_keys_that_contradict_each_other_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let key = TokenSigningKey::generate("ES256", "one").unwrap().public_pem().unwrap();
    let file = |name: &str, content: &str| {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (key, secret, empty) = (file("key.pem", &key), file("secret", SECRET), file("empty", "\n"));
    let url = file("url", "postgres://chat:canary@db.example.com/chat?sslmode=disable\n");
    let short = file("short", "canary\n");
    let jwks = ("CHAT_JWT_JWKS_URL", "https://login.example.com/keys");
    let issuer = ("CHAT_OIDC_ISSUER", "https://login.example.com");
    let audience = ("CHAT_JWT_AUDIENCE", AUDIENCE);
    let cases: &[RefusedOptions<'_>] = &[
        (
            &[("CHAT_JWT_SECRET", SECRET), ("CHAT_JWT_SECRET_FILE", &secret)],
            &["CHAT_JWT_SECRET)", "CHAT_JWT_SECRET_FILE)"],
        ),
        (
            &[("CHAT_JWT_SECRET", SECRET), ("CHAT_JWT_PUBLIC_KEY_FILE", &key)],
            &["CHAT_JWT_SECRET)", "CHAT_JWT_PUBLIC_KEY_FILE)"],
        ),
        (&[("CHAT_JWT_SECRET_FILE", &secret), issuer, audience], &["CHAT_JWT_SECRET_FILE)", "CHAT_OIDC_ISSUER)"]),
        (&[jwks, issuer, audience], &["CHAT_JWT_JWKS_URL)", "CHAT_OIDC_ISSUER)"]),
        (&[jwks, audience], &["CHAT_JWT_ISSUER)", "https://login.example.com"]),
        (&[jwks, ("CHAT_JWT_ISSUER", "x")], &["CHAT_JWT_AUDIENCE)", AUDIENCE]),
        (&[issuer], &["CHAT_JWT_AUDIENCE)", AUDIENCE]),
        (&[issuer, audience, ("CHAT_JWT_ISSUER", "x")], &["CHAT_JWT_ISSUER)", "CHAT_OIDC_ISSUER)"]),
        (&[("CHAT_OIDC_ISSUER", "http://login.example.com"), audience], &["CHAT_OIDC_ISSUER)", "https://"]),
        (&[("CHAT_JWT_JWKS_URL", "login.example.com"), audience], &["CHAT_JWT_JWKS_URL)", "https://login.example.com"]),
        (&[("CHAT_JWT_ALLOW_PRIVATE_HOSTS", "on")], &["CHAT_JWT_ALLOW_PRIVATE_HOSTS)", "--oidc-issuer"]),
        (&[("CHAT_JWT_SECRET_PREVIOUS", SECRET)], &["CHAT_JWT_SECRET_PREVIOUS)", "CHAT_JWT_SECRET)"]),
        (
            &[("CHAT_JWT_SECRET", SECRET), ("CHAT_JWT_SECRET_PREVIOUS", "canary")],
            &["CHAT_JWT_SECRET_PREVIOUS)", "openssl rand"],
        ),
        (&[("CHAT_JWT_SECRET_FILE", &short)], &["CHAT_JWT_SECRET_FILE)", "openssl rand"]),
        (&[("CHAT_JWT_SECRET_FILE", &empty)], &["CHAT_JWT_SECRET_FILE)", "not empty"]),
        (&[("CHAT_JWT_SECRET_FILE", "no/such/file")], &["CHAT_JWT_SECRET_FILE)", "can be read"]),
        (&[("CHAT_JWT_PUBLIC_KEY_FILE", &secret)], &["CHAT_JWT_PUBLIC_KEY_FILE)", "openssl pkey"]),
        (&[("CHAT_JWT_PUBLIC_KEY_FILE", "no/such/file")], &["CHAT_JWT_PUBLIC_KEY_FILE)", "can be read"]),
        (
            &[("CHAT_DATABASE_URL", "sqlite://chat.db"), ("CHAT_DATABASE_URL_FILE", &url)],
            &["CHAT_DATABASE_URL)", "CHAT_DATABASE_URL_FILE)"],
        ),
        (
            &[("CHAT_REDIS_URL", "redis://host"), ("CHAT_REDIS_URL_FILE", &secret)],
            &["CHAT_REDIS_URL)", "CHAT_REDIS_URL_FILE)"],
        ),
    ];
    for (variables, parts) in cases {
        let refused = check(variables, home.path());
        assert_eq!(refused.code, 1, "{variables:?}: {}", refused.stderr);
        for part in *parts {
            assert!(refused.stderr.contains(part), "{variables:?} is refused without {part:?}: {}", refused.stderr);
        }
        assert!(!refused.stderr.contains("canary") && !refused.stderr.contains(SECRET), "{}", refused.stderr);
    }
    let shown = check(&[("CHAT_DATABASE_URL_FILE", &url), ("CHAT_JWT_SECRET_FILE", &secret)], home.path());
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("postgres://chat:***@db.example.com/chat"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("canary") && !shown.stdout.contains(SECRET), "{}", shown.stdout);
}

#[test]
fn a_server_with_published_keys_may_listen_on_any_address() {
    let home = tempfile::tempdir().unwrap();
    let variables = [
        ("CHAT_LISTEN", "0.0.0.0:80"),
        ("CHAT_OIDC_ISSUER", "https://login.example.com"),
        ("CHAT_JWT_AUDIENCE", AUDIENCE),
    ];
    let accepted = check(&variables, home.path());
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
    assert!(accepted.stdout.contains("The configuration is valid."), "{}", accepted.stdout);
}
