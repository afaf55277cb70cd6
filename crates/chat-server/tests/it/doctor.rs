//! `doctor`: a node that works is found well, and each fault is found, with what to do about it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use test_servers::identity::{Behaviour, IdentityProvider};
use test_servers::postgres::{PrivatePostgres, TestDatabase};
use test_servers::redis::PrivateRedis;

use crate::support::{Finished, TestServer, chat_server, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What `doctor --json` prints, and with which code it ends.
struct Examined {
    code: i32,
    report: Value,
}

impl Examined {
    fn of(command: &mut Command) -> Self {
        let Finished { code, stdout, stderr } = run(command.args(["doctor", "--json"]));
        let report = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
        Self { code, report }
    }

    /// The status and the finding of a check, with its remedy.
    fn check(&self, name: &str) -> (&str, String) {
        let checks = self.report["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["check"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {:#}", self.report));
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        (found["status"].as_str().unwrap(), format!("{}; {}", text("finding"), text("remedy")))
    }

    /// That a check has this status, and says each of these parts.
    #[track_caller]
    fn expect(&self, name: &str, status: &str, parts: &[&str]) {
        let (found, text) = self.check(name);
        assert_eq!(found, status, "{name}: {text}");
        for part in parts {
            assert!(text.contains(part), "{name}: {text} says nothing of {part}");
        }
        if status == "fail" {
            assert_eq!((self.code, &self.report["status"]), (1, &json!("fail")));
        }
    }
}

fn doctor(data_dir: &Path, configure: impl FnOnce(&mut Command)) -> Examined {
    let mut command = chat_server(data_dir);
    command.env("CHAT_JWT_SECRET", SECRET);
    configure(&mut command);
    Examined::of(&mut command)
}

/// Sets a variable of a command.
fn set(name: &str, value: &str) -> impl FnOnce(&mut Command) {
    move |command| {
        command.env(name, value);
    }
}

/// With limits of the shell, such as `ulimit -n 64`.
fn doctor_after(limits: &str, data_dir: &Path) -> Examined {
    let mut command = Command::new("sh");
    command.env_clear().env("CHAT_DATA_DIR", data_dir).env("CHAT_JWT_SECRET", SECRET).env("CHAT_WORKERS", "1");
    command.args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_chat-server")]);
    Examined::of(&mut command)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_runs_on_sqlite_is_found_well() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    server.person("alice", "user").open_session("counted").await;

    let examined = doctor(&data_dir, |_| {});
    assert_eq!(examined.code, 0, "{:#}", examined.report);
    for check in ["configuration", "tokens", "database", "encoding", "schema", "attachments", "data directory"] {
        examined.expect(check, "ok", &[]);
    }
    let taken = server.addr.to_string();
    doctor(&data_dir, set("CHAT_LISTEN", &taken)).expect("listen address", "warn", &[&taken, "runs already"]);
    let taken = server.admin_url("").replace("http://", "");
    doctor(&data_dir, set("CHAT_ADMIN_LISTEN", &taken)).expect("admin address", "warn", &[&taken, "CHAT_ADMIN_LISTEN"]);
    doctor(&data_dir, set("CHAT_LISTEN", "127.0.0.1:0")).expect("listen address", "ok", &[]);
    // An address for documentation (RFC 5737), which no machine has.
    doctor(&data_dir, set("CHAT_LISTEN", "192.0.2.1:80")).expect("listen address", "fail", &["CHAT_LISTEN"]);
    examined.expect("counters", "ok", &["1 sessions", "all rows"]);
    let stored = fs::read_dir(data_dir.join("attachments/objects")).unwrap();
    let left: usize = stored.map(|bucket| fs::read_dir(bucket.unwrap().path()).unwrap().count()).sum();
    assert_eq!(left, 0, "nothing is left behind");

    let lines = run(chat_server(&data_dir).arg("doctor"));
    assert_eq!(lines.code, 0, "{}", lines.stderr);
    for line in ["OK    schema", "WARN  tokens", "--jwt-secret (CHAT_JWT_SECRET)"] {
        assert!(lines.stdout.contains(line), "{}", lines.stdout);
    }
}

