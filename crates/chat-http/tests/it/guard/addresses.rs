//! How many connections one address may have open.

use chat_http::{HttpSettings, ProxySettings, TrustedProxy};

use crate::support::app::Options;
use crate::support::raw::RawClient;
use crate::support::server_side::until_connections_are;
use crate::support::{Store, TestApp};

const MOST: usize = 3;

async fn app_with(trusted: Vec<TrustedProxy>) -> TestApp {
    let proxies = ProxySettings { trusted, ..ProxySettings::default() };
    let http = HttpSettings { connections_per_address: Some(MOST), proxies, ..HttpSettings::default() };
    TestApp::with(Store::Memory, Options { http, ..Options::default() }).await
}

/// A connection that has had a response and stays open; `None` if it was closed instead.
async fn connect(app: &TestApp) -> Option<RawClient> {
    let mut client = RawClient::connect(&app.base).await;
    client.send_as_far_as_it_goes(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
    match client.read_some_or_end().await {
        bytes if bytes.is_empty() => None,
        bytes => {
            assert!(bytes.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&bytes));
            Some(client)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_more_than_an_address_may_have_is_closed() {
    let app = app_with(Vec::new()).await;
    let mut held = Vec::new();
    for _ in 0..MOST {
        held.push(connect(&app).await.unwrap());
    }
    for _ in 0..5 {
        assert!(connect(&app).await.is_none());
    }
    // Another address is not concerned, and a place is free again as soon as its connection is.
    let mut other = RawClient::connect_from("127.0.0.2", &app.base).await;
    other.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
    other.read_response().await;
    held.pop();
    until_connections_are(&app, MOST).await;
    held.push(connect(&app).await.unwrap());
    assert!(connect(&app).await.is_none());
    drop((held, other));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_counts_as_a_connection_until_its_stream_is_closed() {
    let app = app_with(Vec::new()).await;
    let (session, token) = {
        let session = app.open_session("alice").await;
        (session, app.token_of("alice"))
    };
    // The client of the test keeps a connection of its own.
    let mut sockets = Vec::new();
    for _ in 1..MOST {
        sockets.push(RawClient::open_socket(&app.base, &session, &token).await);
    }
    assert!(connect(&app).await.is_none());
    sockets.pop();
    until_connections_are(&app, MOST - 1).await;
    let held = connect(&app).await.unwrap();
    assert!(connect(&app).await.is_none());
    drop((held, sockets));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_has_the_connections_of_all_its_clients() {
    let app = app_with(vec![TrustedProxy::Loopback]).await;
    let mut held = Vec::new();
    for _ in 0..5 * MOST {
        held.push(connect(&app).await.unwrap());
    }
    drop(held);
    app.stop().await;
}
