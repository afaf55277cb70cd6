//! The server behind a real nginx.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method};
use serde_json::json;
use test_servers::nginx::{NginxSite, PrivateNginx};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{PATIENCE, Person, Scrape, TestServer, next_event};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// What a file of the test has: more than nginx keeps in memory.
const FILE_BYTES: usize = 20 * 1000 * 1000;
/// What makes nginx pass a WebSocket on.
const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;";

/// A server that trusts this proxy alone.
async fn server(data_dir: &Path) -> TestServer {
    TestServer::start_on(data_dir, |command| {
        command.env("CHAT_JWT_SECRET", SECRET).env("CHAT_TRUSTED_PROXIES", "127.0.0.1");
        command.env("CHAT_LOG", "debug").env("CHAT_ACCESS_LOG", "on");
    })
    .await
}

/// nginx in front of a server under this path, which is empty or begins with a slash.
fn nginx(server: SocketAddr, prefix: &str, upgrade: &str) -> PrivateNginx {
    let site = |site: &NginxSite<'_>| {
        format!(
            "map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
             server {{
                 listen 127.0.0.1:{};
                 location {prefix}/ {{
                     proxy_pass http://{server}/;
                     proxy_http_version 1.1;
                     {upgrade}
                     proxy_set_header Host $http_host;
                     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                     proxy_set_header X-Forwarded-Proto $scheme;
                     proxy_set_header X-Forwarded-Host $http_host;
                     proxy_set_header X-Forwarded-Prefix '{prefix}';
                     client_max_body_size 51m;
                     proxy_request_buffering off;
                 }}
             }}",
            site.port
        )
    };
    PrivateNginx::start(site).unwrap()
}

/// A person who uses the server through the proxy.
fn through(nginx: &PrivateNginx, person: &Person) -> Person {
    person.at(([127, 0, 0, 1], nginx.port()).into())
}

