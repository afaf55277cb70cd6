//! The opening handshake (RFC 6455, 4.2): actix-ws checks the request and makes the response, here its errors become
//! those of the API.

use actix_http::ws::{HandshakeError, verify_handshake};
use actix_http::{HttpMessage as _, Request, Version};
use actix_web::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::error::Invalid;

use crate::error::{ApiError, ErrorCode};
use crate::socket_protocol::{SUBPROTOCOL, SocketMode};

/// The version of the WebSocket protocol that is spoken (RFC 6455, 4.4).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// What is said to a request that asks for no WebSocket, which is that of a WebSocket client when a proxy has taken its
/// headers away.
pub(crate) const UPGRADE_REQUIRED: &str = "connect with a WebSocket client; if this is one, a proxy on the way has dropped \
                                           the headers Upgrade and Connection";

/// Marks a request whose connection can be taken over.
struct UpgradableConnection;

/// Notes that the connection of this request can become a socket.
pub(crate) fn allow_takeover(request: &Request) {
    request.extensions_mut().insert(UpgradableConnection);
}

/// Checks the request as an opening handshake: 426 unless it asks for a WebSocket on a connection that can become one,
/// 400 when it does so wrongly.
///
/// A connection cannot become a socket when its request asks for one in a way that the HTTP server does not recognise, as
/// with a body in chunks or with other protocols in the same header.
pub(crate) fn require_handshake(request: &HttpRequest) -> Result<(), ApiError> {
    if request.extensions().get::<UpgradableConnection>().is_none() {
        return Err(ApiError::new(ErrorCode::UpgradeRequired, UPGRADE_REQUIRED)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(SEC_WEBSOCKET_VERSION, VERSION));
    }
    // HTTP/1.0 cannot change the protocol, which actix-ws leaves to its caller.
    if request.version() < Version::HTTP_11 {
        return Err(wrong_handshake("Upgrade", "a WebSocket needs HTTP/1.1"));
    }
    verify_handshake(request.head()).map_err(refusal)
}

/// The response that opens the socket, and the mode that the client has chosen: extended mode when it offers `chat.v1`,
/// else base mode. A body of the response is not sent: the connection is taken over behind the head.
///
/// A client that offers only other subprotocols gets base mode too, and a response that names no subprotocol (RFC 6455,
/// 4.2.2): whether that will do is the client's decision, and browsers decide that it will not.
pub(crate) fn switch_protocols(
    request: &HttpRequest,
    payload: Payload,
) -> Result<(HttpResponse, SocketMode), ApiError> {
    require_handshake(request)?;
    // Its session and its stream of messages would keep the connection in the HTTP server's hands.
    let (response, _session, _messages) =
        actix_ws::handle_with_protocols(request, payload, &[SUBPROTOCOL]).map_err(|error| {
            match error.as_error::<HandshakeError>() {
                Some(error) => refusal(*error),
                None => ApiError::internal(format!("handshake: {error}")),
            }
        })?;
    let mode = match response.headers().get(SEC_WEBSOCKET_PROTOCOL) {
        Some(_) => SocketMode::Extended,
        None => SocketMode::Base,
    };
    Ok((response.drop_body().map_into_boxed_body(), mode))
}

/// What is wrong with a handshake, in the words of the API.
fn refusal(error: HandshakeError) -> ApiError {
    match error {
        HandshakeError::GetMethodRequired => wrong_handshake("Upgrade", "a WebSocket is opened with GET"),
        HandshakeError::NoWebsocketUpgrade => wrong_handshake("Upgrade", "the header Upgrade must be websocket"),
        HandshakeError::NoConnectionUpgrade => {
            wrong_handshake("Connection", "the header Connection must contain upgrade")
        }
        HandshakeError::NoVersionHeader | HandshakeError::UnsupportedVersion => {
            wrong_handshake("Sec-WebSocket-Version", "the header Sec-WebSocket-Version must be 13")
                .with_header(SEC_WEBSOCKET_VERSION, VERSION)
        }
        HandshakeError::BadWebsocketKey => {
            wrong_handshake("Sec-WebSocket-Key", "the header Sec-WebSocket-Key must be 16 bytes in base64")
        }
    }
}

