//! `token` and `openapi`.

use serde_json::Value;

use crate::support::{Person, TestServer, chat_server, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_accepted_by_the_server_with_the_same_settings_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let settings =
        [("CHAT_JWT_SECRET", SECRET), ("CHAT_JWT_ISSUER", "https://login.example.com"), ("CHAT_JWT_AUDIENCE", "chat")];
    let server = TestServer::start_on(&data_dir, |command| {
        command.envs(settings);
    })
    .await;
    let make = |settings: &[(&str, &str)], arguments: &[&str]| {
        let made = run(chat_server(&data_dir).envs(settings.iter().copied()).arg("token").args(arguments));
        assert_eq!(made.code, 0, "{}", made.stderr);
        Person::new(server.addr, made.stdout.trim_end())
    };
    let arguments = ["--sub", "root", "--role", "admin", "--ttl", "5m"];
    assert_eq!(make(&settings, &arguments).get("/api/chat/stats").await.status(), 200);
    assert_eq!(make(&settings[..1], &arguments).get("/api/chat/stats").await.status(), 401);
    let other_secret = [("CHAT_JWT_SECRET", "another secret of at least 32 bytes")];
    assert_eq!(make(&[&other_secret, &settings[1..]].concat(), &arguments).get("/api/chat/stats").await.status(), 401);
    let user = ["--sub", "root", "--role", "user"];
    assert_eq!(make(&settings, &user).get("/api/chat/stats").await.status(), 403);
}

#[test]
fn a_token_with_a_new_secret_says_that_a_running_server_has_another_one() {
    let home = tempfile::tempdir().unwrap();
    let make = |settings: &[(&str, &str)]| {
        let mut command = chat_server(home.path());
        let made = run(command.envs(settings.iter().copied()).args(["token", "--sub", "a", "--role", "user"]));
        assert_eq!((made.code, made.stdout.lines().count()), (0, 1), "{}", made.stderr);
        made.stderr
    };
    assert_eq!(make(&[("CHAT_JWT_SECRET", SECRET)]), "");
    let note = make(&[]);
    assert!(note.contains("made a new secret") && note.contains("CHAT_DATA_DIR"), "{note}");
    assert_eq!(make(&[]), "");
}

#[test]
fn a_token_without_a_person_or_without_a_lifetime_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let cases = [
        (["--sub", "", "--role", "user", "--ttl", "1h"], "must have 1 to 128 characters"),
        (["--sub", "a", "--role", "owner", "--ttl", "1h"], "must be one of user, agent, admin"),
        (["--sub", "a", "--role", "user", "--ttl", "60"], "30s"),
    ];
    for (arguments, part) in cases {
        let refused = run(chat_server(home.path()).arg("token").args(arguments));
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
}

#[test]
fn a_role_that_the_server_would_not_find_in_the_token_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let make = |role: &str| {
        let mut command = chat_server(home.path());
        run(command.env("CHAT_JWT_ROLE_CLAIM", "realm_access.roles").args(["token", "--sub", "a", "--role", role]))
    };
    let refused = make("admin");
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("CHAT_JWT_ROLE_CLAIM"), "{}", refused.stderr);
    assert_eq!(make("user").code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_role_map_tokens_have_the_foreign_names_and_our_own_mean_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let map = ("CHAT_JWT_ROLE_MAP", "lead=admin,support=agent");
    let server = TestServer::start_on(&data_dir, |command| {
        command.envs([("CHAT_JWT_SECRET", SECRET), map]);
    })
    .await;
    let make = |map: &[(&str, &str)], role: &str| {
        let mut command = chat_server(&data_dir);
        command.env("CHAT_JWT_SECRET", SECRET).envs(map.iter().copied());
        run(command.args(["token", "--sub", "root", "--role", role]))
    };
    let status = async |token: &str| Person::new(server.addr, token).get("/api/chat/stats").await.status();
    let mapped = make(&[map], "admin");
    assert_eq!(mapped.code, 0, "{}", mapped.stderr);
    assert_eq!(status(mapped.stdout.trim_end()).await, 200);
    // The role `admin` of a realm is that of the realm.
    let own = make(&[], "admin");
    for _ in 0..3 {
        assert_eq!(status(own.stdout.trim_end()).await, 403);
    }
    // A user needs no name in the map, and a token without one leaves no line in the log.
    let user = make(&[map], "user");
    assert_eq!(user.code, 0, "{}", user.stderr);
    assert_eq!(status(user.stdout.trim_end()).await, 403);
    let missing = make(&[("CHAT_JWT_ROLE_MAP", "support=agent")], "admin");
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("CHAT_JWT_ROLE_MAP"), "{}", missing.stderr);
    let stderr = server.stderr.clone();
    server.kill();
    let logged = stderr.all();
    let lines: Vec<&String> = logged.iter().filter(|line| line.contains("which is not in --jwt-role-map")).collect();
    assert_eq!(lines.len(), 1, "{logged:#?}");
    assert!(lines[0].contains("admin"), "{}", lines[0]);
}

#[test]
fn a_token_for_longer_than_the_server_takes_is_refused_with_the_option() {
    let home = tempfile::tempdir().unwrap();
    let make = |limit: &str, ttl: &str| {
        let mut command = chat_server(home.path());
        command.env("CHAT_JWT_SECRET", SECRET).env("CHAT_JWT_MAX_LIFETIME", limit);
        run(command.args(["token", "--sub", "a", "--role", "user", "--ttl", ttl]))
    };
    let refused = make("365d", "366d");
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    for part in ["365d", "--jwt-max-lifetime (CHAT_JWT_MAX_LIFETIME)"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert_eq!(make("365d", "365d").code, 0);
    assert_eq!(make("400d", "366d").code, 0);
}

#[test]
fn the_openapi_document_is_printed_as_json() {
    let home = tempfile::tempdir().unwrap();
    let printed = run(chat_server(home.path()).arg("openapi"));
    let document: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"].get("/api/chat/sessions").is_some());
}
