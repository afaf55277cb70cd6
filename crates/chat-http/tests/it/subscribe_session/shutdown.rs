//! Sockets when the server stops.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::support::raw::{RawClient, RawFrame, client_frame};
use crate::support::{Store, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_socket_is_closed_when_the_server_stops() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(app.watch("alice", &session, "").await);
        sockets.push(app.watch_extended("root", &session, "").await.0);
    }
    let stopped = tokio::spawn(app.stop());
    for mut socket in sockets {
        assert_eq!(socket.closed().await, (1001, "draining".to_owned()));
        assert!(socket.raw().await.is_none());
    }
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_answer_the_close_does_not_hold_the_server() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let mut silent = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
    let begun = Instant::now();
    app.hub.shutdown();
    app.stop_server(Duration::from_mins(2)).await;
    // The client has a second to answer, and actix looks once a second whether a worker is idle.
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    assert_eq!(silent.read_close().await, (1001, "draining".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_waits_for_its_sockets() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let (hub, address) = (app.hub.clone(), app.base.replace("http://", ""));
    let mut socket = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
    let stopped = tokio::spawn(app.stop_server(Duration::from_secs(5)));
    // When no client can connect any more, the workers are stopping.
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for _ in 0..30 {
        socket.send(&client_frame(RawFrame::PING, b"there?")).await;
        assert_eq!(socket.read_frame().await.opcode, RawFrame::PONG);
    }
    hub.shutdown();
    assert_eq!(socket.read_close().await, (1001, "draining".to_owned()));
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_close_is_dropped_at_the_limit() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let hub = app.hub.clone();
    let mut held = [
        RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await,
        RawClient::open_extended(&app.base, &session, &app.token_of("alice")).await,
    ];
    assert_eq!(hub.subscriptions(), 2);
    let begun = Instant::now();
    app.stop_server(Duration::from_millis(100)).await;
    // actix itself would wait for 30 seconds.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    for client in &mut held {
        client.read_to_end().await;
    }
    assert_eq!(hub.subscriptions(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_opened_while_the_server_stops_is_closed_with_1012() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    app.drain();
    let mut socket = app.watch("alice", &session, "").await;
    app.hub.shutdown();
    assert_eq!(socket.closed().await, (1012, "restarting".to_owned()));
    app.stop().await;
}
