//! Connections of a worker of which three quarters are taken.

use super::{AMPLE, SHORT, app_with, download_of, get, patient};
use crate::support::TestApp;
use crate::support::raw::RawClient;
use crate::support::server_side::until_connections_are;
use chat_http::TransportLimits;
use futures_util::future::join_all;

/// Connections that have answered a request and wait for the next one.
async fn idle_clients<const N: usize>(app: &TestApp) -> [RawClient; N] {
    join_all([(); N].map(async |()| {
        let mut client = RawClient::connect(&app.base).await;
        client.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
        client.read_response().await;
        client
    }))
    .await
    .try_into()
    .unwrap_or_else(|_| unreachable!("one for each"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_from_before_a_crowd_make_room_too() {
    let app = app_with(TransportLimits { connections: 4, crowded: SHORT, ..patient() }).await;
    let [mut first, mut second] = idle_clients(&app).await;
    // It may be silent for as long as it likes.
    let _third = RawClient::connect(&app.base).await;
    // When one of the two is closed, the other one may stay.
    let end = tokio::select! { end = first.read_to_end() => end, end = second.read_to_end() => end };
    assert_eq!(end, "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comes_again_at_once_is_noticed() {
    let app = app_with(TransportLimits { connections: 4, crowded: AMPLE, ..patient() }).await;
    let [mut first, mut second] = idle_clients(&app).await;
    drop(idle_clients::<1>(&app).await);
    until_connections_are(&app, 2).await;
    let _third = RawClient::connect(&app.base).await;
    let end = tokio::select! { end = first.read_to_end() => end, end = second.read_to_end() => end };
    assert_eq!(end, "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_the_first_to_make_room() {
    let app = app_with(TransportLimits { connections: 1, crowded_silent: SHORT, drain: SHORT, ..patient() }).await;
    let mut silent = RawClient::connect(&app.base).await;
    let end = silent.read_to_end().await;
    assert!(end.starts_with("HTTP/1.1 408 "), "{end}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_read_nothing_make_room_whether_they_ask_for_a_socket_or_not() {
    let app = app_with(TransportLimits { connections: 1, crowded_stalled: SHORT, ..patient() }).await;
    let path = download_of(&app, 20 * 1024 * 1024).await;
    let download = get(&app, &path);
    let upgrade = download.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    for request in [download, upgrade] {
        let mut client = RawClient::connect(&app.base).await;
        client.send(request.as_bytes()).await;
        until_connections_are(&app, 0).await;
    }
    app.stop().await;
}
