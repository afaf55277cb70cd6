//! Files on S3 as clients see them: the same as on a disk, at every node.

use reqwest::Method;
use test_servers::postgres::TestDatabase;
use test_servers::s3::S3Server;

use super::{on, send_file, url};
use crate::support::{Person, TestServer, chat_server, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_sent_and_downloaded_in_whole_in_part_and_not_at_all() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), on(&s3)).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("a film").await;
    let bytes: Vec<u8> = (0_u32..3_000_000).flat_map(u32::to_le_bytes).collect();
    let path = send_file(&alice, &session, "film.bin", bytes.clone()).await;

    let whole = alice.get(&path).await;
    let tag = whole.headers()["etag"].clone();
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let part = alice.request(Method::GET, &path).header("Range", "bytes=11000000-11000099").send().await.unwrap();
    assert_eq!(
        (part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()),
        (206, "bytes 11000000-11000099/12000000")
    );
    assert_eq!(part.bytes().await.unwrap(), bytes[11_000_000..11_000_100]);
    s3.take_seen();
    let unchanged = alice.request(Method::GET, &path).header("If-None-Match", tag).send().await.unwrap();
    assert_eq!(unchanged.status(), 304);
    let beyond = alice.request(Method::GET, &path).header("Range", "bytes=12000000-").send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert!(s3.take_seen().is_empty(), "neither needs the bytes");
    let stranger = server.person("mallory", "user").get(&path).await;
    assert_eq!(stranger.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_a_download_in_a_sandbox_and_a_picture_is_shown() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), on(&s3)).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("a page").await;
    let script: [(&str, &[u8]); 3] = [
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("b.txt", b"<!doctype html><script>alert(1)</script>"),
        ("c.js", b"#!/bin/sh\nalert(1)"),
    ];
    for (name, bytes) in script {
        let page = alice.get(&send_file(&alice, &session, name, bytes).await).await;
        let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-disposition").starts_with("attachment"), "{name}");
        assert!(header("content-security-policy").contains("sandbox"), "{name}");
        assert_eq!(header("x-content-type-options"), "nosniff");
    }
    // The smallest GIF.
    let picture = send_file(&alice, &session, "x.gif", &b"GIF89a\x01\0\x01\0\0\0\0;"[..]).await;
    let shown = alice.get(&picture).await;
    assert!(shown.headers()["content-disposition"].to_str().unwrap().starts_with("inline"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_file_that_one_node_took_is_downloaded_at_the_other() {
    let (s3, database) = (S3Server::start().unwrap(), TestDatabase::empty());
    let home = tempfile::tempdir().unwrap();
    let start = async |name: &str| {
        TestServer::start_on(&home.path().join(name), |command| {
            on(&s3)(command);
            command.env("CHAT_DATABASE_URL", database.url()).env("CHAT_JWT_SECRET", SECRET);
        })
        .await
    };
    let (one, other) = tokio::join!(start("one"), start("other"));
    let mut command = chat_server(&home.path().join("one"));
    command.env("CHAT_JWT_SECRET", SECRET).args(["token", "--sub", "alice", "--role", "user"]);
    let alice = Person::new(one.addr, run(&mut command).stdout.trim_end());
    let session = alice.open_session("at both").await;
    for (name, length) in [("small.bin", 10_000), ("large.bin", 6_000_000)] {
        let bytes = vec![7; length];
        let path = send_file(&alice, &session, name, bytes.clone()).await;
        assert_eq!(alice.at(other.addr).get(&path).await.bytes().await.unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_stays_with_its_database_and_mistakes_are_named_at_the_start() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    drop(TestServer::start_on(&home.path().join("data"), on(&s3)).await);
    let refused = |data_dir: &str, set: &[(&str, &str)]| {
        let mut command = chat_server(&home.path().join(data_dir));
        on(&s3)(&mut command);
        let refused = run(command.args(["--listen", "127.0.0.1:0"]).envs(set.iter().copied()));
        assert_eq!(refused.code, 1, "{refused:?}");
        refused.stderr
    };
    let other = refused("other", &[]);
    for part in ["another database", "--attachments-url (CHAT_ATTACHMENTS_URL)", &url(&s3)] {
        assert!(other.contains(part), "{other}");
    }
    let wrong_key = refused("data", &[("AWS_SECRET_ACCESS_KEY", "canary")]);
    assert!(wrong_key.contains("SignatureDoesNotMatch") && !wrong_key.contains("canary"), "{wrong_key}");
    let plain = refused("data", &[("AWS_ALLOW_HTTP", "false")]);
    assert!(plain.contains("s3://"), "{plain}");
    let password = refused("data", &[("AWS_ENDPOINT_URL", "https://me:canary@127.0.0.1:1")]);
    assert!(password.contains("AWS_ENDPOINT_URL must have no user name and no password"), "{password}");
    assert!(!password.contains("canary"), "{password}");
}
