//! What a private nginx promises: it serves the test's configuration, and leaves nothing behind.

use std::io::{Read, Write};
use std::net::TcpStream;

use test_servers::nginx::{NginxSite, PrivateNginx};

use crate::killed_process::leaves_nothing;

fn greeting(site: &NginxSite<'_>) -> String {
    format!("server {{ listen 127.0.0.1:{}; location / {{ return 200 hello; }} }}", site.port)
}

fn body(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
#[ignore = "needs nginx: cargo xtask test"]
fn two_servers_run_side_by_side_with_their_own_configuration() {
    let (one, other) = (PrivateNginx::start(greeting).unwrap(), PrivateNginx::start(greeting).unwrap());
    assert_ne!(one.port(), other.port());
    assert_eq!((body(one.port()).as_str(), body(other.port()).as_str()), ("hello", "hello"));
    assert_eq!(one.url(), format!("http://127.0.0.1:{}", one.port()));
}

#[test]
#[ignore = "needs nginx: cargo xtask test"]
fn a_site_may_have_the_certificate_that_was_made_for_it() {
    let site = |site: &NginxSite<'_>| {
        format!(
            "server {{ listen 127.0.0.1:{} ssl; ssl_certificate {}; ssl_certificate_key {}; }}",
            site.port,
            site.certificate.display(),
            site.key.display()
        )
    };
    let server = PrivateNginx::start(site).unwrap();
    assert!(server.authority().unwrap().starts_with(b"-----BEGIN CERTIFICATE-----"));
}

#[test]
#[ignore = "needs nginx: cargo xtask test"]
fn a_wrong_configuration_is_an_error_with_the_servers_message() {
    let refusal = PrivateNginx::start(|_| "no_such_setting on;".to_owned()).unwrap_err().to_string();
    assert!(refusal.contains("no_such_setting"), "{refusal}");
}

#[test]
#[ignore = "needs nginx: cargo xtask test"]
fn a_killed_process_leaves_nothing() {
    leaves_nothing("nginx::a_killed_process_leaves_nothing", || {
        let server = PrivateNginx::start(greeting).unwrap();
        let (port, directory) = (server.port(), server.directory().display().to_string());
        (server, port, directory)
    });
}
