//! The opening handshake (RFC 6455, section 4): the request as bytes, and what the answer must be.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Mode, Opening, SocketEnd};

/// The extended mode's subprotocol.
const SUBPROTOCOL: &str = "chat.v1";
/// More than this is no answer to a handshake.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// A request, and what accepts it.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) request: Vec<u8>,
    accept: String,
    mode: Mode,
}

impl Handshake {
    pub(crate) fn new(opening: &Opening<'_>) -> Self {
        let key = generate_key();
        let protocol = match opening.mode {
            Mode::Base => String::new(),
            Mode::Extended => format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"),
        };
        let authorization = match opening.token {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let request = format!(
            "GET {}{} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{protocol}{authorization}\r\n",
            opening.target.prefix, opening.path, opening.target.authority
        );
        Self { request: request.into_bytes(), accept: derive_accept_key(key.as_bytes()), mode: opening.mode }
    }

    /// Does it, and answers what came right behind it.
    pub(crate) async fn run(&self, stream: &mut TcpStream) -> Result<Vec<u8>, SocketEnd> {
        stream.write_all(&self.request).await.map_err(|_| SocketEnd::Lost)?;
        let mut answer = Vec::with_capacity(1_024);
        loop {
            if stream.read_buf(&mut answer).await.map_err(|_| SocketEnd::Lost)? == 0 {
                return Err(SocketEnd::Lost);
            }
            if let Some(bytes) = self.accepted(&answer)? {
                return Ok(answer.split_off(bytes));
            }
            if answer.len() > MAX_HEAD_BYTES {
                return Err(SocketEnd::Malformed);
            }
        }
    }

    /// How many bytes the head of an acceptance takes; `None` when its end has not come yet.
    fn accepted(&self, answer: &[u8]) -> Result<Option<usize>, SocketEnd> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let bytes = match response.parse(answer) {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(SocketEnd::Malformed),
        };
        match response.code {
            Some(101) => {}
            Some(status) => return Err(SocketEnd::Refused(status)),
            None => return Err(SocketEnd::Malformed),
        }
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.map(|header| header.value)
        };
        let protocol = match self.mode {
            Mode::Base => None,
            Mode::Extended => Some(SUBPROTOCOL.as_bytes()),
        };
        let agreed = value("sec-websocket-accept") == Some(self.accept.as_bytes())
            && value("sec-websocket-protocol") == protocol
            && value("sec-websocket-extensions").is_none();
        if agreed { Ok(Some(bytes)) } else { Err(SocketEnd::Malformed) }
    }
}