#[test]
fn before_the_first_start_nothing_is_created() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let examined = doctor(&data_dir, |_| {});
    assert_eq!(examined.code, 0, "{:#}", examined.report);
    for check in ["database", "attachments", "data directory"] {
        examined.expect(check, "warn", &["start the node"]);
    }
    doctor(&data_dir, set("CHAT_MIGRATE", "off")).expect("database", "fail", &["migrate up"]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn options_that_contradict_each_other_are_a_failed_check() {
    let home = tempfile::tempdir().unwrap();
    let examined = doctor(&home.path().join("data"), set("CHAT_DATABASE_WRITERS", "2"));
    examined.expect("configuration", "fail", &["--database-writers (CHAT_DATABASE_WRITERS)", "must be 1 with SQLite"]);
    let mut open = chat_server(&home.path().join("data"));
    Examined::of(open.args(["--listen", "0.0.0.0:0"])).expect("tokens", "fail", &["--jwt-secret (CHAT_JWT_SECRET)"]);
}

#[test]
fn an_option_that_is_not_valid_is_a_failed_check() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let examined = doctor(&data_dir, set("CHAT_RATE_MESSAGES", "300/m"));
    examined.expect("configuration", "fail", &["300/m", "--rate-messages", "CHAT_RATE_MESSAGES"]);
    let examined = doctor(&data_dir, set("CHAT_RATE_MESAGES", "off"));
    examined.expect("configuration", "fail", &["`CHAT_RATE_MESAGES`", "did you mean `CHAT_RATE_MESSAGES`"]);
    // What is no option of the server is a mistake in the command.
    let mistaken = run(chat_server(&data_dir).args(["doctor", "--jsn"]));
    assert_eq!((mistaken.code, mistaken.stdout.as_str()), (2, ""), "{}", mistaken.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_leaves_the_directory_of_attachments_as_it_is() {
    use std::os::unix::fs::{MetadataExt, chown};

    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    server.signal("TERM");
    server.ended().await;
    let attachments = data_dir.join("attachments");
    let left = attachments.join("incoming/left-by-a-crash");
    fs::write(&left, "").unwrap();
    doctor(&data_dir, |_| {}).expect("attachments", "ok", &[]);
    assert!(left.exists(), "the next start of the node removes it");
    assert_eq!(fs::read_dir(attachments.join("objects")).unwrap().count(), 0);

    // What root can write says nothing about the user of the node. Without root there is no other owner to be had.
    if fs::metadata(&attachments).unwrap().uid() == 0 {
        chown(&attachments, Some(65_532), None).unwrap();
        doctor(&data_dir, |_| {}).expect("attachments", "warn", &["65532", "as the user of the node"]);
    }
    fs::remove_dir_all(attachments.join("incoming")).unwrap();
    let without = doctor(&data_dir, |_| {});
    assert_ne!(without.check("attachments").0, "fail", "{:#}", without.report);
    assert!(!attachments.join("incoming").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_data_directory_is_found() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    server.signal("TERM");
    server.ended().await;

    let incoming = data_dir.join("attachments/incoming");
    fs::remove_dir(&incoming).unwrap();
    fs::write(&incoming, "no directory").unwrap();
    doctor(&data_dir, |_| {}).expect("attachments", "fail", &["incoming", "--attachments-url"]);
    fs::remove_file(&incoming).unwrap();

    let mark = data_dir.join("attachments/database-id");
    let ours = fs::read(&mark).unwrap();
    fs::write(&mark, "0123456789abcdef0123456789abcdef\n").unwrap();
    doctor(&data_dir, |_| {}).expect("attachments", "fail", &["belong to another database"]);
    fs::write(&mark, ours).unwrap();

    let undone = run(chat_server(&data_dir).args(["migrate", "down", "--yes"]));
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    doctor(&data_dir, |_| {}).expect("schema", "warn", &["misses", "make a backup"]);
    doctor(&data_dir, set("CHAT_MIGRATE", "off")).expect("schema", "fail", &["migrate up"]);

    fs::write(data_dir.join("chat.db"), "this is no database, and long enough to be read as one".repeat(100)).unwrap();
    doctor(&data_dir, |_| {}).expect("database", "fail", &["chat.db", "--database-url (CHAT_DATABASE_URL)"]);

    let file = home.path().join("file");
    fs::write(&file, "no directory").unwrap();
    doctor(&file, |_| {}).expect("data directory", "fail", &["is no directory", "--data-dir (CHAT_DATA_DIR)"]);
    let below_a_file = file.join("data").display().to_string();
    let examined = doctor(&data_dir, set("CHAT_DATA_DIR", &below_a_file));
    examined.expect("data directory", "fail", &["cannot be made in", "--data-dir"]);
    // Not even root makes a directory there.
    for place in ["/proc/chat", "/proc/chat/data"] {
        let examined = doctor(&data_dir, set("CHAT_DATA_DIR", place));
        examined.expect("data directory", "fail", &["/proc/chat", "cannot be made in /proc", "--data-dir"]);
    }
}

#[test]
fn an_unusable_key_set_has_another_remedy_than_one_that_is_unreachable() {
    let provider = IdentityProvider::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let examine = |behaviour: Behaviour| {
        provider.behave(behaviour);
        let mut command = chat_server(&home.path().join("data"));
        command.env("CHAT_JWT_JWKS_URL", provider.key_set_url()).env("CHAT_JWT_ALLOW_PRIVATE_HOSTS", "on");
        Examined::of(command.env("CHAT_JWT_ISSUER", "shop").env("CHAT_JWT_AUDIENCE", "chat"))
    };
    for (behaviour, part) in [
        (Behaviour::Disconnects, "make the key set reachable"),
        (Behaviour::Status(503), "the identity provider does not work"),
        (Behaviour::Status(404), "correct --jwt-jwks-url (CHAT_JWT_JWKS_URL)"),
        (Behaviour::KeySet("<html>".to_owned()), "correct --jwt-jwks-url (CHAT_JWT_JWKS_URL)"),
        (Behaviour::KeySet(r#"{"keys":[]}"#.to_owned()), "publish a public key for signatures"),
    ] {
        let examined = examine(behaviour);
        examined.expect("tokens", "fail", &[part]);
        let is_unreachable = part.contains("reachable");
        assert_eq!(examined.check("tokens").1.contains("reachable"), is_unreachable, "{}", examined.report);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_file_fails_the_attachments() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    server.signal("TERM");
    server.ended().await;
    // The limit stands for that of a file system: the same write fails.
    doctor_after("trap '' XFSZ; ulimit -f 0", &data_dir).expect("attachments", "fail", &["attachments"]);
    doctor_after("true", &data_dir).expect("attachments", "ok", &[]);
}

#[test]
fn too_few_descriptors_and_too_little_space_are_found() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    doctor_after("ulimit -n 64", &data_dir).expect("descriptors", "fail", &["64", "LimitNOFILE"]);
    doctor_after("ulimit -n 1024", &data_dir).expect("descriptors", "warn", &["1024", "LimitNOFILE"]);
    doctor_after("ulimit -n 4096", &data_dir).expect("descriptors", "ok", &["4096"]);

    let enough = run(chat_server(&data_dir).args(["doctor", "--min-free", "1B"]));
    assert!(enough.stdout.contains("OK    disk"), "{}", enough.stdout);
    let too_little = run(chat_server(&data_dir).args(["doctor", "--min-free", "9000000000GiB"]));
    for part in ["WARN  disk", "--min-free", "free some space"] {
        assert!(too_little.stdout.contains(part), "{}", too_little.stdout);
    }
}

/// A database with the schema, as nodes leave it.
fn migrated() -> TestDatabase {
    TestDatabase::from_template("doctor", |url| {
        let home = tempfile::tempdir().unwrap();
        let done = run(chat_server(&home.path().join("data")).env("CHAT_DATABASE_URL", url).args(["migrate", "up"]));
        assert_eq!(done.code, 0, "{}", done.stderr);
    })
}

fn on_postgres(url: &str, configure: impl FnOnce(&mut Command)) -> Examined {
    let home = tempfile::tempdir().unwrap();
    doctor(&home.path().join("data"), |command| {
        command.env("CHAT_DATABASE_URL", url);
        configure(command);
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_node_on_a_durable_postgres_is_found_well() {
    let postgres = PrivatePostgres::start(&[]).unwrap();
    postgres.sql("postgres", "CREATE DATABASE chat").unwrap();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let url = postgres.url("chat");
    let server = TestServer::start_on(&data_dir, set("CHAT_DATABASE_URL", &url)).await;
    server.person("alice", "user").open_session("counted").await;
    let examined = doctor(&data_dir, set("CHAT_DATABASE_URL", &url));
    assert_eq!(examined.code, 0, "{:#}", examined.report);
    for check in [
        "database",
        "standby",
        "encoding",
        "synchronous_commit",
        "fsync",
        "connections",
        "clock",
        "schema",
        "counters",
        "attachments",
    ] {
        examined.expect(check, "ok", &[]);
    }
    // They leave too few for nodes.
    postgres.sql("postgres", "ALTER DATABASE chat CONNECTION LIMIT 3").unwrap();
    doctor(&data_dir, |command| {
        command.env("CHAT_DATABASE_URL", &url).env("CHAT_DATABASE_READERS", "64");
    })
    .expect("connections", "fail", &["--database-readers (CHAT_DATABASE_READERS)", "up to 67 of 3"]);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn each_fault_of_a_postgres_database_is_found() {
    let database = migrated();
    let name = database.name();
    let examined = on_postgres(database.url(), |_| {});
    // The server of the tests trades durability for speed.
    examined.expect("fsync", "fail", &["off", "ALTER SYSTEM SET fsync = on"]);
    examined.expect("counters", "ok", &[]);

    database.sql(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    on_postgres(database.url(), |_| {}).expect("synchronous_commit", "warn", &["ALTER DATABASE"]);

    // What stands before the server's own function in the search path is asked instead of it.
    database.sql(&format!("ALTER DATABASE {name} SET search_path = public, pg_catalog"));
    for (ahead, status) in [("5 seconds", "warn"), ("-2 minutes", "fail")] {
        database.sql(&format!(
            "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS $$ SELECT pg_catalog.clock_timestamp() + interval '{ahead}' $$"
        ));
        on_postgres(database.url(), |_| {}).expect("clock", status, &["NTP"]);
    }

    database.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')");
    on_postgres(database.url(), |_| {}).expect("schema", "fail", &["29991231000000"]);
    database.sql("DELETE FROM __diesel_schema_migrations WHERE version = '29991231000000'");
    database.sql(
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)",
    );
    on_postgres(database.url(), set("CHAT_MIGRATE", "off")).expect(
        "schema",
        "fail",
        &["misses", "chat-server migrate up"],
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn counters_and_messages_that_were_changed_in_postgres_are_found() {
    let database = migrated();
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_DATABASE_URL", database.url());
    })
    .await;
    let alice = server.person("alice", "user");
    for subject in ["kept", "lost"] {
        let session = alice.open_session(subject).await;
        let path = format!("/api/chat/sessions/{session}/messages");
        assert_eq!(alice.post(&path, &json!({ "content": "counted" })).await.status(), 201);
    }
    on_postgres(database.url(), |_| {}).expect("counters", "ok", &["2 sessions"]);
    database.sql("UPDATE chat_stats SET response_time_ms = response_time_ms + 1 WHERE writer = (SELECT min(writer) FROM chat_stats)");
    on_postgres(database.url(), |_| {}).expect("counters", "fail", &["0 sessions that messages", "1 figures"]);
    database.sql("UPDATE chat_sessions SET message_count = 7 WHERE subject = 'kept'");
    database.sql("DELETE FROM chat_sessions WHERE subject = 'lost'");
    on_postgres(database.url(), |_| {}).expect(
        "counters",
        "fail",
        &["1 of 1 sessions have a wrong number", "1 sessions that messages or events name are missing"],
    );
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn another_encoding_an_unreachable_server_and_a_standby_are_found() {
    let primary = PrivatePostgres::start(&[("fsync", "off")]).unwrap();
    primary.sql("postgres", "CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").unwrap();
    on_postgres(&primary.url("old"), |_| {}).expect("encoding", "fail", &["LATIN1", "CREATE DATABASE chat ENCODING"]);
    primary.sql("postgres", "CREATE DATABASE chat").unwrap();
    let standby = primary.standby().unwrap();
    on_postgres(&standby.url("chat"), |_| {}).expect("standby", "fail", &["takes no writes", "promote"]);
    let url = standby.url("chat");
    drop(standby);
    let examined = on_postgres(&url, |_| {});
    examined.expect("database", "fail", &["cannot connect", "--database-url (CHAT_DATABASE_URL)"]);
    // The errors of libpq have several lines.
    for check in examined.report["checks"].as_array().unwrap() {
        assert!(!check["finding"].as_str().unwrap().contains(char::is_control), "{check}");
    }
    let home = tempfile::tempdir().unwrap();
    let lines = run(chat_server(&home.path().join("data")).env("CHAT_DATABASE_URL", &url).arg("doctor")).stdout;
    assert!(lines.lines().all(|line| ["OK ", "WARN", "FAIL"].iter().any(|word| line.starts_with(word))), "{lines}");
}

#[test]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
fn a_redis_that_is_gone_or_refuses_is_found() {
    let database = migrated();
    let redis = PrivateRedis::start(&[]).unwrap();
    let on_redis = |url: &str| on_postgres(database.url(), set("CHAT_REDIS_URL", url));
    on_redis(&redis.url()).expect("redis", "ok", &["Redis ", "there and back"]);
    // A user who may log in and subscribe, but not publish on the channels of nodes.
    redis.command(&["ACL", "SETUSER", "desk", "on", ">canary", "resetchannels", "&other:*", "+@all"]).unwrap();
    let limited = redis.url().replace("redis://", "redis://desk:canary@");
    let refused = on_redis(&limited);
    refused.expect("redis", "fail", &["--redis-url (CHAT_REDIS_URL)"]);
    assert!(!refused.report.to_string().contains("canary"), "{}", refused.report);
    redis.kill().unwrap();
    on_redis(&redis.url()).expect("redis", "fail", &["nodes work without it"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_and_places_of_attachments_without_use_are_named() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    drop(TestServer::start_on(&data_dir, |_| {}).await);
    let names = ["AWS_PROFILE", "AWS_REGION"];
    let unused = |command: &mut Command| {
        for name in names {
            command.env(name, "a");
        }
    };
    doctor(&data_dir, unused).expect("AWS variables", "warn", &["AWS_PROFILE, AWS_REGION", "CHAT_ATTACHMENTS_URL"]);
    // Nothing listens there.
    let s3 = |command: &mut Command| {
        unused(command);
        command.env("CHAT_ATTACHMENTS_URL", "s3://bucket/prefix").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        command.env("AWS_ALLOW_HTTP", "true").env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    };
    let (_, found) = doctor(&data_dir, s3).check("AWS variables");
    assert!(found.starts_with("set and not used by the node: AWS_PROFILE; "), "{found}");
    let mut shown = chat_server(&data_dir);
    unused(shown.arg("check-config").env("CHAT_JWT_SECRET", SECRET));
    let shown = run(&mut shown);
    assert!(shown.stdout.contains("\nSet and not used by the node: AWS_PROFILE, AWS_REGION\n"), "{}", shown.stdout);

    let attachments = data_dir.join("attachments");
    let fallback = home.path().join("old");
    fs::create_dir(&fallback).unwrap();
    let url = format!("file://{}", fallback.display());
    let set_fallback = || set("CHAT_ATTACHMENTS_FALLBACK_URL", &url);
    let check = "attachments fallback";
    doctor(&data_dir, set_fallback()).expect(check, "fail", &["database-id", "CHAT_ATTACHMENTS_FALLBACK_URL"]);
    fs::copy(attachments.join("database-id"), fallback.join("database-id")).unwrap();
    fs::create_dir(fallback.join("objects")).unwrap();
    doctor(&data_dir, set_fallback()).expect(check, "warn", &["no files", "take --attachments-fallback-url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remedy_that_the_error_names_is_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let [data_dir, other] = ["data", "other"].map(|name| home.path().join(name));
    for place in [&data_dir, &other] {
        drop(TestServer::start_on(place, |_| {}).await);
    }
    let url = format!("file://{}", other.join("attachments").display());
    let (_, found) = doctor(&data_dir, set("CHAT_ATTACHMENTS_URL", &url)).check("attachments");
    assert_eq!(found.matches("(CHAT_ATTACHMENTS_URL)").count(), 1, "{found}");
}
