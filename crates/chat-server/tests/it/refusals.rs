//! Configurations that the server refuses: the message names the option, says what is wrong and shows a valid value.

use crate::support::{Finished, chat_server, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn check(variables: &[(&str, &str)]) -> Finished {
    let home = tempfile::tempdir().unwrap();
    run(chat_server(&home.path().join("data")).arg("check-config").envs(variables.iter().copied()))
}

#[test]
fn each_wrong_value_is_refused_with_its_option_and_a_valid_value() {
    // The variable, a wrong value, the flag of the option, a valid value, the exit code.
    let cases = [
        ("CHAT_LISTEN", "localhost", "--listen", "127.0.0.1:8080", 2),
        ("CHAT_ADMIN_LISTEN", "9464", "--admin-listen", "127.0.0.1:9464", 2),
        ("CHAT_PUBLIC_URL", "chat.example.com", "--public-url", "https://chat.example.com", 2),
        ("CHAT_CORS_ORIGINS", "https://a.example,*", "--cors-origins", "https://shop.example.com", 2),
        ("CHAT_CORS_ORIGINS", "https://a.example/", "--cors-origins", "https://shop.example.com", 2),
        ("CHAT_CORS_ORIGINS", "https://*.com", "--cors-origins", "https://shop.example.com", 2),
        ("CHAT_CORS_ORIGINS", "https://a.example,", "--cors-origins", "https://shop.example.com", 2),
        ("CHAT_CONSOLE", "yes", "--console", "on, off", 2),
        ("CHAT_WIDGET", "", "--widget", "on, off", 2),
        ("CHAT_AVATAR_ORIGINS", "https://a.example,*", "--avatar-origins", "https://pictures.example.com", 2),
        ("CHAT_AVATAR_ORIGINS", "https://a.example/x", "--avatar-origins", "https://pictures.example.com", 2),
        ("CHAT_AVATAR_ORIGINS", "https://a;script-src", "--avatar-origins", "https://pictures.example.com", 2),
        ("CHAT_AVATAR_ORIGINS", "https://a.example,", "--avatar-origins", "https://pictures.example.com", 2),
        ("CHAT_TRUSTED_PROXIES", "10.0.0.0/8,proxy", "--trusted-proxies", "192.0.2.7 or 2001:db8::/32, or loopback", 2),
        ("CHAT_TRUSTED_PROXIES", "0.0.0.0/0", "--trusted-proxies", "10.0.0.0/8", 2),
        ("CHAT_FORWARDED_HEADER", "both", "--forwarded-header", "x-forwarded, forwarded", 2),
        ("CHAT_RATE_MESSAGES", "300", "--rate-messages", "300/min or 10/s, or off", 2),
        ("CHAT_RATE_SESSIONS", "0/min", "--rate-sessions", "300/min", 2),
        ("CHAT_RATE_TYPING", "on", "--rate-typing", "300/min", 2),
        ("CHAT_RATE_DOWNLOADS", "1/d", "--rate-downloads", "300/min", 2),
        ("CHAT_RATE_SOCKETS", "", "--rate-sockets", "300/min", 2),
        ("CHAT_CONNECTIONS_PER_ADDRESS", "0", "--connections-per-address", "from 1 to 1000000, or off", 2),
        ("CHAT_REDIS_PREFIX", "other", "--redis-prefix", "redis://localhost:6379", 1),
        ("CHAT_WORKERS", "0", "--workers", "from 1 to 1024", 2),
        (
            "CHAT_DATABASE_URL",
            "postgres://chat:canary@db",
            "--database-url",
            "postgres://chat:secret@db.example.com",
            1,
        ),
        ("CHAT_DATABASE_URL", "mysql://chat:canary@db/chat", "--database-url", "postgres://chat:secret@", 1),
        ("CHAT_DATABASE_URL", "chat.db", "--database-url", "sqlite:///var/lib/chat/chat.db", 1),
        ("CHAT_DATABASE_URL", "postgres://chat:canary@db/chat?sslmode=on", "--database-url", "verify-full", 1),
        ("CHAT_DATABASE_READERS", "none", "--database-readers", "from 1 to 64", 2),
        ("CHAT_DATABASE_WRITERS", "0", "--database-writers", "from 1 to 64", 2),
        ("CHAT_DATABASE_WRITERS", "2", "--database-writers", "must be 1 with SQLite", 1),
        ("CHAT_READ_QUEUE", "0", "--read-queue", "from 1 to 65536", 2),
        ("CHAT_WRITE_QUEUE", "0", "--write-queue", "from 1 to 1000000", 2),
        ("CHAT_WRITE_BATCH", "4097", "--write-batch", "from 1 to 4096", 2),
        ("CHAT_SESSION_CACHE", "-1", "--session-cache", "from 0 to 1000000", 2),
        ("CHAT_PAGE_CACHE", "8", "--page-cache", "25MiB", 2),
        ("CHAT_MIGRATE", "yes", "--migrate", "on, off", 2),
        ("CHAT_ATTACHMENTS_URL", "s3://b", "--attachments-url", "file:///var/lib/chat/attachments", 2),
        ("CHAT_MAX_FILES", "-1", "--max-files", "from 1 to 1000", 2),
        ("CHAT_MAX_FILE_SIZE", "25", "--max-file-size", "25MiB", 2),
        ("CHAT_MAX_MESSAGE_SIZE", "1MiB", "--max-message-size", "25MiB", 1),
        ("CHAT_MAX_UNSENT_SIZE", "24MiB", "--max-unsent-size", "25MiB", 1),
        ("CHAT_MAX_OPEN_SESSIONS", "0", "--max-open-sessions", "such as 20, or off", 2),
        ("CHAT_CUSTOMER_PRIORITY", "on", "--customer-priority", "accept, ignore", 2),
        ("CHAT_JWT_SECRET", "canary", "--jwt-secret", "openssl rand -hex 32", 1),
        ("CHAT_JWT_ISSUER", " ", "--jwt-issuer", "leave the option out", 2),
        ("CHAT_JWT_ROLE_CLAIM", "a..b", "--jwt-role-claim", "realm_access.roles", 2),
        ("CHAT_JWT_NAME_CLAIM", " ", "--jwt-name-claim", "realm_access.roles", 2),
        ("CHAT_JWT_PICTURE_CLAIM", "a..b", "--jwt-picture-claim", "realm_access.roles", 2),
        ("CHAT_JWT_ROLE_MAP", "boss=owner", "--jwt-role-map", "support-agent=agent", 2),
        ("CHAT_JWT_MAX_LIFETIME", "365", "--jwt-max-lifetime", "12h or 365d", 2),
        ("CHAT_JWT_MAX_LIFETIME", "4000d", "--jwt-max-lifetime", "at most 3650d", 2),
        ("CHAT_AGENT_AUTOREGISTER", "1", "--agent-autoregister", "on, off", 2),
        ("CHAT_LOG", "inof", "--log", "info", 2),
        ("CHAT_LOG_FORMAT", "xml", "--log-format", "json", 2),
    ];
    for (variable, value, flag, valid, code) in cases {
        let refused = check(&[(variable, value)]);
        let message = &refused.stderr;
        assert_eq!(refused.code, code, "{variable}={value}: {message}");
        for part in [variable, flag, valid] {
            assert!(message.contains(part), "{variable}={value} is refused without {part:?}: {message}");
        }
        assert!(!message.contains("canary") && refused.stdout.is_empty(), "{variable}={value}: {message}");
    }
}

#[test]
fn without_a_secret_the_server_stays_on_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = run(chat_server(&data_dir).args(["--listen", listen]));
        assert_eq!(refused.code, 1);
        for part in ["CHAT_JWT_SECRET", "openssl rand -hex 32", "--listen 127.0.0.1:"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
    assert!(!data_dir.exists(), "a refused start leaves nothing behind");
    let accepted = check(&[("CHAT_LISTEN", "0.0.0.0:80"), ("CHAT_JWT_SECRET", SECRET)]);
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
}

#[test]
fn without_a_secret_the_server_stands_behind_no_proxy() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let refused = run(chat_server(&data_dir).args(["--trusted-proxies", "loopback", "--listen", "127.0.0.1:0"]));
    assert_eq!(refused.code, 1);
    for part in ["--trusted-proxies (CHAT_TRUSTED_PROXIES)", "--jwt-secret (CHAT_JWT_SECRET)", "openssl rand -hex 32"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert!(!data_dir.exists(), "a refused start leaves nothing behind");
    assert_eq!(check(&[("CHAT_TRUSTED_PROXIES", "loopback")]).code, 1);
    let accepted = check(&[("CHAT_TRUSTED_PROXIES", "loopback"), ("CHAT_JWT_SECRET", SECRET)]);
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
}

#[test]
fn a_mistyped_flag_or_variable_is_answered_with_the_nearest_one() {
    let refused = check(&[("CHAT_JWT_SECERT", SECRET)]);
    assert_eq!(refused.code, 2);
    for part in ["CHAT_JWT_SECERT", "CHAT_JWT_SECRET"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let home = tempfile::tempdir().unwrap();
    let refused = run(chat_server(home.path()).args(["--listn", "127.0.0.1:0"]));
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--listen"), "{}", refused.stderr);
}

#[test]
fn an_address_in_use_is_refused_with_the_option_that_changes_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    for (taken, free, remedy) in [
        ("--listen", "--admin-listen", "--listen (CHAT_LISTEN)"),
        ("--admin-listen", "--listen", "--admin-listen (CHAT_ADMIN_LISTEN)"),
    ] {
        let refused = run(chat_server(&data_dir).args([taken, &address, free, "127.0.0.1:0"]));
        assert_eq!(refused.code, 1);
        for part in [address.as_str(), remedy] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
}

#[test]
fn a_server_without_a_secret_is_refused_a_public_address_in_plain_text() {
    let home = tempfile::tempdir().unwrap();
    let refused = run(chat_server(&home.path().join("data")).env("CHAT_LISTEN", "0.0.0.0:0"));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.starts_with("error: --jwt-secret (CHAT_JWT_SECRET): "), "{}", refused.stderr);
}
