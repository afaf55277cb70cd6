//! The files for browsers, as the binary serves them.

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use crate::support::{PATIENCE, Person, Scrape, TestServer};

fn request(server: &TestServer, method: Method, path: &str) -> RequestBuilder {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    client.request(method, server.url(path))
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The address of an asset that an entry names.
async fn asset(server: &TestServer, entry: &str, part: &str) -> String {
    let entry = request(server, Method::GET, entry).send().await.unwrap().text().await.unwrap();
    let after = entry.split("assets/").nth(1).expect("the entry names its assets");
    let hash: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
    let name = if part == "widget" { "panel.js" } else { "console.js" };
    format!("/assets/{hash}/{part}/{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_library_is_served_compressed_and_not_twice() {
    let server = TestServer::start().await;
    let plain = request(&server, Method::GET, "/client.js").send().await.unwrap();
    assert_eq!(plain.status(), 200);
    assert_eq!(header(&plain, "content-type"), "text/javascript; charset=utf-8");
    assert_eq!(header(&plain, "access-control-allow-origin"), "*");
    assert_eq!(header(&plain, "cross-origin-resource-policy"), "cross-origin");
    assert_eq!((header(&plain, "cache-control"), header(&plain, "vary")), ("no-cache", "Accept-Encoding"));
    let plain = plain.bytes().await.unwrap();
    assert!(String::from_utf8_lossy(&plain).contains("createClient"));

    let small = request(&server, Method::GET, "/client.js").header("Accept-Encoding", "gzip, deflate, br");
    let small = small.send().await.unwrap();
    assert_eq!(header(&small, "content-encoding"), "br");
    let (tag, length) = (header(&small, "etag").to_owned(), header(&small, "content-length").to_owned());
    assert!(small.bytes().await.unwrap().len() < plain.len() / 2);
    let head = request(&server, Method::HEAD, "/client.js").header("Accept-Encoding", "br").send().await.unwrap();
    assert_eq!((header(&head, "content-length"), header(&head, "etag")), (length.as_str(), tag.as_str()));
    let again = request(&server, Method::GET, "/client.js").header("Accept-Encoding", "br");
    let again = again.header("If-None-Match", &tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.bytes().await.unwrap().len()), (304, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_not_built_or_switched_off_are_unknown_addresses() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start().await;
    let panel = asset(&server, "/widget.js", "widget").await;
    let script = asset(&server, "/console", "console").await;
    let addresses = ["/console", "/widget.js", "/console/development-people", &panel, &script];
    for path in addresses {
        assert_eq!(request(&server, Method::GET, path).send().await.unwrap().status(), 200, "{path}");
    }
    drop(server);
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_CONSOLE", "off").env("CHAT_WIDGET", "off");
    })
    .await;
    for path in addresses {
        let missing = Person::json(request(&server, Method::GET, path).send().await.unwrap(), 404).await;
        assert_eq!(missing["error"]["code"], "ROUTE_NOT_FOUND", "{path}");
    }
    let home = request(&server, Method::GET, "/").header("Accept", "text/html").send().await.unwrap();
    assert_eq!((home.status().as_u16(), header(&home, "location")), (302, "docs/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_the_demo_in_development_mode_and_the_console_otherwise() {
    let open = async |server: &TestServer, path: &str| {
        request(server, Method::GET, path).header("Accept", "text/html").send().await.unwrap()
    };
    let development = TestServer::start().await;
    let demo = open(&development, "/").await;
    assert_eq!((demo.status().as_u16(), header(&demo, "x-frame-options")), (200, "DENY"));
    let people = Person::json(open(&development, "/console/development-people").await, 200).await;
    let names: Vec<&str> = people["people"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "bob", "root"]);

    let home = tempfile::tempdir().unwrap();
    let production = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_JWT_SECRET", "a secret of at least thirty-two bytes");
    })
    .await;
    let home = open(&production, "/").await;
    assert_eq!((home.status().as_u16(), header(&home, "location")), (302, "console"));
    let console = open(&production, "/console").await;
    assert_eq!(console.status(), 200);
    let policy = header(&console, "content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(console.text().await.unwrap().contains("console.js"));
    assert_eq!(open(&production, "/console/development-people").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_a_label_in_metrics_and_a_line_in_the_access_log() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_ACCESS_LOG", "on");
    })
    .await;
    let file = request(&server, Method::GET, "/client.js?v=2").send().await.unwrap();
    let id = header(&file, "x-request-id").to_owned();
    let line = server.stdout.wait_for(PATIENCE, |lines| {
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["request_id"] == id.as_str())
    });
    assert_eq!((&line["route"], &line["path"]), (&"/client.js".into(), &"/client.js".into()));
    let refused = request(&server, Method::POST, "/client.js").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "allow")), (405, "GET, HEAD"));
    let metrics = Scrape::of(&server).await;
    assert_eq!(metrics.value(r#"chat_http_requests_total{route="/client.js",method="GET",status="2xx"}"#), "1");
}
