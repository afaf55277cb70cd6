//! Which requests open a WebSocket, and with which subprotocol.

use actix_http::test::TestRequest;
use actix_http::{Method, Request, Version};
use chat_websocket::{Handshake, HandshakeError, choose_subprotocol, offered_subprotocols};

/// The request of RFC 6455 §1.3, changed by one header: `None` takes it out.
fn request(changed: Option<(&'static str, Option<&'static str>)>) -> TestRequest {
    let headers = [
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut request = TestRequest::default();
    for (name, value) in headers {
        match changed {
            Some((other, value)) if other == name => {
                if let Some(value) = value {
                    request.insert_header((name, value));
                }
            }
            _ => {
                request.insert_header((name, value));
            }
        }
    }
    request
}

fn verify(request: &Request) -> Result<String, HandshakeError> {
    Handshake::verify(request.head()).map(|handshake| handshake.accept_value().to_str().unwrap().to_owned())
}

#[test]
fn the_example_of_the_rfc_is_accepted_with_its_value() {
    assert_eq!(verify(&request(None).finish()).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn what_is_wrong_is_named() {
    let table = [
        ("Upgrade", None, HandshakeError::Upgrade, 426),
        ("Upgrade", Some("h2c"), HandshakeError::Upgrade, 426),
        ("Connection", None, HandshakeError::Connection, 426),
        ("Connection", Some("keep-alive"), HandshakeError::Connection, 426),
        ("Sec-WebSocket-Version", None, HandshakeError::Version, 426),
        ("Sec-WebSocket-Version", Some("8"), HandshakeError::Version, 426),
        ("Sec-WebSocket-Key", None, HandshakeError::Key, 400),
        ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZQ=="), HandshakeError::Key, 400),
        ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25j!!=="), HandshakeError::Key, 400),
        ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZSBpcyB0b28gbG9uZw=="), HandshakeError::Key, 400),
    ];
    for (header, value, expected, status) in table {
        assert_eq!(verify(&request(Some((header, value))).finish()), Err(expected), "{header}: {value:?}");
        assert_eq!(expected.status().as_u16(), status);
    }
    let post = request(None).method(Method::POST).finish();
    assert_eq!(verify(&post), Err(HandshakeError::Method));
    let old = request(None).version(Version::HTTP_10).finish();
    assert_eq!(verify(&old), Err(HandshakeError::HttpVersion));
}

#[test]
fn the_clients_first_subprotocol_that_is_spoken_is_chosen() {
    let mut request = TestRequest::default();
    request.append_header(("Sec-WebSocket-Protocol", "token.abc, chat.v2"));
    request.append_header(("Sec-WebSocket-Protocol", " chat.v1 ,, CHAT.V3"));
    let request = request.finish();
    let offered: Vec<&str> = offered_subprotocols(request.head()).collect();
    assert_eq!(offered, ["token.abc", "chat.v2", "chat.v1", "CHAT.V3"]);
    assert_eq!(choose_subprotocol(request.head(), &["chat.v1", "chat.v2"]), Some("chat.v2"));
    assert_eq!(choose_subprotocol(request.head(), &["chat.v3"]), None, "names are compared as they are written");
    assert_eq!(choose_subprotocol(TestRequest::default().finish().head(), &["chat.v1"]), None);
}
