//! What a private server promises: where it listens, what a kill and a freeze do, and that it leaves nothing behind.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use test_servers::redis::PrivateRedis;

use crate::killed_process::leaves_nothing;

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn two_servers_run_side_by_side_and_share_no_key() {
    let (one, other) = (PrivateRedis::start(&[]).unwrap(), PrivateRedis::start(&[]).unwrap());
    assert_ne!(one.port(), other.port());
    assert_eq!(one.url(), format!("redis://127.0.0.1:{}", one.port()));
    assert_eq!(one.command(&["SET", "mine", "it's 1"]).unwrap(), "OK");
    assert_eq!(one.command(&["GET", "mine"]).unwrap(), "it's 1");
    assert_eq!(other.command(&["GET", "mine"]).unwrap(), "");
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn settings_are_taken_and_nothing_is_saved() {
    let server = PrivateRedis::start(&[("maxmemory", "3mb")]).unwrap();
    assert_eq!(server.command(&["CONFIG", "GET", "maxmemory"]).unwrap(), "maxmemory\n3145728");
    assert_eq!(server.command(&["CONFIG", "GET", "save"]).unwrap(), "save");
    assert_eq!(server.command(&["CONFIG", "GET", "appendonly"]).unwrap(), "appendonly\nno");
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn an_unknown_setting_is_an_error_with_the_servers_message() {
    let refusal = PrivateRedis::start(&[("no-such-setting", "1")]).unwrap_err().to_string();
    assert!(refusal.contains("no-such-setting"), "{refusal}");
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn a_killed_server_comes_back_empty_on_its_port() {
    let server = PrivateRedis::start(&[]).unwrap();
    let (port, first) = (server.port(), server.process_id());
    server.command(&["SET", "kept", "no"]).unwrap();
    server.kill().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert_eq!(server.process_id(), None);
    assert!(server.kill().is_err());
    server.start_again().unwrap();
    assert!(server.start_again().is_err());
    assert_eq!(server.port(), port);
    assert_ne!(server.process_id(), first);
    assert_eq!(server.command(&["GET", "kept"]).unwrap(), "");
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn a_taken_port_is_an_error_that_says_so() {
    let server = PrivateRedis::start(&[]).unwrap();
    server.kill().unwrap();
    let other = TcpListener::bind(("127.0.0.1", server.port())).unwrap();
    let refusal = server.start_again().unwrap_err().to_string();
    assert!(refusal.contains("Address already in use"), "{refusal}");
    drop(other);
    server.start_again().unwrap();
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn a_frozen_server_replies_when_it_is_thawed() {
    let server = PrivateRedis::start(&[]).unwrap();
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    server.freeze().unwrap();
    connection.write_all(b"PING\r\n").unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answer = [0; 7];
    assert!(connection.read_exact(&mut answer).is_err());
    server.thaw().unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn a_dropped_server_leaves_nothing_even_when_it_is_frozen() {
    let server = PrivateRedis::start(&[]).unwrap();
    let (port, directory) = (server.port(), server.directory().unwrap());
    assert!(directory.exists());
    server.freeze().unwrap();
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!directory.exists());
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn a_killed_process_leaves_nothing() {
    leaves_nothing("redis::server::a_killed_process_leaves_nothing", || {
        let server = PrivateRedis::start(&[]).unwrap();
        let (port, directory) = (server.port(), server.directory().unwrap().display().to_string());
        (server, port, directory)
    });
}
