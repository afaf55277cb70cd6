//! What a trusted proxy may still send after a response: it passes on what its client sends, and takes a connection that
//! is closed meanwhile for a node that failed.

use std::time::{Duration, Instant};

use chat_http::{HttpSettings, ProxySettings, TransportLimits, TrustedProxy};
use tokio::time::timeout;

use super::{LONG, SHORT, closes, patient};
use crate::support::app::Options;
use crate::support::raw::RawClient;
use crate::support::server_side::until_connections_are;
use crate::support::{Store, TestApp};

/// More than the kernel's buffers hold.
const BODY_BYTES: usize = 24 * 1024 * 1024;
const PIECE: &[u8] = &[b'x'; 64 * 1024];

/// A node that gives clients the usual bounds, and its proxies these; it has the test for a proxy if `is_trusted`.
async fn app_with(is_trusted: bool, proxy_drain: Duration, proxy_drain_bytes: u64) -> TestApp {
    app_within(is_trusted, TransportLimits { proxy_drain, proxy_drain_bytes, ..patient() }).await
}

async fn app_within(is_trusted: bool, transport: TransportLimits) -> TestApp {
    let transport = TransportLimits { drain_bytes: 64 * 1024, ..transport };
    let trusted = if is_trusted { vec![TrustedProxy::Loopback] } else { Vec::new() };
    let proxies = ProxySettings { trusted, ..ProxySettings::default() };
    TestApp::with(
        Store::Memory,
        Options { http: HttpSettings { transport, proxies, ..HttpSettings::default() }, ..Options::default() },
    )
    .await
}

/// A connection on which an upload of so many bytes was refused of which none has been sent.
async fn refused(app: &TestApp, length: usize) -> RawClient {
    let mut client = RawClient::connect(&app.base).await;
    let head = format!("POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
    client.send(head.as_bytes()).await;
    let (head, _) = client.read_response().await;
    assert!(head.starts_with("HTTP/1.1 404 ") && closes(&head), "{head}");
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_writes_a_refused_upload_to_its_end() {
    let app = app_with(true, LONG, u64::MAX).await;
    let mut client = refused(&app, BODY_BYTES).await;
    assert_eq!(client.send_until_cut_off(PIECE, BODY_BYTES).await, BODY_BYTES);
    drop(client);
    until_connections_are(&app, 0).await;
    app.stop().await;
    let app = app_with(false, LONG, u64::MAX).await;
    assert!(refused(&app, BODY_BYTES).await.send_until_cut_off(PIECE, BODY_BYTES).await < BODY_BYTES);
    until_connections_are(&app, 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_a_trusted_proxy_after_a_response_are_bounded_in_number_and_time() {
    let app = app_with(true, LONG, 1024 * 1024).await;
    assert!(refused(&app, usize::MAX).await.send_until_cut_off(PIECE, 10 * BODY_BYTES).await < 10 * BODY_BYTES);
    until_connections_are(&app, 0).await;
    app.stop().await;
    // A client that sends nothing, and a client that goes on sending.
    let app = app_with(true, SHORT, u64::MAX).await;
    let silent = refused(&app, BODY_BYTES).await;
    until_connections_are(&app, 0).await;
    let mut sending = refused(&app, usize::MAX).await;
    while sending.send_until_cut_off(b"x", 1).await > 0 {
        tokio::task::yield_now().await;
    }
    until_connections_are(&app, 0).await;
    drop(silent);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comes_later_ends_what_a_trusted_proxy_still_sends() {
    let limits = TransportLimits { connections: 4, proxy_drain: LONG, proxy_drain_bytes: u64::MAX, ..patient() };
    let app = app_within(true, limits).await;
    let mut drained = refused(&app, usize::MAX).await;
    // With these, three quarters are taken; they may be silent for as long as they like.
    let _others = [RawClient::connect(&app.base).await, RawClient::connect(&app.base).await];
    let cut_off = async {
        while drained.send_until_cut_off(b"x", 1).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(Duration::from_mins(1), cut_off).await.is_ok(), "it is drained for as long as without a crowd");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_drains_a_trusted_proxy_no_longer_than_its_limit() {
    let app = app_with(true, LONG, u64::MAX).await;
    let mut drained = refused(&app, usize::MAX).await;
    assert_eq!(drained.send_until_cut_off(PIECE, BODY_BYTES).await, BODY_BYTES, "it is being drained");
    let begun = Instant::now();
    app.stop_server(Duration::from_millis(100)).await;
    // actix itself would wait for 30 seconds.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop(drained);
}