fn token(data_dir: &Path, server: &TestServer) -> Person {
    use crate::support::{chat_server, run};
    let made =
        run(chat_server(data_dir).env("CHAT_JWT_SECRET", SECRET).args(["token", "--sub", "alice", "--role", "user"]));
    assert_eq!(made.code, 0, "{}", made.stderr);
    Person::new(server.addr, made.stdout.trim_end())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: cargo xtask test"]
async fn a_socket_and_an_upload_of_20_mb_pass_through_nginx() {
    for prefix in ["", "/support"] {
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().join("data");
        let server = server(&data_dir).await;
        let nginx = nginx(server.addr, prefix, UPGRADE);
        let alice = through(&nginx, &token(&data_dir, &server));
        let base = format!("{}{prefix}", nginx.url());

        let opened = alice.post(&format!("{prefix}/api/chat/sessions"), &json!({})).await;
        let location = opened.headers()["location"].to_str().unwrap().to_owned();
        let session = Person::json(opened, 201).await["id"].as_str().unwrap().to_owned();
        assert_eq!(location, format!("{base}/api/chat/sessions/{session}"));

        // A page of the proxy's own origin opens a socket.
        let mut request =
            format!("{}/ws/chat/{session}", base.replacen("http", "ws", 1)).into_client_request().unwrap();
        request.headers_mut().insert("Authorization", format!("Bearer {}", alice.token).parse().unwrap());
        request.headers_mut().insert("Origin", nginx.url().parse().unwrap());
        let mut socket = connect_async(request).await.unwrap().0;

        let file: Vec<u8> = (0..FILE_BYTES).map(|index| u8::try_from(index * index % 251).unwrap()).collect();
        let form = Form::new().part("attachments[0]", Part::bytes(file.clone()).file_name("large.bin"));
        let path = format!("{prefix}/api/chat/sessions/{session}/messages");
        let sent = alice.request(Method::POST, &path).multipart(form).send().await.unwrap();
        let message = Person::json(sent, 201).await;
        let url = message["attachments"][0]["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with(&format!("{base}/api/chat/attachments/")), "{url}");
        let event = next_event(&mut socket).await;
        assert_eq!(event["data"]["attachments"][0]["url"], url.as_str(), "{event}");

        let download = alice.get(url.strip_prefix(&nginx.url()).unwrap()).await;
        assert_eq!(download.status(), 200);
        assert!(download.bytes().await.unwrap() == file, "the file comes back as it was");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: cargo xtask test"]
async fn the_log_has_the_clients_address_and_not_what_the_client_claims() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = server(&data_dir).await;
    let nginx = nginx(server.addr, "", UPGRADE);
    // Another address of this machine, which the server does not trust.
    let client = Client::builder().local_address(IpAddr::from([127, 0, 0, 7])).no_proxy().build().unwrap();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let answer = client
        .get(format!("{}/nowhere", nginx.url()))
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-request-id", "chosen-at-the-edge")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["x-request-id"], "chosen-at-the-edge");
    let line = server.stderr.wait_for(PATIENCE, |log| {
        log.iter().find(|line| line.contains("ROUTE_NOT_FOUND") && line.contains("chosen-at-the-edge")).cloned()
    });
    assert!(line.contains("\"client.address\":\"127.0.0.7\""), "{line}");
    assert!(line.contains(&format!("\"trace.id\":\"{trace}\"")) && !line.contains("203.0.113.9"), "{line}");
    let line = server.stdout.wait_for(PATIENCE, |lines| {
        lines.iter().find(|line| line.contains("\"request_id\":\"chosen-at-the-edge\"")).cloned()
    });
    assert!(line.contains("\"client\":\"127.0.0.7\""), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: cargo xtask test"]
async fn a_socket_through_a_proxy_that_drops_upgrade_is_refused_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = server(&data_dir).await;
    let nginx = nginx(server.addr, "", "");
    let alice = through(&nginx, &token(&data_dir, &server));
    let session = alice.open_session("without upgrades").await;
    let request = alice.request(Method::GET, &format!("/ws/chat/{session}"));
    let answer = request.header("connection", "upgrade").header("upgrade", "websocket").send().await.unwrap();
    let body = Person::json(answer, 426).await;
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("a proxy on the way has dropped the headers Upgrade and Connection"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_not_trusted_is_logged_once_and_counted() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_JWT_SECRET", SECRET).env("CHAT_TRUSTED_PROXIES", "10.0.0.0/8");
    })
    .await;
    for (header, value) in
        [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "")]
    {
        let answer = Client::new().get(server.url("/nowhere")).header(header, value).send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
    Client::new().get(server.url("/nowhere")).send().await.unwrap();
    let metrics = Scrape::of(&server).await;
    assert_eq!(metrics.value("chat_http_untrusted_forwarding_total"), "3");
    server.signal("TERM");
    let (_, log) = server.ended().await;
    let warnings: Vec<&String> = log.iter().filter(|line| line.contains("is no trusted proxy")).collect();
    assert_eq!(warnings.len(), 1, "{log:#?}");
    for part in ["\"WARN\"", "a request from 127.0.0.1", "x-forwarded-for", "--trusted-proxies (CHAT_TRUSTED_PROXIES)"]
    {
        assert!(warnings[0].contains(part), "{}", warnings[0]);
    }
    assert!(!warnings[0].contains("203.0.113.9"), "{}", warnings[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_the_two_headers_names_the_client_as_the_operator_chooses() {
    for (choice, expected) in
        [(None, "192.0.2.1"), (Some("x-forwarded"), "192.0.2.1"), (Some("forwarded"), "198.51.100.1")]
    {
        let home = tempfile::tempdir().unwrap();
        let server = TestServer::start_on(&home.path().join("data"), |command| {
            command.env("CHAT_JWT_SECRET", SECRET);
            command.env("CHAT_TRUSTED_PROXIES", "10.0.0.0/8,loopback").env("CHAT_ACCESS_LOG", "on");
            command.envs(choice.map(|choice| ("CHAT_FORWARDED_HEADER", choice)));
        })
        .await;
        let request = Client::new().get(server.url("/nowhere")).header("x-request-id", "through-two-hops");
        let request = request.header("x-forwarded-for", "192.0.2.1, 10.0.0.7");
        assert_eq!(request.header("forwarded", "for=198.51.100.1, for=10.0.0.7").send().await.unwrap().status(), 404);
        let line = server.stdout.wait_for(PATIENCE, |lines| {
            lines.iter().find(|line| line.contains("\"request_id\":\"through-two-hops\"")).cloned()
        });
        assert!(line.contains(&format!("\"client\":\"{expected}\"")), "{choice:?}: {line}");
    }
}
