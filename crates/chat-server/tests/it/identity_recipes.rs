//! The recipes of `docs/deployment/identity.md`: the options of each, with a token of the provider's form that a test
//! provider signs, and the programs that mint tokens.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use test_servers::identity::{IdentityProvider, TokenSigningKey};

use crate::support::{Person, TestServer};

/// The text of the document below a heading, up to the next one.
fn section(heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deployment/identity.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (_, rest) = document.split_once(&format!("\n## {heading}\n")).expect("the heading");
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The content of the first block of code with this name behind its fence.
fn block<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{name}\n")).expect("a block");
    rest.split_once("```").unwrap().0
}

/// The options of a recipe.
fn options(heading: &str) -> Vec<(String, String)> {
    let section = section(heading);
    let lines = block(&section, "").lines();
    lines
        .map(|line| line.split_once('=').expect("an option"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn value<'a>(options: &'a [(String, String)], name: &str) -> &'a str {
    &options.iter().find(|(option, _)| option == name).expect("the option").1
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A provider whose issuer has the path of the recipe's, and a server with the options of the recipe.
struct Recipe {
    provider: IdentityProvider,
    key: TokenSigningKey,
    server: TestServer,
    options: Vec<(String, String)>,
    _home: tempfile::TempDir,
}

impl Recipe {
    async fn of(heading: &str, algorithm: &'static str, members: impl FnOnce(&TokenSigningKey) -> String) -> Self {
        let mut options = options(heading);
        let (provider, key) =
            (IdentityProvider::start().unwrap(), TokenSigningKey::generate(algorithm, "kid-1").unwrap());
        provider.publish_jwks(vec![key.jwk_with(&members(&key)).unwrap()]);
        let issuer = value(&options, "CHAT_OIDC_ISSUER");
        let path = issuer.strip_prefix("https://").unwrap().find('/').map_or("", |at| &issuer["https://".len() + at..]);
        provider.name_issuer(path);
        for (name, value) in &mut options {
            if name == "CHAT_OIDC_ISSUER" {
                *value = provider.issuer();
            }
        }
        let home = tempfile::tempdir().unwrap();
        let server = TestServer::start_on(&home.path().join("data"), |command| {
            command.envs(options.iter().cloned()).env("CHAT_JWT_ALLOW_PRIVATE_HOSTS", "on");
        })
        .await;
        Self { provider, key, server, options, _home: home }
    }

    /// The status of the statistics, which an admin may see, and of the sessions, for a token with these claims beside
    /// issuer and times.
    async fn statuses(&self, claims: &Value) -> (u16, u16) {
        let mut all = json!({ "iss": self.provider.issuer(), "iat": now(), "exp": now() + 3_600 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let person = Person::new(self.server.addr, &self.key.token(&all.to_string()).unwrap());
        let status = async |path| person.get(path).await.status().as_u16();
        (status("/api/chat/stats").await, status("/api/chat/sessions").await)
    }

    /// A customer and an admin get in, and a token for another service does not.
    async fn expect(&self, claims: &Value, admin: &Value) {
        let audience = value(&self.options, "CHAT_JWT_AUDIENCE");
        let with = |more: &Value, audience: Value| {
            let mut all = claims.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all["aud"] = audience;
            all
        };
        assert_eq!(self.statuses(&with(&json!({}), json!(audience))).await, (403, 200), "a customer");
        assert_eq!(self.statuses(&with(admin, json!(audience))).await, (200, 200), "an admin");
        assert_eq!(self.statuses(&with(admin, json!([audience, "other"]))).await, (200, 200), "several audiences");
        assert_eq!(self.statuses(&with(admin, json!("other"))).await, (401, 401), "another service");
    }
}

fn usual(key: &TokenSigningKey) -> String {
    format!(r#""kid":"{}","use":"sig","alg":"{}""#, key.id(), key.algorithm())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_auth0_are_accepted_with_the_options_of_its_recipe() {
    let recipe = Recipe::of("Auth0", "RS256", usual).await;
    assert!(recipe.provider.issuer().ends_with('/'));
    let claims = json!({
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "azp": "my_client_id", "scope": "openid profile email",
        "https://chat.example.com/roles": [], "permissions": [],
    });
    recipe.expect(&claims, &json!({ "https://chat.example.com/roles": ["support-lead"] })).await;
    // The admins of the tenant are not those of the chat.
    let own =
        json!({ "sub": "auth0|1", "aud": "https://chat.example.com", "https://chat.example.com/roles": ["admin"] });
    assert_eq!(recipe.statuses(&own).await, (403, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_keycloak_are_accepted_with_the_options_of_its_recipe() {
    // Keycloak publishes a key for encryption beside that for signatures; both are RSA.
    let recipe = Recipe::of("Keycloak", "RS256", usual).await;
    let encryption = TokenSigningKey::generate("RS256", "enc").unwrap();
    let encryption = encryption.jwk_with(r#""kid":"enc","use":"enc","alg":"RSA-OAEP""#).unwrap();
    recipe.provider.publish_jwks(vec![encryption, recipe.key.jwk().unwrap()]);
    let claims = json!({
        "sub": "f:5ad1c7ee-0c35-4cf4-94ba-1ea04a0f4d33:alice", "typ": "Bearer", "azp": "shop", "session_state": "1",
        "realm_access": { "roles": ["default-roles-shop", "offline_access", "uma_authorization"] },
        "resource_access": { "account": { "roles": ["manage-account"] } }, "preferred_username": "alice",
    });
    recipe.expect(&claims, &json!({ "realm_access": { "roles": ["offline_access", "chat-admin"] } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_cognito_are_accepted_with_the_options_of_its_recipe() {
    let recipe = Recipe::of("Amazon Cognito", "RS256", usual).await;
    let claims = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "token_use": "id", "cognito:username": "alice",
        "email_verified": true, "auth_time": 1, "event_id": "e", "origin_jti": "o", "jti": "j",
    });
    recipe.expect(&claims, &json!({ "cognito:groups": ["support-leads"] })).await;
    // An access token has `client_id` in place of `aud`.
    let access = json!({ "sub": "a", "token_use": "access", "client_id": "3n4b5urk1ft4fl3mg5e62d9ado" });
    assert_eq!(recipe.statuses(&access).await, (401, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_entra_are_accepted_with_the_options_of_its_recipe() {
    // Its keys have no `alg`, and members of its own.
    let members = |key: &TokenSigningKey| {
        format!(r#""kid":"{}","use":"sig","x5t":"kid-1","x5c":["MIIC"],"issuer":"https://login""#, key.id())
    };
    let recipe = Recipe::of("Microsoft Entra ID", "RS256", members).await;
    let claims = json!({
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "oid": "00000000-0000-0000-66f3-3332eca7ea81",
        "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47", "ver": "2.0", "azp": "client", "scp": "Chat.Use", "uti": "u",
        "nbf": now() - 300,
    });
    recipe.expect(&claims, &json!({ "roles": ["Support.Admin"] })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_firebase_are_accepted_with_the_options_of_its_recipe() {
    let recipe = Recipe::of("Firebase", "RS256", usual).await;
    let claims = json!({
        "sub": "Zr5uR2nCkmgJvO3jd9wUGR8x3fA2", "user_id": "Zr5uR2nCkmgJvO3jd9wUGR8x3fA2", "auth_time": 1,
        "firebase": { "identities": { "email": ["alice@example.com"] }, "sign_in_provider": "password" },
    });
    recipe.expect(&claims, &json!({ "chat_role": "admin" })).await;
}

/// A server with the options for a backend of one's own.
async fn own_backend(home: &Path) -> TestServer {
    TestServer::start_on(&home.join("data"), |command| {
        command.envs(options("A backend of your own"));
    })
    .await
}

fn secret() -> String {
    value(&options("A backend of your own"), "CHAT_JWT_SECRET").to_owned()
}

/// What a program prints that reads its source from standard input.
fn printed(program: &str, arguments: &[&str], source: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).env("CHAT_JWT_SECRET", secret()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

async fn expect_customer(server: &TestServer, token: &str) {
    let alice = Person::new(server.addr, token);
    alice.open_session("My order is late").await;
    assert_eq!(alice.get("/api/chat/stats").await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js and Python: cargo xtask test"]
async fn the_programs_of_node_and_python_mint_tokens_that_are_accepted() {
    let home = tempfile::tempdir().unwrap();
    let server = own_backend(home.path()).await;
    let section = section("A backend of your own");
    expect_customer(&server, &printed("node", &["-"], block(&section, "js"))).await;
    expect_customer(&server, &printed("python3", &["-"], block(&section, "python"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_as_go_and_php_write_them_are_accepted() {
    let home = tempfile::tempdir().unwrap();
    let server = own_backend(home.path()).await;
    let key = TokenSigningKey::secret(secret().as_bytes());
    let (iat, exp) = (now(), now() + 3_600);
    // Go sorts the keys of a map; PHP escapes slashes.
    let go = format!(
        r#"{{"aud":"https://chat.example.com","exp":{exp},"iat":{iat},"iss":"https://shop.example.com","name":"Alice","role":"user","sub":"alice"}}"#
    );
    let php = format!(
        r#"{{"sub":"alice","role":"user","name":"Alice","iss":"https:\/\/shop.example.com","aud":"https:\/\/chat.example.com","iat":{iat},"exp":{exp}}}"#
    );
    for claims in [go, php] {
        expect_customer(&server, &key.sign(r#"{"alg":"HS256","typ":"JWT"}"#, claims).unwrap()).await;
    }
}
