//! Whether a request opens a WebSocket (RFC 6455 §4.2.1), the value that accepts it, and the choice of a subprotocol.
//!
//! Who may open one is not decided here.

use actix_http::header::{HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use actix_http::{RequestHead, Response, StatusCode, Version, ws};
use thiserror::Error;

/// Why a request does not open a WebSocket. The texts may be shown to the client.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum HandshakeError {
    /// A socket is opened by `GET` only.
    #[error("a WebSocket is opened with GET")]
    Method,
    /// HTTP/1.0 cannot change the protocol.
    #[error("a WebSocket needs HTTP/1.1")]
    HttpVersion,
    /// The request asks for no WebSocket.
    #[error("the header Upgrade must be websocket")]
    Upgrade,
    /// The request does not ask to upgrade.
    #[error("the header Connection must contain upgrade")]
    Connection,
    /// `Sec-WebSocket-Version` is missing or not 13. The answer must name the version that is spoken (§4.4).
    #[error("the header Sec-WebSocket-Version must be 13")]
    Version,
    /// `Sec-WebSocket-Key` is missing or not 16 bytes in base64.
    #[error("the header Sec-WebSocket-Key must be 16 bytes in base64")]
    Key,
}

impl HandshakeError {
    /// What the request is answered with: 405, 426 (with the headers `Upgrade: websocket` and
    /// `Sec-WebSocket-Version: 13`), or 400.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Upgrade | Self::Connection | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::HttpVersion | Self::Key => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<ws::HandshakeError> for HandshakeError {
    fn from(error: ws::HandshakeError) -> Self {
        match error {
            ws::HandshakeError::GetMethodRequired => Self::Method,
            ws::HandshakeError::NoWebsocketUpgrade => Self::Upgrade,
            ws::HandshakeError::NoConnectionUpgrade => Self::Connection,
            ws::HandshakeError::NoVersionHeader | ws::HandshakeError::UnsupportedVersion => Self::Version,
            ws::HandshakeError::BadWebsocketKey => Self::Key,
        }
    }
}

/// A request that opens a WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Handshake {
    accept: HeaderValue,
}

impl Handshake {
    /// Checks the request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(head: &RequestHead) -> Result<Self, HandshakeError> {
        if head.version < Version::HTTP_11 {
            return Err(HandshakeError::HttpVersion);
        }
        ws::verify_handshake(head)?;
        let key = head.headers().get(SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?;
        let accept = HeaderValue::from_bytes(&ws::hash_key(key.as_bytes())).map_err(|_| HandshakeError::Key)?;
        Ok(Self { accept })
    }

    /// What `Sec-WebSocket-Accept` says in the answer (§4.2.2).
    #[must_use]
    pub fn accept_value(&self) -> &HeaderValue {
        &self.accept
    }

    /// The answer that opens the socket (§4.2.2). A subprotocol must be one that the client offered.
    #[must_use]
    pub fn answer(&self, subprotocol: Option<&'static str>) -> Response<()> {
        let mut answer = Response::with_body(StatusCode::SWITCHING_PROTOCOLS, ());
        let headers = answer.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(subprotocol) = subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
        }
        answer
    }
}

/// The subprotocols that the client offers, in its order of preference, from all headers `Sec-WebSocket-Protocol`.
pub fn offered_subprotocols(head: &RequestHead) -> impl Iterator<Item = &str> {
    head.headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// The first of the client's subprotocols that the server speaks. Names are compared as they are written.
#[must_use]
pub fn choose_subprotocol(head: &RequestHead, spoken: &[&'static str]) -> Option<&'static str> {
    offered_subprotocols(head).find_map(|offered| spoken.iter().find(|name| **name == offered).copied())
}