fn wrong_handshake(header: &str, rule: &str) -> ApiError {
    Invalid::new(header, format!("does not make a handshake: {rule}")).into()
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::dev::Payload as RawPayload;
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::*;

    /// The request of RFC 6455, 1.3, with one header changed: `None` takes it out.
    fn request(changed: Option<(&str, Option<&'static str>)>) -> TestRequest {
        let headers = [
            ("Upgrade", "websocket"),
            ("Connection", "keep-alive, Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        headers.into_iter().fold(TestRequest::default(), |request, (name, value)| {
            let value = match changed {
                Some((other, value)) if other == name => value,
                _ => Some(value),
            };
            value.into_iter().fold(request, |request, value| request.insert_header((name, value)))
        })
    }

    async fn open(request: TestRequest) -> Result<(HttpResponse, SocketMode), ApiError> {
        let request = request.to_http_request();
        request.extensions_mut().insert(UpgradableConnection);
        let payload = Payload::from_request(&request, &mut RawPayload::None).await.unwrap();
        switch_protocols(&request, payload)
    }

    /// The status, the field and the version header of a refusal.
    async fn refused(request: TestRequest) -> (u16, String, bool) {
        let Err(error) = open(request).await else { unreachable!("it was not refused") };
        let response = error.respond("");
        let field = error.to_string().split(' ').next().unwrap_or_default().to_owned();
        (response.status().as_u16(), field, response.headers().contains_key(SEC_WEBSOCKET_VERSION))
    }

    #[actix_web::test]
    async fn the_example_of_rfc_6455_is_accepted() {
        let (response, mode) = open(request(None)).await.unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers().get("sec-websocket-accept").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers().get("upgrade").unwrap(), "websocket");
        assert_eq!(mode, SocketMode::Base);
    }

    #[actix_web::test]
    async fn a_wrong_header_of_the_handshake_is_named() {
        let table = [
            ("Upgrade", None),
            ("Upgrade", Some("h2c")),
            ("Connection", None),
            ("Connection", Some("keep-alive")),
            ("Sec-WebSocket-Version", None),
            ("Sec-WebSocket-Version", Some("8")),
            ("Sec-WebSocket-Key", None),
            ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZQ==")),
            ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25j!!==")),
            ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZSBpcyB0b28gbG9uZw==")),
        ];
        for (header, value) in table {
            let expected = (400, header.to_owned(), header == "Sec-WebSocket-Version");
            assert_eq!(refused(request(Some((header, value)))).await, expected, "{header}: {value:?}");
        }
        let upgrade = (400, "Upgrade".to_owned(), false);
        assert_eq!(refused(request(None).method(Method::POST)).await, upgrade);
        assert_eq!(refused(request(None).version(Version::HTTP_10)).await, upgrade);
    }

    #[actix_web::test]
    async fn a_request_whose_connection_stays_with_http_must_upgrade() {
        let error = require_handshake(&request(None).to_http_request()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::UpgradeRequired);
    }

    #[actix_web::test]
    async fn the_first_offered_subprotocol_that_is_supported_is_chosen() {
        let offer = |names: &[&'static str]| {
            names.iter().fold(request(None), |request, names| request.append_header((SEC_WEBSOCKET_PROTOCOL, *names)))
        };
        let (response, mode) = open(offer(&["token.abc, chat.v2", " chat.v1 ,, CHAT.V3"])).await.unwrap();
        assert_eq!(response.headers().get(SEC_WEBSOCKET_PROTOCOL).unwrap(), SUBPROTOCOL);
        assert_eq!(mode, SocketMode::Extended);
        for others in [&["chat.v2"][..], &["CHAT.V1"], &[]] {
            let (response, mode) = open(offer(others)).await.unwrap();
            assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL), "{others:?}");
            assert_eq!(mode, SocketMode::Base);
        }
    }
}
